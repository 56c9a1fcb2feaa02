"""Cutting clips into windows on the frame grid, and telling which of them are of no use."""

import dataclasses
import math

import numpy as np

from data_pipelines.prepare.config import PrepareConfig
from data_pipelines.sources import SourceClip
from v2a_jax.types import Event

_EPSILON = 1e-6
_SHORTFALL = 0.5  # seconds that a whole video may lack of a part's end


@dataclasses.dataclass(frozen=True, kw_only=True)
class Window:
    """`frames` frames from `start` (seconds of the media) on, `offset` seconds into the clip."""

    start: float
    offset: float
    frames: int


def cut(clip: SourceClip, duration: float, config: PrepareConfig) -> list[Window]:
    """Windows of the clip, from its beginning on; the last may be shorter than the rest.

    Windows below `min_seconds` are among them: dropping is for the caller to tell.
    """
    begin, end = _part(clip, duration)
    windows, count = [], 0
    while (place := begin + count * config.stride) < end - _EPSILON or count == 0:
        start = round(place * config.fps) / config.fps
        left = math.floor((end - start) * config.fps + _EPSILON)
        frames = max(0, min(config.frames, left))
        windows.append(Window(start=start, offset=start - begin, frames=frames))
        if frames < config.frames or left == config.frames:
            break
        count += 1
    return windows


def _part(clip: SourceClip, duration: float) -> tuple[float, float]:
    """The clip's part of the media: all of a file that ends too early to have been cut from."""
    if clip.end is None:
        return min(clip.start, duration), duration
    if clip.end > duration + _SHORTFALL:
        return 0.0, duration
    return clip.start, min(clip.end, duration)


def events_in(clip: SourceClip, window: Window, seconds: float) -> tuple[Event, ...]:
    """Events that sound within a window, in its time."""
    moved = (
        dataclasses.replace(event, time=event.time - window.offset, end=event.end - window.offset)
        for event in clip.events
    )
    return tuple(
        dataclasses.replace(event, time=max(event.time, 0.0), end=min(event.end, seconds))
        for event in moved
        if event.time < seconds and (event.time >= 0 or event.end > 0)
    )


def words_in(
    clip: SourceClip, window: Window, seconds: float
) -> tuple[tuple[str, float, float], ...]:
    """Words whose middle lies within a window, in its time."""
    moved = ((word, a - window.offset, b - window.offset) for word, a, b in clip.words)
    return tuple(
        (word, round(max(a, 0.0), 4), round(min(b, seconds), 4))
        for word, a, b in moved
        if 0 <= (a + b) / 2 < seconds
    )


def useless(
    video_FHWC: np.ndarray | None, audio_NC: np.ndarray | None, config: PrepareConfig
) -> str:
    """Why the filters drop a window; '' when they do not. A modality it lacks is no reason."""
    if "silent" in config.filters and audio_NC is not None and _silent(audio_NC, config):
        return "silent"
    if "still" in config.filters and video_FHWC is not None and _still(video_FHWC, config):
        return "still"
    return ""


def _silent(audio_NC: np.ndarray, config: PrepareConfig) -> bool:
    peak = float(np.abs(audio_NC).max(initial=0.0))
    return peak <= 10 ** (config.silence_db / 20)


def _still(video_FHWC: np.ndarray, config: PrepareConfig) -> bool:
    """Stops at the first frame that differs from the first one."""
    first_HWC = video_FHWC[0].astype(np.int16)
    return len(video_FHWC) > 1 and all(
        int(np.abs(frame_HWC - first_HWC).max()) <= config.stillness for frame_HWC in video_FHWC[1:]
    )
