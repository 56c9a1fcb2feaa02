"""Windows of clips, on the frame grid and within shots; and which of them are of no use."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from data_pipelines.prepare.config import PrepareConfig
from data_pipelines.sources import SourceClip
from v2a_jax.types import Event

_EPSILON = 1e-6
_SHORTFALL = 0.5  # seconds by which a file's length may differ from what was asked of it


@dataclasses.dataclass(frozen=True, kw_only=True)
class Window:
    """`frames` frames from `start` (seconds of the media) on, `offset` seconds into the clip.

    `whole`: it holds all of the clip.
    """

    start: float
    offset: float
    frames: int
    whole: bool


def cut(
    clip: SourceClip, duration: float, config: PrepareConfig, changes: Sequence[float] = ()
) -> list[Window]:
    """Windows of the clip's shots, from each one's beginning on; the last may be shorter.

    `changes` are times of the media at which a shot begins, ascending; without them the clip is
    one. Windows below `min_seconds` are among them: dropping is for the caller to tell.
    """
    begin, end = part(clip, duration)
    first = _on_grid(begin, config)
    total = math.floor((end - first) * config.fps + _EPSILON)
    inner = sorted({_on_grid(time, config) for time in changes})
    edges = [begin, *(time for time in inner if first < time < end), end]
    return [
        Window(start=start, offset=start - begin, frames=frames, whole=frames >= total)
        for shot in itertools.pairwise(edges)
        for start, frames in _within(shot, config)
    ]


def _on_grid(time: float, config: PrepareConfig) -> float:
    """The time of the nearest frame, of two as near the later: a step of one never stays."""
    return math.floor(time * config.fps + 0.5 + _EPSILON) / config.fps


def _within(shot: tuple[float, float], config: PrepareConfig) -> Iterator[tuple[float, int]]:
    """Start and frames of each window of a shot: at least one, though it may have no frame."""
    begin, end = shot
    for count in itertools.count():
        start = _on_grid(begin + count * config.stride, config)
        left = math.floor((end - start) * config.fps + _EPSILON)
        if count and left <= 0:
            return
        yield start, max(0, min(config.frames, left))
        if left <= config.frames:
            return


def part(clip: SourceClip, duration: float) -> tuple[float, float]:
    """Seconds of the media at which the clip begins and ends.

    A file that ends before the clip does, and is no longer than it, is the clip, already cut.
    """
    end = duration if clip.end is None else clip.end
    if duration + _SHORTFALL < end and duration <= end - clip.start + _SHORTFALL:
        return 0.0, duration
    return min(clip.start, duration), min(end, duration)


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
