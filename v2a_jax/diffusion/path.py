"""The path from noise to data: one object for training, evaluation and sampling.

Linear (rectified) flow, Liu et al. 2022, Lipman et al. 2022:
    x_t = (1 - t) noise + t data,   velocity v = dx_t / dt = data - noise,   t from 0 to 1.
Training draws t logit-normally (Esser et al. 2024), t = sigmoid(mean + std n); `shift` s bends both
the draws and the sampling grid towards noise, t -> t / (t + s (1 - t)).
"""

import dataclasses

import jax
import jax.numpy as jnp

from v2a_jax.types import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlowPath:
    """`mean` and `std` of the logit of the training times; `shift` >= 1 favours noisy times."""

    mean: float
    std: float
    shift: float

    def bend(self, t: Array) -> Array:
        """The time that `shift` makes of a time; keeps 0 and 1."""
        return t / (t + self.shift * (1 - t))

    def draw_time(self, key: Array) -> Array:
        """A training time, a scalar in (0, 1)."""
        return self.bend(jax.nn.sigmoid(self.mean + self.std * jax.random.normal(key)))

    def grid(self, steps: int) -> Array:
        """The sampling times, float32[steps + 1] from 0 to 1."""
        return self.bend(jnp.linspace(0.0, 1.0, steps + 1))

    def point(self, data: Array, noise: Array, t: Array) -> Array:
        """x_t; `t` broadcasts over the leading axes of `data`."""
        t = t.reshape(t.shape + (1,) * (data.ndim - t.ndim))
        return (1 - t) * noise + t * data

    def velocity(self, data: Array, noise: Array) -> Array:
        """The target of training."""
        return data - noise
