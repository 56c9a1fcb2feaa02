"""Everything that a training run is made of at one moment, as one pytree."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from v2a_jax.sharding import param_shardings, require_even
from v2a_jax.training.ema import EmaConfig, init_ema
from v2a_jax.training.stages import Stage
from v2a_jax.types import Array, Params


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainState:
    """`step` int32[] counts finished steps and is the data cursor: the next batch is number `step`.

    `ema` maps a profile's name to averaged parameters.
    """

    step: Array
    params: Params
    opt_state: optax.OptState
    ema: dict[str, Params]


def state_maker(
    stage: Stage, optimizer: optax.GradientTransformation, ema: EmaConfig, seed: int, mesh: Mesh
) -> Callable[[], TrainState]:
    """A function that makes step 0's state, each leaf sharded as its parameter is.

    UserError when a parameter does not divide over the mesh.
    """
    shardings = param_shardings(mesh, stage.axes())
    require_even(jax.eval_shape(lambda: stage.init(jax.random.key(seed))), shardings)

    def make() -> TrainState:
        params = jax.tree.map(jax.sharding.reshard, stage.init(jax.random.key(seed)), shardings)
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            opt_state=optimizer.init(params),
            ema=init_ema(params, ema.sigma_rel),
        )

    return make


def abstract_state(make: Callable[[], TrainState], mesh: Mesh) -> TrainState:
    """Shapes, types and shardings of the state that `make` makes, without making it."""

    def concrete(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        spec = leaf.sharding.spec if leaf.sharding is not None else PartitionSpec()
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=NamedSharding(mesh, spec))

    return jax.tree.map(concrete, jax.eval_shape(make))
