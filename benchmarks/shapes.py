"""The shapes at which both frameworks run, as a config of this project and a batch of numbers."""

import dataclasses

import numpy as np
from ml_collections import ConfigDict

from configs import base
from v2a_jax.types import Conditions, Encoded

LATENT_SAMPLES = 512  # audio samples of a latent, of which there are 31.25 in a second
PLACES = 192  # bytes of a transcript


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """`latents` of `channels` numbers over `seconds`, with `seen` video and `read` text tokens."""

    seconds: float = 8.0
    latents: int = 250
    channels: int = 20
    seen: int = 64
    read: int = 77
    width: int = 448
    heads: int = 7
    joint_blocks: int = 4
    audio_blocks: int = 8


def config_of(shape: Shape, *, dtype: str, remat: str, unroll: bool) -> ConfigDict:
    """The diffusion stage at these shapes; every video frame is one sync and one semantic token."""
    config = base.get_config("diffusion")
    rate = round(shape.latents * LATENT_SAMPLES / shape.seconds)
    hop = dict(sample_rate=rate, hop=LATENT_SAMPLES // 4, stride=4, latent=shape.channels)
    seen = dict(fps=round(shape.seen / shape.seconds), semantic_frames=1, width=shape.width)
    sizes = dict(joint_blocks=shape.joint_blocks, audio_blocks=shape.audio_blocks)
    config.update(
        dtype=dtype,
        model=dict(
            stack=dict(remat=remat, unroll=unroll),
            codec=hop,
            video=seen | dict(heads=shape.heads),
            text=dict(length=shape.read, width=shape.width, heads=shape.heads),
            dit=dict(width=shape.width, heads=shape.heads, **sizes),
        ),
        data=dict(loader=dict(seconds=shape.seconds, transcript_length=PLACES)),
        sampler=dict(buckets=(shape.seconds,)),
    )
    return config


def batch_of(shape: Shape, rows: int, seed: int = 0) -> Encoded:
    """Random examples that have everything; texts and transcripts end in padding."""
    rng = np.random.default_rng(seed)

    def tokens(count: int, width: int = shape.width) -> np.ndarray:
        return rng.standard_normal((rows, count, width), np.float32)

    spoken = rng.integers(1, 257, (rows, PLACES), np.int32)
    spoken *= np.arange(PLACES) < rng.integers(1, PLACES, (rows, 1))
    every = np.ones(rows, bool)
    return Encoded(
        index=np.arange(rows, dtype=np.int32),
        latents=tokens(shape.latents, shape.channels),
        given=Conditions(
            sync=tokens(shape.seen),
            semantic=tokens(shape.seen),
            text=tokens(shape.read),
            text_mask=np.arange(shape.read) < rng.integers(1, shape.read, (rows, 1)),
            transcript=spoken,
            use_video=every,
            use_text=every,
            use_transcript=every,
        ),
        has_audio=every,
    )
