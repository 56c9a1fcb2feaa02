"""Averages over those examples of a batch that have what is measured."""

import jax.numpy as jnp

from v2a_jax.types import Array


def mean(x: Array, present_B: Array) -> Array:
    """Mean of [B,..] over everything of the examples that are present, float32; 0 for none."""
    per_example = x.astype(jnp.float32).mean(axis=tuple(range(1, x.ndim)))
    return mean_of_examples(per_example, present_B)


def mean_of_examples(x: Array, present_B: Array) -> Array:
    """Mean of [B,..] over the examples that are present, float32[..]; 0 for none."""
    weight_B1 = present_B.astype(jnp.float32).reshape(-1, *[1] * (x.ndim - 1))
    return jnp.sum(weight_B1 * x.astype(jnp.float32), axis=0) / jnp.maximum(present_B.sum(), 1)
