"""Averages over those examples of a batch that have what is measured."""

import jax.numpy as jnp

from v2a_jax.types import Array


def mean(x: Array, present_B: Array) -> Array:
    """Mean of [B,..] over everything of the examples that are present, float32; 0 for none."""
    size = x.size // x.shape[0]
    return jnp.sum(_kept(x, present_B)) / (size * jnp.maximum(present_B.sum(), 1))


def mean_of_examples(x: Array, present_B: Array) -> Array:
    """Mean of [B,..] over the examples that are present, float32[..]; 0 for none."""
    return jnp.sum(_kept(x, present_B), axis=0) / jnp.maximum(present_B.sum(), 1)


def _kept(x: Array, present_B: Array) -> Array:
    weight_B1 = present_B.astype(jnp.float32).reshape(-1, *[1] * (x.ndim - 1))
    return weight_B1 * x.astype(jnp.float32)
