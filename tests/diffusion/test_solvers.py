import jax.numpy as jnp
import numpy as np
import pytest

from v2a_jax.diffusion.solvers import SOLVERS, integrate

ORDER = {"euler": 1, "heun": 2}


def error(solver, steps):
    """Of dx/dt = x cos t from 1, whose solution is exp(sin t), at t = 2."""
    times = 2 * jnp.linspace(0, 1, steps + 1) ** 1.3
    made = integrate(lambda x, t: x * jnp.cos(t), jnp.ones(1), times, solver=solver)
    return abs(float(made[0]) - np.exp(np.sin(2.0)))


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_error_falls_with_the_order_of_the_solver(solver):
    steps = np.array([16, 32, 64])
    errors = [error(solver, int(n)) for n in steps]
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    np.testing.assert_allclose(slope, -ORDER[solver], atol=0.2)


@pytest.mark.parametrize("solver", SOLVERS)
def test_straight_paths_take_one_step(solver):
    made = integrate(
        lambda x, t: jnp.full_like(x, 3.0), jnp.ones(2), jnp.array([0.0, 2.0]), solver=solver
    )
    np.testing.assert_allclose(made, 7.0)


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_is_projected_holds_at_every_step_and_at_the_end(solver):
    seen = []

    def project(x, t):
        return x.at[0].set(10 * t)

    def velocity(x, t):
        seen.append((x[0], t))
        return jnp.ones_like(x)

    times = jnp.linspace(0, 1, 5)
    made = integrate(velocity, jnp.zeros(2), times, solver=solver, project=project)
    np.testing.assert_allclose(made, [10.0, 1.0], rtol=1e-6)
    first, t = seen[0]
    assert first.shape == () and t.shape == ()  # traced once for all steps
    assert len(seen) == ORDER[solver]
