"""Decoding the sound of a file: blocks with their times, then a stream on the common clock."""

import contextlib
import dataclasses
import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from av.audio.frame import AudioFrame, format_dtypes
from av.audio.plane import AudioPlane
from av.container import InputContainer
from av.frame import Frame
from av.stream import Stream

from v2a_jax.errors import UserError
from v2a_jax.media.clock import Block, aligned, on_clock
from v2a_jax.media.downmix import mixed, stretch
from v2a_jax.media.probe import FALLBACK_RATE, video_span
from v2a_jax.media.source import (
    MediaLimits,
    audio_streams,
    frames_from,
    open_source,
    packets,
    video_stream,
)

# Decoded before a part that begins in the middle: decoders, resampler and mix remember the past.
PREROLL_SECONDS = 3.0
MAX_REORDERED = 64  # packets among which that of the first picture is


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sound:
    """Sound that streams: consecutive blocks float32[n,C] at `rate` Hz, to be taken once.

    layout  FFmpeg's name of where the C channels are heard; None for the usual places
    start   when time 0 is, in seconds on the container's own clock
    """

    blocks: Iterable[np.ndarray]
    rate: int
    channels: int
    layout: str | None
    start: float


@contextlib.contextmanager
def heard(
    path: str | os.PathLike,
    *,
    sample_rate: int | None,
    channels: int | None,
    origin: float | None,
    start: float,
    end: float | None,
    limits: MediaLimits,
    track: int = 0,
) -> Iterator[Sound | None]:
    """The sound from `start` to `end` seconds (None: its end); None when nothing decodes.

    `track` counts the streams that can be decoded, 0 being the main one.

    Time 0 is `origin` on the container's clock, None for the first sample that can be written
    again. Sample rate and channels, 1 or 2, are the file's own where they are None.
    """
    with contextlib.ExitStack() as opened:
        stream, frames = opened.enter_context(frames_from(path, _chosen(path, track), None, limits))
        blocks = _blocks(frames)
        first = next(blocks, None)
        if first is None:
            yield None
            return
        origin = _earliest(stream, first) if origin is None else origin
        rate, time = sample_rate or first.rate, origin + start - PREROLL_SECONDS
        blocks = itertools.chain([first], blocks)
        if start > PREROLL_SECONDS and time > first.time:
            blocks = opened.enter_context(_later(path, track, first, time, rate, limits))
        begin = max(0, round(start * rate) // stretch(rate) - 1) * stretch(rate)
        pieces = on_clock(blocks, rate, origin, begin=begin, path=path, limits=limits)
        layout = _layout(stream)
        if channels and (channels, first.samples_NC.shape[1]) != (1, 1):  # mono is mixed already
            pieces = mixed(pieces, layout=layout, channels=channels, sample_rate=rate)
        last = None if end is None else round(end * rate)
        yield Sound(
            blocks=_part(pieces, begin, round(start * rate), last),
            rate=rate,
            channels=channels or first.samples_NC.shape[1],
            layout=None if channels else layout,
            start=origin,
        )


@contextlib.contextmanager
def _later(
    path: str | os.PathLike,
    track: int,
    first: Block,
    time: float,
    sample_rate: int,
    limits: MediaLimits,
) -> Iterator[Iterator[Block]]:
    """The blocks from about `time` on, counted from the first of all."""
    with frames_from(path, _chosen(path, track), time, limits) as (stream, frames):
        tick = float(stream.time_base)
        yield aligned(_blocks(frames), first, tick=tick, sample_rate=sample_rate)


def _earliest(stream: Stream, first: Block) -> float:
    """When the first sample is heard; with video none before the container's own 0 can be kept."""
    return first.time if video_stream(stream.container) is None else max(first.time, 0.0)


def video_start(path: str | os.PathLike, *, limits: MediaLimits) -> float | None:
    """When the first video frame is shown on the container's clock; None where there is none."""
    with open_source(path, limits) as container:
        stream = video_stream(container)
        if stream is None:
            return None
        rate = stream.average_rate or FALLBACK_RATE
        shown = (packet for packet in packets(container, stream) if not packet.is_discard)
        span = video_span(itertools.islice(shown, MAX_REORDERED), rate=rate)
        return float(span.start) if span else None


def _part(
    pieces: Iterable[np.ndarray], position: int, begin: int, end: int | None
) -> Iterator[np.ndarray]:
    """Of consecutive samples, the first numbered `position`, those from `begin` to `end`."""
    for piece_NC in pieces:
        kept_NC = piece_NC[max(0, begin - position) :]
        position += len(piece_NC)
        if end is not None and position >= end:
            yield kept_NC[: max(0, len(kept_NC) - (position - end))]
            return
        if len(kept_NC):
            yield kept_NC


def _blocks(frames: Iterator[Frame]) -> Iterator[Block]:
    """Decoded blocks; the last one is cut to the duration that its packet claims."""
    time, held = 0.0, None
    for frame in frames:
        if held is not None:
            yield held[0]
        time = time if frame.pts is None else frame.time
        held = Block(time, frame.sample_rate, _samples(frame)), frame
        time += frame.samples / max(frame.sample_rate, 1)
    if held is not None:
        block, frame = held
        yield block._replace(samples_NC=block.samples_NC[: _claimed(frame)])


def _claimed(frame: AudioFrame) -> int:
    """Samples that the frame's duration speaks of: encoders fill up their last frame."""
    tick = float(frame.time_base) * frame.sample_rate
    if not frame.duration:
        return frame.samples
    slack = 0 if tick <= 1 else 1  # a coarse clock rounds the duration
    return math.ceil(round((frame.duration + slack) * tick, 3))


def _samples(frame: AudioFrame) -> np.ndarray:
    """float32[n,C]: integers are scaled to [-1, 1)."""
    if frame.format.name not in format_dtypes:
        raise UserError(f"audio samples of format {frame.format.name} are not supported")
    dtype, channels = np.dtype(format_dtypes[frame.format.name]), frame.layout.nb_channels
    # Not frame.to_ndarray, which takes what follows the eighth plane in memory for a ninth one.
    if channels == 1:
        data = np.frombuffer(AudioPlane(frame, 0), dtype, frame.samples)[:, None]
    elif frame.format.is_planar:
        planes = [AudioPlane(frame, index) for index in range(channels)]
        data = np.stack([np.frombuffer(plane, dtype, frame.samples) for plane in planes], axis=1)
    else:
        data = np.frombuffer(AudioPlane(frame, 0), dtype, frame.samples * channels)
        data = data.reshape(-1, channels)
    if data.dtype == np.uint8:
        return (data.astype(np.float32) - 128) / 128
    if data.dtype.kind == "i":
        return (data / -float(np.iinfo(data.dtype).min)).astype(np.float32)
    return np.ascontiguousarray(data, np.float32)


def tracks(path: str | os.PathLike, *, limits: MediaLimits) -> int:
    """How many audio streams can be decoded."""
    with open_source(path, limits) as container:
        return len(audio_streams(container))


def _chosen(path: str | os.PathLike, track: int) -> Callable[[InputContainer], Stream]:
    """Chooses the audio stream; UserError when there is none that can be decoded."""

    def choose(container: InputContainer) -> Stream:
        streams = audio_streams(container)
        if track >= len(streams):
            raise UserError(f"{path}: holds no audio that can be decoded")
        return streams[track]

    return choose


def _layout(stream: Stream) -> str | None:
    """The layout's name; what FFmpeg calls `6 channels` says nothing of where they are heard."""
    return None if stream.layout.name.endswith(" channels") else stream.layout.name
