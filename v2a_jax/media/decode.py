"""Clips: pictures and sound of a file on one clock, which starts at the first video frame.

The two are of the same length: F = round(duration fps) pictures and N = round(F sample_rate / fps)
samples, whatever the file's own rates are.
"""

import dataclasses
import os

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.media.audio import clip_audio
from v2a_jax.media.probe import MediaInfo, probe
from v2a_jax.media.source import LIMITS, MediaLimits
from v2a_jax.media.video import frames_on_grid, grid_length


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clip:
    """frames uint8[F,H,W,3] at `fps`; audio float32[N,C] at `sample_rate`, None where none is."""

    frames: np.ndarray
    fps: float
    audio: np.ndarray | None
    sample_rate: int
    info: MediaInfo


def read_clip(
    path: str | os.PathLike,
    *,
    fps: float,
    sample_rate: int,
    size: int | None = None,
    limits: MediaLimits = LIMITS,
) -> Clip:
    """A whole video in memory.

    Frame k is the picture nearest to time k / fps; sample n is heard at n / sample_rate. Audio that
    starts late or ends early is filled up with zeros. With `size`, H = W = size: the shorter side
    is scaled to it and the centre kept; without it pictures have the size they are shown at.
    UserError, in one line, for whatever is wrong with the file.
    """
    info = probe(path, limits=limits)
    count = grid_length(info, fps)
    shape = (size, size) if size else (info.height, info.width)
    needed = count * shape[0] * shape[1] * 3
    if needed > limits.max_decoded_bytes:
        raise UserError(
            f"{path}: {count} pictures of {shape[1]}x{shape[0]} need {needed} bytes, over the limit"
            f" of {limits.max_decoded_bytes}"
        )
    frames_FHWC = np.empty((count, *shape, 3), np.uint8)
    for k, picture in enumerate(frames_on_grid(path, info, fps=fps, size=size, limits=limits)):
        frames_FHWC[k] = picture
    audio_NC = None
    if info.has_audio:
        samples = round(count * sample_rate / fps)
        audio_NC = clip_audio(path, info, samples=samples, sample_rate=sample_rate, limits=limits)
    return Clip(frames=frames_FHWC, fps=fps, audio=audio_NC, sample_rate=sample_rate, info=info)
