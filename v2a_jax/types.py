"""The pytrees that pass between rooms: what a batch, its conditions and an event are.

Time is in seconds everywhere; time 0 is the first video frame's presentation time.
Shape letters: B batch, F frames, H W pixels, N audio samples, C channels, L text tokens,
T audio latents, D width.
"""

import dataclasses
from typing import Any

import jax

Array = Any  # jax.Array or numpy.ndarray: batches exist on the host and on devices
Params = dict[str, Any]  # pure nested dict of arrays


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """One sounding event of a clip.

    `time` and `end` are seconds, `x` and `y` fractions of the frame, `strength` the impact speed or
    level (0..1), `f1` the lowest mode or the pitch in Hz, `note` which of several bars sounds (or
    -1). `onscreen` is false for sounds nothing visible makes.
    """

    time: float
    end: float
    kind: str
    material: str = ""
    strength: float = 1.0
    f1: float = 0.0
    x: float = 0.5
    y: float = 0.5
    onscreen: bool = True
    note: int = -1


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Batch:
    """Fixed-shape examples; a missing modality is zeros with its `has_` mask false.

    index              int32[B]      dataset index of the example (keys its randomness)
    audio              float32[B,N,C]
    video              uint8[B,F,H,W,3]
    degraded           uint8[B,F,H,W,3], or None when the loader is not asked for it
    caption            int32[B,L]    SentencePiece ids, 0 is padding
    transcript         int32[B,M]    UTF-8 bytes + 1, 0 is padding
    """

    index: Array
    audio: Array
    video: Array
    degraded: Array | None
    caption: Array
    transcript: Array
    has_audio: Array
    has_video: Array
    has_caption: Array
    has_transcript: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Conditions:
    """What steers the diffusion model, already encoded.

    sync        float[B,F,D]  one token a video frame, at `sync_rate` Hz from time 0
    semantic    float[B,S,D]  a few tokens of what is seen
    text        float[B,L,D]  caption tokens; text_mask bool[B,L]
    transcript  int32[B,M]    bytes + 1 of what is said, 0 is padding
    use_video, use_text, use_transcript  bool[B]: false where the condition is absent or dropped
    """

    sync: Array
    semantic: Array
    text: Array
    text_mask: Array
    transcript: Array
    use_video: Array
    use_text: Array
    use_transcript: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Encoded:
    """A batch as the diffusion model takes it: what the frozen parts make of a Batch.

    index       int32[B]       as in Batch
    latents     float[B,T,D]   normalised latents of the sound; nothing where `has_audio` is false
    given       Conditions
    """

    index: Array
    latents: Array
    given: Conditions
    has_audio: Array
