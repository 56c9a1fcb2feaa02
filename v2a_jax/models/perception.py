"""What trains the video tokenizer and the text encoder, and tells how well a sound suits a picture.

A tower over audio latents to contrast with, and heads: the latent and the small picture that a
frame's tokens predict. Losses are in `training/perception_stage.py`.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn import initializers

from v2a_jax.models.layers import (
    MLP,
    ConvNeXt,
    Linear,
    Stack,
    StackConfig,
    normalize,
    parameter,
)
from v2a_jax.types import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerceptionConfig:
    """`embedding` numbers are contrasted; the picture predicted has `picture` squared pixels."""

    embedding: int
    width: int
    blocks: int
    kernel: int
    picture: int
    stack: StackConfig


class AudioTower(nnx.Module):
    """Normalised latents [B,T,L] -> an embedding for each of them [B,T,E], and one a clip [B,E]."""

    def __init__(self, config: PerceptionConfig, latent: int, *, rngs: nnx.Rngs):
        c = config
        self.enter = Linear((latent,), (c.width,), axes=(None, "embed"), rngs=rngs)
        self.stack = Stack(
            lambda r: ConvNeXt(c.width, c.kernel, rngs=r), c.blocks, config=c.stack, rngs=rngs
        )
        self.local = Linear((c.width,), (c.embedding,), axes=("embed", None), rngs=rngs)
        self.whole = MLP(2 * c.width, c.width, out=c.embedding, rngs=rngs)

    def __call__(self, z_BTL: Array) -> tuple[Array, Array]:
        x_BTD = self.stack(self.enter(z_BTL))
        summary_BD = jnp.concatenate([x_BTD.mean(axis=1), x_BTD.max(axis=1)], axis=-1)
        return self.local(x_BTD), self.whole(summary_BD)


class Heads(nnx.Module):
    """Projections of sync tokens and of captions, and predictions from a frame's tokens."""

    def __init__(
        self, config: PerceptionConfig, video: int, text: int, latent: int, *, rngs: nnx.Rngs
    ):
        c = config
        axes = ("embed", None)
        self.sync = Linear((video,), (c.embedding,), axes=axes, rngs=rngs)
        self.text = Linear((text,), (c.embedding,), axes=axes, rngs=rngs)
        self.sound = Linear((video,), (latent,), axes=axes, rngs=rngs)
        self.picture = Linear((2 * video,), (c.picture**2 * 3,), axes=(None, None), rngs=rngs)
        self.log_scales = parameter(rngs, (2,), (None,), initializers.constant(2.0))

    def embed_sync(self, sync_BFD: Array) -> Array:
        """[B,F,E]."""
        return self.sync(sync_BFD)

    def embed_text(self, summary_BD: Array) -> Array:
        """[B,E]."""
        return self.text(summary_BD)

    def predict_sound(self, sync_BFD: Array) -> Array:
        """The normalised latent at each frame's time, [B,F,L]."""
        return self.sound(sync_BFD)

    def predict_picture(self, sync_BFD: Array, semantic_BFD: Array) -> Array:
        """Each frame at `picture` pixels a side, flattened, in -1..1."""
        return self.picture(jnp.concatenate([sync_BFD, semantic_BFD], axis=-1))

    def scales(self) -> Array:
        """Inverse temperatures of the two contrasts, at most 100."""
        return jnp.exp(jnp.minimum(self.log_scales[...], jnp.log(100.0)))


def unit(x: Array) -> Array:
    """Vectors of length 1, float32; zeros stay zeros."""
    return normalize(x) / jnp.sqrt(jnp.float32(x.shape[-1]))


def timing(seen_BFE: Array, heard_BFE: Array, scale: Array, shown_B: Array) -> Array:
    """How surely each frame's own time is told from the clip's other times, float32[B], below 0.

    The mean log-probability of the right time, of the sound given the picture and the reverse, over
    the first `shown` frames; where nothing changes it is that of a guess, -log(shown).
    """
    here_BF = jnp.arange(seen_BFE.shape[1]) < shown_B[:, None]
    logits_BFF = scale * jnp.einsum("bfe,bge->bfg", unit(seen_BFE), unit(heard_BFE))
    logits_BFF = jnp.where(here_BF[:, :, None] & here_BF[:, None, :], logits_BFF, -1e30)
    right_BF = sum(
        jnp.diagonal(jax.nn.log_softmax(logits_BFF, axis=axis), axis1=1, axis2=2) for axis in (1, 2)
    )
    return jnp.sum(jnp.where(here_BF, right_BF, 0), axis=1) / (2 * jnp.maximum(shown_B, 1))
