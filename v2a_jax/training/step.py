"""One training step: gradients of examples, averaged over microbatches, and the update.

Noise is keyed by (seed, step, example), whatever the split of the batch. Microbatch i of A takes
examples i, i + A, i + 2A, ..: every device splits the rows that it already holds.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax.sharding import PartitionSpec

from v2a_jax.training.ema import EmaConfig, update_ema
from v2a_jax.training.stages import Stage, example_keys
from v2a_jax.training.state import TrainState
from v2a_jax.types import Array, Batch, Params

Metrics = dict[str, Array]
TrainStep = Callable[[TrainState, Params, Batch], tuple[TrainState, Metrics]]


def split_microbatches(x: Array, count: int) -> Array:
    """[B, ..] -> [count, B/count, ..] without moving a row to another device."""
    batch, *rest = jax.typeof(x).sharding.spec
    shape = (x.shape[0] // count, count, *x.shape[1:])
    rows = jax.lax.reshape(x, shape, out_sharding=PartitionSpec(batch, None, *rest))
    return jnp.moveaxis(rows, 1, 0)


def accumulated_gradients(
    stage: Stage, params: Params, frozen: Params, batch: Batch, keys_B: Array, count: int
) -> tuple[Params, Metrics]:
    """Mean gradient and mean metrics over `count` microbatches, each by its share of examples."""
    gradient = jax.value_and_grad(stage.loss, has_aux=True)

    def add(total: Params, part: tuple[Batch, Array, Array]) -> tuple[Params, Metrics]:
        microbatch, keys, share = part
        (loss, metrics), one = gradient(params, frozen, microbatch, keys)
        total = jax.tree.map(lambda total, g: total + share * g, total, one)
        return total, jax.tree.map(lambda value: share * value, {"loss": loss} | metrics)

    microbatches = jax.tree.map(lambda x: split_microbatches(x, count), (batch, keys_B))
    examples = jax.vmap(stage.examples)(microbatches[0]).astype(jnp.float32)
    shares = examples / jnp.maximum(examples.sum(), 1)
    nothing = jax.tree.map(jnp.zeros_like, params)
    total, metrics = jax.lax.scan(add, nothing, (*microbatches, shares))
    return total, jax.tree.map(lambda parts: parts.sum(axis=0), metrics)


def make_train_step(
    stage: Stage,
    optimizer: optax.GradientTransformation,
    schedule: optax.Schedule,
    ema: EmaConfig,
    *,
    seed: int,
    accumulate: int,
) -> TrainStep:
    """The jitted step; it consumes the state it is given. Call it with the mesh set."""

    def train_step(state: TrainState, frozen: Params, batch: Batch) -> tuple[TrainState, Metrics]:
        keys_B = example_keys(seed, state.step, batch.index)
        gradients, metrics = accumulated_gradients(
            stage, state.params, frozen, batch, keys_B, accumulate
        )
        norm = optax.global_norm(gradients)
        sound = jnp.isfinite(norm) & jnp.isfinite(metrics["loss"])
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        # What isn't finite changes nothing; the watch counts it, without the host waiting here.
        params, opt_state = jax.tree.map(
            lambda new, old: jnp.where(sound, new, old),
            (params, opt_state),
            (state.params, state.opt_state),
        )
        done = state.step + 1
        new = TrainState(
            step=done,
            params=params,
            opt_state=opt_state,
            ema=update_ema(state.ema, params, done, ema.sigma_rel),
        )
        watched = {"grad_norm": norm, "learning_rate": schedule(state.step), "skipped": ~sound}
        return new, metrics | watched

    return jax.jit(train_step, donate_argnums=0)
