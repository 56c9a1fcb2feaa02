"""Counted operations against known ones, and against XLA's count of unrolled models."""

import importlib

import jax
import jax.numpy as jnp
import pytest

from v2a_jax.models.system import System
from v2a_jax.planning import flops
from v2a_jax.planning.program import abstract_batch
from v2a_jax.sharding import MeshConfig, make_mesh
from v2a_jax.training.stages import STAGES, example_keys, make_stage


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def test_a_product_is_two_operations_for_each_pair():
    counted = flops.flops_of(jnp.matmul, shape(3, 5), shape(5, 7))
    assert counted == flops.Flops(products=2 * 3 * 5 * 7)


def test_a_batched_product_counts_every_batch():
    counted = flops.flops_of(
        lambda a, b: jnp.einsum("bij,bjk->bik", a, b), shape(4, 3, 5), shape(4, 5, 7)
    )
    assert counted.products == 4 * 2 * 3 * 5 * 7


def test_a_scan_counts_each_turn_and_a_branch_the_larger():
    def turn(x, _):
        return jax.lax.cond(x[0, 0] > 0, lambda x: x @ x, lambda x: x * (x @ x[:, :1]), x), None

    def loop(x):
        return jax.lax.scan(turn, x, None, length=11)[0]

    assert flops.flops_of(loop, shape(6, 6)).products == 11 * 2 * 6**3


def test_the_backward_pass_is_twice_the_forward_and_recomputing_once_more():
    def loss(w, x):
        return jnp.sum(jnp.sin(x @ w) @ w)

    forward = flops.flops_of(loss, shape(8, 8), shape(8, 8)).products
    gradient = jax.grad(loss, argnums=(0, 1))
    assert flops.flops_of(gradient, shape(8, 8), shape(8, 8)).products == pytest.approx(3 * forward)
    again = jax.grad(jax.checkpoint(loss), argnums=(0, 1))
    more = flops.flops_of(again, shape(8, 8), shape(8, 8)).products - 3 * forward
    assert more == pytest.approx(forward / 2)  # the first of two products is needed again


def test_a_shard_counts_for_all_of_its_mesh():
    mesh = jax.sharding.AbstractMesh((4,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec("x")
    mapped = jax.shard_map(lambda x: x @ x.T, mesh=mesh, in_specs=spec, out_specs=spec)
    counted = flops.flops_of(mapped, shape(8, 5))
    assert counted.products == 4 * 2 * 2 * 2 * 5


def traced_gradients(config):
    """Gradients of one batch of the config's stage."""
    system = System.from_config(config)
    stage = make_stage(config.stage, config, system)
    params = jax.eval_shape(stage.init, jax.random.key(0))
    frozen = {part: getattr(system, part).shapes for part in stage.needs}
    mesh = make_mesh(MeshConfig(data=1, fsdp=1, context=1, tensor=1), jax.devices()[:1])
    batch = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype),
        abstract_batch(config, config.run.batch_size, mesh),
    )

    def gradients(params, frozen, batch):
        keys = example_keys(0, 0, batch.index)
        return jax.value_and_grad(stage.loss, has_aux=True)(params, frozen, batch, keys)

    return jax.jit(gradients).trace(params, frozen, batch)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "remat"), [(stage, "none") for stage in STAGES] + [("diffusion", "full")]
)
def test_the_unrolled_small_model_is_counted_as_xla_counts_it(stage, remat):
    config = importlib.import_module("configs.small").get_config(stage)
    config.run.batch_size, config.data.loader.seconds = 2, 1.0
    config.model.stack.update(unroll=True, remat=remat)
    unrolled = traced_gradients(config)
    counted = flops.count(unrolled.jaxpr.jaxpr)
    assert counted.total == pytest.approx(unrolled.lower().cost_analysis()["flops"], rel=0.02)
    config.model.stack.unroll = False
    assert flops.count(traced_gradients(config).jaxpr.jaxpr).products == counted.products
