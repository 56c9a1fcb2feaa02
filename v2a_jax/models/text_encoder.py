"""TextEncoder: SentencePiece ids -> contextual tokens, by a small bidirectional transformer."""

import dataclasses

import jax.numpy as jnp
from flax import nnx
from jax.nn import initializers

from v2a_jax.config import require
from v2a_jax.models.layers import (
    Block,
    Linear,
    RMSNorm,
    Stack,
    StackConfig,
    embedding_lookup,
    parameter,
)
from v2a_jax.types import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextConfig:
    """`vocabulary` ids of which 0 is padding, at most `length` of them."""

    vocabulary: int
    length: int
    width: int
    heads: int
    blocks: int
    stack: StackConfig

    def __post_init__(self) -> None:
        require(
            self.heads > 0 and self.width % (2 * self.heads) == 0,
            "text.width must be text.heads times an even number",
        )


class TextEncoder(nnx.Module):
    """ids int32[B,L] -> tokens float[B,L,width] and mask bool[B,L]; position 0 is always valid."""

    def __init__(self, config: TextConfig, *, rngs: nnx.Rngs):
        c = config
        init = initializers.normal(0.5)
        self.tokens = parameter(rngs, (c.vocabulary, c.width), (None, None), init)
        self.positions = parameter(rngs, (c.length, c.width), (None, None), init)
        self.stack = Stack(
            lambda r: Block(c.width, c.heads, attention=c.stack.attention, rngs=r),
            c.blocks,
            config=c.stack,
            rngs=rngs,
        )
        self.norm = RMSNorm(c.width, rngs=rngs)
        self.pool = Linear((c.width,), (c.width,), axes=("embed", None), rngs=rngs)

    def __call__(self, ids_BL: Array) -> tuple[Array, Array]:
        mask_BL = (ids_BL != 0).at[:, 0].set(True)
        x_BLD = embedding_lookup(self.tokens[...], ids_BL) + self.positions[: ids_BL.shape[1]]
        return self.norm(self.stack(x_BLD, None, mask_BL)), mask_BL

    def summary(self, ids_BL: Array) -> Array:
        """One vector a caption, [B,width]: the mean of its tokens, projected."""
        x_BLD, mask_BL = self(ids_BL)
        weight_BL1 = mask_BL[..., None].astype(x_BLD.dtype)
        return self.pool((x_BLD * weight_BL1).sum(1) / jnp.maximum(weight_BL1.sum(1), 1))
