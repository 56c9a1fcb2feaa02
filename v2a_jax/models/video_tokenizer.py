"""VideoTokenizer: pixels -> one sync token a frame, and a few semantic tokens at a low rate.

A light convolutional stem cuts each frame, and its change since the one before, in patches, and
merges them `merge` by `merge`; after attention in space, the patches of a frame, narrowed, are one
vector, so that where things are is not lost; attention in time gives the sync tokens (when); slow
averages of those vectors give the semantic tokens (what).
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn import initializers

from v2a_jax.config import require
from v2a_jax.models.layers import (
    MLP,
    Block,
    ConvNeXt,
    Linear,
    RMSNorm,
    Stack,
    StackConfig,
    parameter,
)
from v2a_jax.sharding import reshape_rows
from v2a_jax.types import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoConfig:
    """Frames of `size` pixels at `fps`; patches of `patch` pixels, seen in `stem_width` channels,
    then merged. A semantic token for each `semantic_frames` frames; `reach` is the number of blocks
    of local mixing in time."""

    size: int
    fps: int
    patch: int
    merge: int
    stem_width: int
    space_width: int
    space_heads: int
    space_blocks: int
    narrow: int
    width: int
    heads: int
    blocks: int
    reach: int
    kernel: int
    semantic_frames: int
    stack: StackConfig

    def __post_init__(self) -> None:
        for width, heads in ((self.space_width, self.space_heads), (self.width, self.heads)):
            require(
                heads > 0 and width % (2 * heads) == 0,
                "video.width and space_width must be their heads times an even number",
            )
        cell = self.patch * self.merge
        require(cell > 0 and self.size % cell == 0, "video.size: a multiple of patch x merge")
        require(self.kernel % 2 == 1, "video.kernel must be odd")


class VideoTokenizer(nnx.Module):
    """uint8[B,F,H,W,3] -> sync float[B,F,width], semantic float[B,S,width], S = ceil(F / step)."""

    def __init__(self, config: VideoConfig, *, rngs: nnx.Rngs):
        c = self.config = config
        patches = (c.size // (c.patch * c.merge)) ** 2
        pixels, merged = c.patch * c.patch * 3, c.merge**2 * c.stem_width
        self.stem = Linear((2 * pixels,), (c.stem_width,), axes=(None, "embed"), rngs=rngs)
        self.merged = Linear((merged,), (c.space_width,), axes=(None, "embed"), rngs=rngs)
        self.where = parameter(
            rngs, (patches, c.space_width), (None, None), initializers.normal(0.3)
        )
        self.space = Stack(
            lambda r: Block(c.space_width, c.space_heads, attention=c.stack.attention, rngs=r),
            c.space_blocks,
            config=c.stack,
            rngs=rngs,
        )
        self.space_norm = RMSNorm(c.space_width, rngs=rngs)
        self.narrow = Linear((c.space_width,), (c.narrow,), axes=("embed", None), rngs=rngs)
        pooled = patches * c.narrow
        self.to_frame = Linear((pooled,), (c.width,), axes=(None, "embed"), rngs=rngs)
        self.local = Stack(
            lambda r: ConvNeXt(c.width, c.kernel, rngs=r), c.reach, config=c.stack, rngs=rngs
        )
        self.time = Stack(
            lambda r: Block(c.width, c.heads, attention=c.stack.attention, rngs=r),
            c.blocks,
            config=c.stack,
            rngs=rngs,
        )
        self.sync_norm = RMSNorm(c.width, rngs=rngs)
        self.to_semantic = MLP(pooled, 2 * c.width, out=c.width, rngs=rngs)
        self.semantic_norm = RMSNorm(c.width, rngs=rngs)

    def __call__(self, video_BFHW3: Array) -> tuple[Array, Array]:
        pooled_BFD = self._pool(self._patches(video_BFHW3))
        seconds_F = jnp.arange(video_BFHW3.shape[1]) / self.config.fps
        frames_BFD = self.local(self.to_frame(pooled_BFD))
        sync_BFD = self.sync_norm(self.time(frames_BFD, seconds_F, None))
        return sync_BFD, self.semantic_norm(self.to_semantic(self._slow(pooled_BFD)))

    def _patches(self, video_BFHW3: Array) -> Array:
        """Patches of each frame and of its change since the frame before: [B,F,P,2 pixels]."""
        p, (batch, frames, height, width, _) = self.config.patch, video_BFHW3.shape
        x = video_BFHW3.astype(self.stem.kernel[...].dtype) / 128 - 1
        x = reshape_rows(x, (batch, frames, height * width, 3))
        x = _tiles(x, width, p)
        change = jnp.concatenate([jnp.zeros_like(x[:, :1]), x[:, 1:] - x[:, :-1]], axis=1)
        return jnp.concatenate([x, 4 * change], axis=-1)

    def _pool(self, patches_BFPX: Array) -> Array:
        """Attention among a frame's patches, then all of them, narrowed: [B,F,patches narrow]."""
        x = jax.nn.gelu(self.stem(patches_BFPX))
        side, m = self.config.size // self.config.patch, self.config.merge
        x = _tiles(x, side, m) if m > 1 else x
        x = self.merged(x) + self.where[...]
        batch, frames, count, width = x.shape
        x = self.space(reshape_rows(x, (batch * frames, count, width)), None, None)
        x = self.narrow(self.space_norm(x))
        return reshape_rows(x, (batch, frames, count * self.config.narrow))

    def _slow(self, pooled_BFD: Array) -> Array:
        """Means over `semantic_frames` frames, the last over what is there."""
        step, frames = self.config.semantic_frames, pooled_BFD.shape[1]
        starts = range(0, frames, step)
        return jnp.stack([pooled_BFD[:, s : s + step].mean(axis=1) for s in starts], axis=1)


def _tiles(x_BFPC: Array, side: int, step: int) -> Array:
    """[B,F,rows side,C] -> [B,F,tiles,step step C]: a grid `side` wide in square tiles."""
    batch, frames, count, channels = x_BFPC.shape
    rows = count // side // step
    x = reshape_rows(x_BFPC, (batch, frames, rows, step, side // step, step * channels))
    shape = (batch, frames, rows * (side // step), step * step * channels)
    return reshape_rows(jnp.swapaxes(x, 3, 4), shape)
