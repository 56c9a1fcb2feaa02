"""The model in PyTorch is the one that it is timed beside: parameters, outputs, gradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_system import lively

from v2a_jax.models.functional import count
from v2a_jax.models.system import System

torch = pytest.importorskip("torch")

from pytorch import theirs  # noqa: E402
from pytorch.weights import named, tensors  # noqa: E402
from shapes import Shape, batch_of, config_of  # noqa: E402

TINY = Shape(
    seconds=0.64,
    latents=20,
    channels=3,
    seen=8,
    read=6,
    width=16,
    heads=2,
    joint_blocks=1,
    audio_blocks=2,
)
ROWS = 3


@pytest.fixture(scope="module")
def config():
    return config_of(TINY, dtype="float32", remat="none", unroll=False)


@pytest.fixture(scope="module")
def both(config):
    """(our model, its weights, PyTorch's model with the same)."""
    system = System.from_config(config)
    params = lively(system.dit.shapes)
    return system.dit, params, theirs.made(config, params, "cpu", compiled=False)


def given_some():
    """Conditions of which each row lacks another."""
    given = batch_of(TINY, ROWS).given
    lacking = {
        name: np.arange(ROWS) != place
        for place, name in enumerate(("use_video", "use_text", "use_transcript"))
    }
    return dataclasses.replace(given, **lacking)


def test_both_have_as_many_parameters(both):
    _, params, module = both
    assert count(params) == sum(leaf.numel() for leaf in module.parameters())


@pytest.mark.slow
def test_outputs_and_gradients_are_the_same(both):
    dit, params, module = both
    x = np.random.default_rng(1).standard_normal((ROWS, TINY.latents, TINY.channels)).astype("f")
    t, given = np.array([0.1, 0.5, 0.9], np.float32), jax.tree.map(jnp.asarray, given_some())

    def total(params):
        made = dit.apply(params, jnp.asarray(x), jnp.asarray(t), given)
        return (made**2).mean(), made

    (_, made), slopes = jax.jit(jax.value_and_grad(total, has_aux=True))(params)
    other = module(torch.tensor(x), torch.tensor(t), tensors(given, "cpu"))
    other.square().mean().backward()
    np.testing.assert_allclose(other.detach(), made, atol=2e-5 * float(np.abs(made).max()))
    for name, slope in named(slopes).items():
        leaf = module.get_parameter(name)
        found = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        found = found.T if name.endswith("weight") and leaf.ndim == 2 else found
        atol = 1e-4 * max(float(np.abs(slope).max()), 1e-6)
        np.testing.assert_allclose(found.reshape(slope.shape), slope, atol=atol, err_msg=name)
