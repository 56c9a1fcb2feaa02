"""Pictures on a regular grid: frame k is the one whose presentation time is nearest to k / fps.

Time 0 is the first frame's presentation time. A video of `duration` seconds gives
F = max(1, round(duration fps)) pictures: those whose slot is at least half inside it. A part from
`start` on, `seconds` long, is made of the grid's pictures round(start fps) to
round((start + seconds) fps) - 1, whatever of the file is read for them.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from av.frame import Frame
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from v2a_jax.errors import UserError
from v2a_jax.media.picture import geometry, render
from v2a_jax.media.probe import MediaInfo
from v2a_jax.media.source import MediaLimits, frames_from, require_video


class Timed(NamedTuple):
    """A decoded frame and when it is shown, in seconds from time 0."""

    time: float
    frame: VideoFrame


def grid_length(info: MediaInfo, fps: float) -> int:
    """How many pictures of the grid a video fills."""
    return max(1, round(info.duration * fps))


def grid_part(info: MediaInfo, fps: float, start: float, seconds: float | None) -> range:
    """The pictures of the grid from `start` on, `seconds` long or up to the end: may be none."""
    count = grid_length(info, fps)
    first = min(round(start * fps), count)
    return range(first, count if seconds is None else min(round((start + seconds) * fps), count))


def pictures(
    path: str | os.PathLike,
    info: MediaInfo,
    *,
    fps: float,
    size: int | None,
    part: range,
    limits: MediaLimits,
) -> Iterator[np.ndarray]:
    """The pictures `part` of the grid, one by one: uint8[H,W,3], not to be written to.

    Only what lies between the keyframe before the part and its end is decoded.
    """
    time = info.start + part.start / fps if part.start else None
    with frames_from(path, lambda container: require_video(container, path), time, limits) as found:
        stream, frames = found
        chosen, shape, picture, scaler = None, None, None, VideoReformatter()
        for frame in _nearest(_timed(frames, info), fps=fps, part=part, path=path):
            if shape is None:
                aspect = stream.sample_aspect_ratio
                shape = geometry(frame, aspect, size=size, max_pixels=limits.max_pixels, path=path)
            if frame is not chosen:
                chosen, picture = frame, render(frame, shape, scaler=scaler, path=path)
                picture.flags.writeable = False
            yield picture


def _timed(frames: Iterator[Frame], info: MediaInfo) -> Iterator[Timed]:
    """Frames with their times; one without a timestamp follows the last at the average rate."""
    time = -1 / info.rate
    for frame in frames:
        time = time + 1 / info.rate if frame.pts is None else frame.time - info.start
        yield Timed(time, frame)


def _nearest(
    frames: Iterator[Timed], *, fps: float, part: range, path: str | os.PathLike
) -> Iterator[VideoFrame]:
    """For each k of the part, the frame nearest to k / fps."""
    current, following = next(frames, None), next(frames, None)
    if current is None:
        raise UserError(f"{path}: no frame of its video can be decoded")
    for k in part:
        while following is not None and current.time + following.time <= 2 * k / fps:
            current, following = following, next(frames, None)
        yield current.frame
