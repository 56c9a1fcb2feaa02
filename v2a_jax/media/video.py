"""Pictures on a regular grid: frame k is the one whose presentation time is nearest to k / fps.

Time 0 is the first frame's presentation time. A video of `duration` seconds gives
F = max(1, round(duration fps)) pictures: those whose slot is at least half inside it.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame

from v2a_jax.errors import UserError
from v2a_jax.media.picture import geometry, render
from v2a_jax.media.probe import MediaInfo, probe
from v2a_jax.media.source import MediaLimits, decoded, open_source, require_video


class Timed(NamedTuple):
    """A decoded frame and when it is shown, in seconds from time 0."""

    time: float
    frame: VideoFrame


def iter_frames(
    path: str | os.PathLike, *, fps: float, size: int | None, limits: MediaLimits
) -> Iterator[np.ndarray]:
    """Pictures of a video one by one, in constant memory: uint8[H,W,3], not to be written to.

    With `size`, H = W = size: the shorter side is scaled and the centre kept; without it they are
    those of the picture as it is shown. UserError when the file cannot be shown.
    """
    info = probe(path, limits=limits)
    return frames_on_grid(path, info, fps=fps, size=size, limits=limits)


def grid_length(info: MediaInfo, fps: float) -> int:
    """How many pictures of the grid a video fills."""
    return max(1, round(info.duration * fps))


def frames_on_grid(
    path: str | os.PathLike,
    info: MediaInfo,
    *,
    fps: float,
    size: int | None,
    limits: MediaLimits,
) -> Iterator[np.ndarray]:
    """As `iter_frames`, for a file already probed."""
    with open_source(path, limits) as container:
        stream = require_video(container, path)
        frames = _timed(container, stream, info)
        chosen, shape, picture = None, None, None
        for frame in _nearest(frames, fps=fps, count=grid_length(info, fps), path=path):
            if shape is None:
                aspect = stream.sample_aspect_ratio
                shape = geometry(frame, aspect, size=size, max_pixels=limits.max_pixels, path=path)
            if frame is not chosen:
                chosen, picture = frame, render(frame, shape)
                picture.flags.writeable = False
            yield picture


def _timed(container: InputContainer, stream: Stream, info: MediaInfo) -> Iterator[Timed]:
    """Frames with their times; one without a timestamp follows the last at the average rate."""
    time = -1 / info.rate
    for frame in decoded(container, stream):
        time = time + 1 / info.rate if frame.pts is None else frame.time - info.start
        yield Timed(time, frame)


def _nearest(
    frames: Iterator[Timed], *, fps: float, count: int, path: str | os.PathLike
) -> Iterator[VideoFrame]:
    """For each k < count, the frame nearest to k / fps."""
    current, following = next(frames, None), next(frames, None)
    if current is None:
        raise UserError(f"{path}: no frame of its video can be decoded")
    for k in range(count):
        while following is not None and current.time + following.time <= 2 * k / fps:
            current, following = following, next(frames, None)
        yield current.frame
