"""Blocks of samples as they are handed over: what must hold of each of them."""

import numpy as np

from v2a_jax.errors import UserError


def checked(block: np.ndarray) -> np.ndarray:
    """`block` as an array [n,C]; UserError where a sample isn't finite."""
    block = np.asarray(block)
    if block.ndim != 2:
        raise ValueError(f"audio has the shape {block.shape}, not samples by channels")
    if not np.isfinite(block).all():
        raise UserError("audio has samples that are not finite numbers")
    return block
