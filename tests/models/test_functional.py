"""A program that runs once makes what an optimized one makes."""

import jax
import numpy as np
from tiny_system import tiny_config, tiny_system

from v2a_jax.models.functional import once


def test_unoptimized_random_weights_are_the_optimized_ones():
    text, key = tiny_system(tiny_config()).text, jax.random.key(3)
    made, usual = once(text.init, key), jax.jit(text.init)(key)
    assert jax.tree.structure(made) == jax.tree.structure(usual)
    for a, b in zip(jax.tree.leaves(made), jax.tree.leaves(usual), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert any(np.std(leaf) > 0 for leaf in jax.tree.leaves(made))
