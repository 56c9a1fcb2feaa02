"""This project's training step and sampler, as functions to call again and again.

Nothing is made for the occasion: the stage, optimizer, averages and step are those of `v2a train`,
guidance and solver those of `v2a sample`; the sampler's encoders, codec and mark are left out.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax

from v2a_jax.config import build
from v2a_jax.diffusion import guidance, solvers
from v2a_jax.models.functional import cast, once
from v2a_jax.models.system import System
from v2a_jax.planning.flops import flops_of
from v2a_jax.sampling.sampler import SamplerConfig
from v2a_jax.sharding import MeshConfig, batch_sharding, make_mesh
from v2a_jax.training.earlier import on_mesh
from v2a_jax.training.ema import EmaConfig
from v2a_jax.training.feed import to_device
from v2a_jax.training.optimizer import OptimizerConfig, make_optimizer, make_schedule
from v2a_jax.training.stages import make_stage
from v2a_jax.training.state import state_maker
from v2a_jax.training.step import make_train_step
from v2a_jax.types import Array, Batch, Conditions, Encoded, Params


class Training:
    """Steps of a run of this config on one batch; earlier parts have random weights.

    `function` and `arguments` are what the next step calls, under `mesh`.
    """

    def __init__(self, config: Any, batch: Batch | Encoded):
        system = System.from_config(config)
        stage, steps = make_stage(config.stage, config, system), config.run.steps
        settings, averages = build(OptimizerConfig, config.optimizer), build(EmaConfig, config.ema)
        optimizer = make_optimizer(settings, stage, steps)
        self.mesh = make_mesh(build(MeshConfig, config.mesh))
        with jax.set_mesh(self.mesh):
            state = jax.jit(state_maker(stage, optimizer, averages, config.seed, self.mesh))()
            rows = to_device(batch, batch_sharding(self.mesh), len(batch.index))
        needed = stage.needs if isinstance(batch, Batch) else ()
        key = jax.random.key(config.seed)
        frozen = {part: once(getattr(system, part).init, key) for part in needed}
        self.function = make_train_step(
            stage,
            optimizer,
            make_schedule(settings, steps),
            averages,
            seed=config.seed,
            accumulate=config.run.accumulate,
        )
        self.arguments = [state, on_mesh(frozen, system, self.mesh), rows]

    def __call__(self) -> float:
        """Takes a step, and waits for it; its loss."""
        with jax.set_mesh(self.mesh):
            self.arguments[0], metrics = self.function(*self.arguments)
        return float(metrics["loss"])

    def operations(self) -> float:
        """Floating-point operations of a step's matrix products."""
        with jax.set_mesh(self.mesh):
            return flops_of(self.function, *self.arguments).products


def sampler(config: Any) -> Callable[[Params, Array, Conditions], Array]:
    """The jitted function (weights, noise float32[B,T,latent], conditions) -> latents."""
    system, settings = System.from_config(config), config.sampler

    @jax.jit
    def sample(weights: Params, noise: Array, given: Conditions) -> Array:
        velocity = guidance.guided(
            functools.partial(system.dit.apply, cast(weights, config.dtype)),
            guidance.branches(given, None, spoken=True),
            build(SamplerConfig, settings).guidance,
        )
        times = system.path.grid(settings.steps)
        return solvers.integrate(velocity, noise, times, solver=settings.solver)

    return sample
