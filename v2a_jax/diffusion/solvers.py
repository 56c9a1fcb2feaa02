"""Solvers of dx/dt = v(x, t) over a grid of times, in one `lax.scan`.

Euler is of order 1, Heun (the explicit trapezoid rule) of order 2 at twice the evaluations.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from v2a_jax.types import Array

Velocity = Callable[[Array, Array], Array]


def euler(velocity: Velocity, x: Array, t: Array, dt: Array) -> Array:
    """x + dt v(x, t)."""
    return x + dt * velocity(x, t)


def heun(velocity: Velocity, x: Array, t: Array, dt: Array) -> Array:
    """x + dt (v(x, t) + v(x + dt v, t + dt)) / 2."""
    first = velocity(x, t)
    return x + dt / 2 * (first + velocity(x + dt * first, t + dt))


SOLVERS = {"euler": euler, "heun": heun}


def integrate(
    velocity: Velocity,
    x: Array,
    times: Array,
    *,
    solver: str,
    project: Callable[[Array, Array], Array] = lambda x, t: x,
) -> Array:
    """x at times[-1], from x at times[0]; `project(x, t)` is applied before each step."""

    def step(x: Array, interval: Array) -> tuple[Array, None]:
        t, following = interval
        return SOLVERS[solver](velocity, project(x, t), t, following - t), None

    x, _ = jax.lax.scan(step, x, jnp.stack([times[:-1], times[1:]], axis=1))
    return project(x, times[-1])
