import jax
import jax.numpy as jnp
import numpy as np
import pytest

from v2a_jax.diffusion.path import FlowPath
from v2a_jax.diffusion.solvers import integrate


def path(**changes):
    return FlowPath(**({"mean": 0.0, "std": 1.0, "shift": 1.0} | changes))


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("f")


def test_the_velocity_is_the_derivative_of_the_point():
    data, start, t, dt = noise(3, 4, 2), noise(3, 4, 2, seed=1), np.array([0.1, 0.5, 0.8]), 1e-2
    moved = path().point(data, start, t + dt) - path().point(data, start, t - dt)
    np.testing.assert_allclose(moved / (2 * dt), path().velocity(data, start), atol=1e-3)
    np.testing.assert_allclose(path().point(data, start, np.zeros(3)), start)
    np.testing.assert_allclose(path().point(data, start, np.ones(3)), data)


@pytest.mark.parametrize("shift", [1.0, 2.0, 5.0])
def test_bending_keeps_the_ends_and_the_order_and_leans_to_noise(shift):
    t = np.linspace(0, 1, 101)
    bent = path(shift=shift).bend(t)
    np.testing.assert_allclose(bent[[0, -1]], [0, 1])
    assert (np.diff(bent) > 0).all() and (bent <= t + 1e-6).all()


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_the_grid_and_the_draws_are_bent_alike(shift):
    keys = jax.random.split(jax.random.key(0), 2000)
    plain, bent = (jax.vmap(path(shift=s).draw_time)(keys) for s in (1.0, shift))
    np.testing.assert_allclose(bent, path(shift=shift).bend(plain), atol=1e-6)
    even = jnp.linspace(0, 1, 8)
    np.testing.assert_allclose(path(shift=shift).grid(7), path(shift=shift).bend(even), atol=1e-6)


def test_training_times_are_logit_normal():
    keys = jax.random.split(jax.random.key(0), 20000)
    t = np.asarray(jax.vmap(path(mean=0.5, std=0.7).draw_time)(keys), np.float64)
    assert (t > 0).all() and (t < 1).all()
    logit = np.log(t / (1 - t))
    np.testing.assert_allclose([logit.mean(), logit.std()], [0.5, 0.7], atol=0.02)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_following_the_true_velocity_leads_from_noise_to_data(shift):
    data, start = noise(2, 4), noise(2, 4, seed=1)
    flow = path(shift=shift)

    def velocity(x, t):  # that of the one path through x at t towards data
        return (data - x) / (1 - t)

    made = integrate(velocity, start, flow.grid(5), solver="euler")
    np.testing.assert_allclose(made, data, atol=1e-4)
