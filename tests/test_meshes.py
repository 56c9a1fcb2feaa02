"""One result whatever the mesh, and what a mesh with a context does to diffusion."""

import contextlib
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.core import ShapedArray
from jax.extend.core import jaxprs_in_params
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from mesh_losses import (
    CASES,
    HEADS,
    LATENT,
    ROWS,
    WHOLE_STAGES,
    both,
    diffusion,
    eight,
    encoded,
)
from tiny_system import tiny_batch, tiny_config, tiny_stage

from v2a_jax.errors import UserError
from v2a_jax.models.attention import attend_jointly
from v2a_jax.models.layers import depthwise
from v2a_jax.sharding import batch_sharding, param_shardings
from v2a_jax.training.stages import STAGES, example_keys
from v2a_jax.watermark.key import Key

HERE = pathlib.Path(__file__).parent
HALVES = ("cases", "stages")


@pytest.fixture(scope="module")
def on_eight_devices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("meshes")
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",  # a third of the time to compile
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "PYTHONPATH": f"{HERE.parent}:{HERE}",
    }
    script = [sys.executable, str(HERE / "mesh_losses.py")]
    found = {}
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen(
                    [*script, half, str(folder / f"{half}.npz")],
                    env=environment,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for half in HALVES
        ]
        said = [process.communicate()[1] for process in running]
    for half, process, errors in zip(HALVES, running, said, strict=True):
        assert process.returncode == 0, errors[-3000:]
        found |= np.load(folder / f"{half}.npz")
    return found


def assert_equal(found, name, expected):
    """Leaf for leaf, but for 1e-5 of a number and of the largest beside it.

    1e-4 in the discriminators: their slopes are sums over all times and frequencies, of which one
    device takes 8 times as many in a row. 2e-5 where the codec speaks: the phase's slopes at quiet
    frequencies are a thousand times those at loud ones, and cancel.
    """
    looser = {"discriminators": 1e-4, "codec/speak": 2e-5}
    paths = [path.removeprefix(f"{expected}:") for path in found if path.startswith(f"{expected}:")]
    assert len(paths) > 10
    for path in paths:
        leaf = found[f"{expected}:{path}"]
        relative = next((looser[part] for part in looser if part in path), 1e-5)
        margin = relative * np.abs(leaf).max() + 1e-7
        np.testing.assert_allclose(
            found[f"{name}:{path}"], leaf, rtol=relative, atol=margin, err_msg=path
        )


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_mesh_remat_scan_accumulation_or_padding_changes_diffusion(on_eight_devices, case):
    assert_equal(on_eight_devices, case.name, case.latents)


@pytest.mark.slow
def test_a_context_never_gathers_the_audio_stream(on_eight_devices):
    (case,) = (case for case in CASES if case.mesh == (2, 1, 4, 1))
    stream = ROWS // 2 * case.latents * diffusion(case)[0].system.dit_config.width
    assert 0 < on_eight_devices[f"{case.name}:gathered"] < stream


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("sizes", WHOLE_STAGES)
def test_eight_devices_give_the_loss_and_gradients_of_one(on_eight_devices, sizes, name):
    assert_equal(on_eight_devices, f"{sizes}:{name}", f"None:{name}")


def intermediates(jaxpr):
    """All values of a program with the sizes they have on the whole mesh."""
    for equation in jaxpr.eqns:
        values = [out.aval for out in equation.outvars if isinstance(out.aval, ShapedArray)]
        # Within a look-up in a table the compiler is left to place what it makes.
        yield from (x for x in values if AxisType.Auto not in x.sharding.mesh.axis_types)
        if equation.primitive.name != "shard_map":
            for inner in jaxprs_in_params(equation.params):
                yield from intermediates(inner)


def traced_diffusion(latents, sizes):
    """The program of diffusion's loss and gradients on a mesh."""
    stage, params = diffusion(None)
    mesh, batch = eight(**sizes), encoded(stage, latents)

    def abstract(leaf, sharding):
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

    def run(params, batch):
        return both(stage, params, {}, batch)

    with jax.sharding.use_abstract_mesh(mesh):
        params = jax.tree.map(abstract, params, param_shardings(mesh, stage.axes()))
        batch = jax.tree.map(lambda leaf: abstract(leaf, batch_sharding(mesh)), batch)
        return jax.jit(run).trace(params, batch).jaxpr


@pytest.mark.slow
def test_a_clip_split_in_time_is_nowhere_whole_but_in_a_share_of_the_heads():
    latents = 36  # as many as nothing else
    jaxpr = traced_diffusion(latents, dict(data=2, context=4))
    seen = [
        aval
        for aval in intermediates(jaxpr.jaxpr)
        if aval.shape[:2] == (ROWS, latents) and aval.ndim > 2 and aval.shape[2:] != (LATENT,)
        if jnp.issubdtype(aval.dtype, jnp.floating)
    ]
    assert len(seen) > 100
    for aval in seen:
        batch, time, *rest = aval.sharding.spec
        assert batch == ("data", "fsdp"), aval
        assert time == "context" or rest[0] == ("tensor", "context"), aval


@pytest.mark.parametrize("sizes", [dict(context=8), dict(context=4, tensor=2)])
def test_heads_that_do_not_divide_over_a_context_are_refused(sizes):
    mesh = eight(**sizes)
    place = NamedSharding(mesh, PartitionSpec(None, "context", "tensor"))
    q = jax.ShapeDtypeStruct((2, 16, HEADS, 8), "float32", sharding=place)
    said = f"dit.heads={HEADS} does not divide by mesh.context x mesh.tensor = 8"
    with jax.sharding.use_abstract_mesh(mesh), pytest.raises(UserError, match=said):
        jax.eval_shape(lambda q: attend_jointly([(q, q, q)], None, "auto"), q)


def test_a_clip_too_short_for_its_context_is_refused():
    mesh = eight(context=4)
    x = jax.ShapeDtypeStruct(
        (2, 8, 3), "float32", sharding=NamedSharding(mesh, PartitionSpec(None, "context"))
    )
    with jax.sharding.use_abstract_mesh(mesh):
        assert jax.eval_shape(lambda x: depthwise(x, np.ones((5, 3), "f")), x).shape == x.shape
        with pytest.raises(UserError, match="2 latent.* fewer than the 3"):
            jax.eval_shape(lambda x: depthwise(x, np.ones((7, 3), "f")), x)


@pytest.mark.slow
def test_sampling_and_evaluation_know_a_context():
    config = tiny_config("diffusion")
    stage, params, frozen = tiny_stage("diffusion", config)
    mesh, batch, pattern = (
        eight(data=2, context=2, tensor=1),
        tiny_batch(),
        Key(bytes(32)).pattern(),
    )

    def abstract(leaf, sharding):
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

    with jax.sharding.use_abstract_mesh(mesh):
        axes = {part: getattr(stage.system, part).axes for part in frozen}
        params = jax.tree.map(abstract, params, param_shardings(mesh, stage.axes()))
        frozen = jax.tree.map(abstract, frozen, param_shardings(mesh, axes))
        whole = NamedSharding(mesh, PartitionSpec())
        frozen["pattern"] = jax.tree.map(lambda x: abstract(x, whole), pattern)
        batch = jax.tree.map(lambda x: abstract(x, batch_sharding(mesh)), batch)
        for heldout in (stage.evaluate, stage.samples):
            made = jax.eval_shape(
                lambda params, frozen, batch, use=heldout: use(
                    params, frozen, batch, example_keys(0, 0, batch.index)
                ),
                params,
                frozen,
                batch,
            )
            assert all("context" not in str(x.sharding.spec) for x in jax.tree.leaves(made))
