"""AudioDiT: the velocity of noisy audio latents, given time, video, caption and transcript.

Joint blocks, where audio, semantic video and caption tokens attend together, each stream with its
own weights; then audio-only blocks (the shape of MM-DiT and Flux). AdaLN from the time step; on the
audio stream the modulation is per token and carries the sync tokens and the transcript, so that
what is seen at time t speaks to the latent of time t.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn import initializers

from v2a_jax.config import require
from v2a_jax.models.attention import attend_jointly
from v2a_jax.models.layers import (
    MLP,
    QKV,
    Linear,
    Stack,
    StackConfig,
    depthwise,
    embedding_lookup,
    fourier,
    merge_heads,
    modulate,
    parameter,
)
from v2a_jax.models.timeline import Timeline
from v2a_jax.types import Array, Conditions

BYTES = 257  # UTF-8 bytes + 1; 0 is the filler that stretches a transcript over the audio


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiTConfig:
    """Sizes; `latent_rate` and `sync_rate` in Hz place the tokens in time."""

    latent: int
    latent_rate: float
    sync_rate: float
    semantic_frames: int
    video_width: int
    text_width: int
    width: int
    heads: int
    joint_blocks: int
    audio_blocks: int
    kernel: int
    stack: StackConfig

    def __post_init__(self) -> None:
        require(
            self.heads > 0 and self.width % (2 * self.heads) == 0,
            "dit.width must be dit.heads times an even number",
        )
        require(self.kernel % 2 == 1, "dit.kernel must be odd")


class Stream(nnx.Module):
    """One stream's half of a block: modulated attention inputs and outputs, modulated MLP."""

    def __init__(self, width: int, heads: int, *, rngs: nnx.Rngs):
        axes = ("embed", None, None)
        self.modulation = Linear((width,), (6, width), axes=axes, rngs=rngs, scale=0.0)
        self.qkv = QKV(width, heads, rngs=rngs)
        self.out = merge_heads(width, heads, rngs=rngs)
        self.mlp = MLP(width, 4 * width, rngs=rngs)

    def before(self, x_BTD: Array, c_BTD: Array, seconds_T: Array | None) -> tuple:
        """Queries, keys, values, and the six modulations ([B,T or 1,D] each)."""
        parts = jnp.unstack(self.modulation(jax.nn.silu(c_BTD)), axis=2)
        return self.qkv(modulate(x_BTD, parts[0], parts[1]), seconds_T), parts

    def after(self, x_BTD: Array, attended_BTNH: Array, parts: tuple) -> Array:
        """The stream after attention and MLP, both gated."""
        x_BTD = x_BTD + parts[2] * self.out(attended_BTNH)
        return x_BTD + parts[5] * self.mlp(modulate(x_BTD, parts[3], parts[4]))


class JointBlock(nnx.Module):
    """Audio, video and text attend together."""

    def __init__(self, width: int, heads: int, *, attention: str, rngs: nnx.Rngs):
        self.attention = attention
        self.streams = nnx.List(Stream(width, heads, rngs=rngs) for _ in range(3))

    def __call__(self, xs: tuple, cs: tuple, seconds: tuple, mask_BS: Array) -> tuple:
        prepared = [
            s.before(x, c, t) for s, x, c, t in zip(self.streams, xs, cs, seconds, strict=True)
        ]
        pieces = attend_jointly([p[0] for p in prepared], mask_BS, self.attention)
        return tuple(
            s.after(x, piece, p[1])
            for s, x, piece, p in zip(self.streams, xs, pieces, prepared, strict=True)
        )


class AudioBlock(nnx.Module):
    """Audio alone: local mixing by a depthwise convolution, attention, MLP."""

    def __init__(self, width: int, heads: int, kernel: int, *, attention: str, rngs: nnx.Rngs):
        self.attention = attention
        init = initializers.normal(0.1)
        self.taps = parameter(rngs, (kernel, width), (None, None), init)
        self.stream = Stream(width, heads, rngs=rngs)

    def __call__(self, x_BTD: Array, c_BTD: Array, audio: Timeline) -> Array:
        x_BTD = x_BTD + depthwise(audio.only(x_BTD), self.taps[...])
        qkv, parts = self.stream.before(x_BTD, c_BTD, audio.seconds_T)
        (attended,) = attend_jointly([qkv], audio.mask(x_BTD.shape[0]), self.attention)
        return self.stream.after(x_BTD, attended, parts)


class AudioDiT(nnx.Module):
    """(x[B,T,latent] at time t[B], Conditions) -> velocity float32[B,T,latent]."""

    def __init__(self, config: DiTConfig, *, rngs: nnx.Rngs):
        c = self.config = config
        small = initializers.normal(0.5)
        into = (None, "embed")
        self.enter = Linear((c.latent,), (c.width,), axes=into, rngs=rngs)
        self.time = MLP(256, c.width, out=c.width, rngs=rngs)
        self.sync = MLP(c.video_width, c.width, out=c.width, rngs=rngs)
        self.semantic = Linear((c.video_width,), (c.width,), axes=into, rngs=rngs)
        self.text = Linear((c.text_width,), (c.width,), axes=into, rngs=rngs)
        self.summary = MLP(2 * c.width, c.width, out=c.width, rngs=rngs)
        self.characters = parameter(rngs, (BYTES, c.width), (None, None), small)
        self.character_taps = parameter(rngs, (2, 7, c.width), (None, None, None), small)
        self.no_sync = parameter(rngs, (c.video_width,), (None,), small)
        self.no_semantic = parameter(rngs, (c.video_width,), (None,), small)
        self.no_text = parameter(rngs, (c.text_width,), (None,), small)
        self.joint = Stack(
            lambda r: JointBlock(c.width, c.heads, attention=c.stack.attention, rngs=r),
            c.joint_blocks,
            config=c.stack,
            rngs=rngs,
        )
        self.alone = Stack(
            lambda r: AudioBlock(c.width, c.heads, c.kernel, attention=c.stack.attention, rngs=r),
            c.audio_blocks,
            config=c.stack,
            rngs=rngs,
        )
        out = ("embed", None)
        self.final = Linear((c.width,), (2, c.width), axes=(*out, None), rngs=rngs, scale=0.0)
        self.leave = Linear((c.width,), (c.latent,), axes=out, rngs=rngs, scale=0.0)

    def __call__(self, x_BTL: Array, t_B: Array, given: Conditions) -> Array:
        audio = Timeline.of(x_BTL.shape[1], self.config.latent_rate)
        semantic_BSD, text_BLD, mask_BS, global_B1D = self._context(t_B, given, audio)
        local_BTD = global_B1D + self._along_audio(given, audio)
        count, frames = semantic_BSD.shape[1], self.config.semantic_frames
        semantic_seconds = (jnp.arange(count) + 0.5) * frames / self.config.sync_rate
        streams = (self.enter(audio.split(x_BTL)), semantic_BSD, text_BLD)
        streams = self.joint(
            streams,
            (local_BTD, global_B1D, global_B1D),
            (audio.seconds_T, semantic_seconds, None),
            mask_BS,
        )
        x_BTD = self.alone(streams[0], local_BTD, audio)
        shift, scale = jnp.unstack(self.final(jax.nn.silu(local_BTD)), axis=2)
        return audio.whole(self.leave(modulate(x_BTD, shift, scale))).astype(jnp.float32)

    def _context(self, t_B: Array, given: Conditions, audio: Timeline) -> tuple:
        """Video and text tokens, the mask of all keys, and the clip's condition [B,1,D]."""
        semantic = _or(given.use_video, given.semantic, self.no_semantic[...])
        text = _or(given.use_text, given.text, self.no_text[...])
        mask_BL = given.text_mask & given.use_text[:, None]
        mask_BL = mask_BL.at[:, 0].set(True)
        semantic_BSD, text_BLD = self.semantic(semantic), self.text(text)
        weight_BL1 = mask_BL[..., None].astype(text_BLD.dtype)
        mean_text_BD = (text_BLD * weight_BL1).sum(1) / weight_BL1.sum(1)
        summary_BD = self.summary(jnp.concatenate([semantic_BSD.mean(1), mean_text_BD], axis=-1))
        always = jnp.ones_like(mask_BL[:, :1])
        seen_BS = jnp.repeat(always, semantic_BSD.shape[1], axis=1)
        mask_BS = jnp.concatenate([always & audio.present_T, seen_BS, mask_BL], axis=1)
        return semantic_BSD, text_BLD, mask_BS, (self.time(fourier(t_B, 256)) + summary_BD)[:, None]

    def _along_audio(self, given: Conditions, audio: Timeline) -> Array:
        """What each latent's own time says: sync tokens and transcript, [B,T,D]."""
        sync = _or(given.use_video, given.sync, self.no_sync[...])
        weights_TF = linear_weights(audio.seconds_T, given.sync.shape[1], self.config.sync_rate)
        weights_TF = audio.spread(weights_TF, axis=0)
        sync_BTD = jnp.einsum("tf,bfd->btd", weights_TF.astype(sync.dtype), self.sync(sync))
        ids_BT = stretch(given.transcript * given.use_transcript[:, None], audio.length)
        x_BTD = embedding_lookup(self.characters[...], audio.split(ids_BT))
        for taps in self.character_taps[...]:
            x_BTD = x_BTD + jax.nn.gelu(depthwise(audio.only(x_BTD), taps))
        return sync_BTD + jnp.where(given.use_transcript[:, None, None], x_BTD, 0)


def _or(use_B: Array, given_BTD: Array, otherwise_D: Array) -> Array:
    """The condition where it is used, the learned absence elsewhere."""
    return jnp.where(use_B[:, None, None], given_BTD.astype(otherwise_D.dtype), otherwise_D)


def linear_weights(seconds_T: Array, frames: int, rate: float) -> Array:
    """[T, frames]: linear interpolation at `seconds_T` of samples taken at k / rate."""
    place_T = jnp.clip(seconds_T * rate, 0, frames - 1)
    return jnp.maximum(0, 1 - jnp.abs(place_T[:, None] - jnp.arange(frames)))


def stretch(ids_BM: Array, length: int) -> Array:
    """Ids spread evenly over `length` places, the filler 0 between them (as F5-TTS pads)."""
    size_B = jnp.maximum((ids_BM != 0).sum(axis=1), 1)
    place_T = jnp.arange(length)
    index_BT = place_T[None] * size_B[:, None] // length
    before_BT = (place_T[None] - 1) * size_B[:, None] // length
    hit_BTM = index_BT[..., None] == jnp.arange(ids_BM.shape[1])
    chosen_BT = jnp.where(hit_BTM, ids_BM[:, None, :], 0).sum(-1)
    return jnp.where((index_BT != before_BT) | (place_T == 0)[None], chosen_BT, 0)
