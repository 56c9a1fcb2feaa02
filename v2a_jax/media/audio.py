"""Sound on the common clock: sample n is what is heard at time n / sample_rate.

Decoded blocks carry presentation times. Blocks that follow one another within GAP_SECONDS are one
run, resampled as a whole; a run begins at round(time sample_rate). Between runs there are zeros,
and what lies before time 0 or under an earlier run is cut.
"""

import math
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.stream import Stream

from v2a_jax.errors import UserError
from v2a_jax.media.probe import FALLBACK_RATE, MediaInfo, video_span
from v2a_jax.media.source import (
    MediaLimits,
    audio_stream,
    decoded,
    open_source,
    packets,
    video_stream,
)

GAP_SECONDS = 0.010  # containers round times to 1 ms; a lost packet is more than this
RATES = range(1000, 768_001)
MAX_CHANNELS = 64


class Block(NamedTuple):
    """Samples float32[n,C] at `rate` Hz, heard from `time` (container's clock, seconds) on."""

    time: float
    rate: int
    samples_NC: np.ndarray


def read_audio(
    path: str | os.PathLike, *, sample_rate: int | None, limits: MediaLimits
) -> tuple[np.ndarray, int]:
    """The whole audio of a video or audio file: (float32[N,C], its rate in Hz).

    Time 0 is the first video frame where there is video, else the first sample. `sample_rate`
    None keeps the file's own. UserError when there is no audio that can be decoded.
    """
    pieces, total = [], 0
    rate = sample_rate or audio_rate(path, limits=limits)
    for piece_NC in iter_audio(path, sample_rate=rate, limits=limits):
        total += piece_NC.nbytes
        if total > limits.max_decoded_bytes:
            raise UserError(
                f"{path}: its audio is over the limit of {limits.max_decoded_bytes} bytes"
            )
        pieces.append(piece_NC)
    if not pieces:
        raise UserError(f"{path}: none of its audio can be decoded")
    return np.concatenate(pieces), rate


def audio_rate(path: str | os.PathLike, *, limits: MediaLimits) -> int:
    """The file's own sample rate in Hz; UserError when it has no audio that can be decoded."""
    with open_source(path, limits) as container:
        return _require_audio(container, path).rate


def iter_audio(
    path: str | os.PathLike, *, sample_rate: int, limits: MediaLimits
) -> Iterator[np.ndarray]:
    """As `read_audio`, in consecutive blocks float32[n,C] of at most a few seconds."""
    origin = _video_start(path, limits)
    with open_source(path, limits) as container:
        blocks = _blocks(container, _require_audio(container, path))
        yield from on_clock(
            blocks, sample_rate=sample_rate, origin=origin, path=path, limits=limits
        )


def clip_audio(
    path: str | os.PathLike,
    info: MediaInfo,
    *,
    samples: int,
    sample_rate: int,
    limits: MediaLimits,
) -> np.ndarray | None:
    """The first `samples` samples of a probed video, float32[samples,C]; None if none decodes."""
    audio_NC, written = None, 0
    with open_source(path, limits) as container:
        blocks = _blocks(container, _require_audio(container, path))
        for piece_NC in on_clock(
            blocks, sample_rate=sample_rate, origin=info.start, path=path, limits=limits
        ):
            if audio_NC is None:
                audio_NC = np.zeros((samples, piece_NC.shape[1]), np.float32)
            piece_NC = piece_NC[: samples - written]
            audio_NC[written : written + len(piece_NC)] = piece_NC
            written += len(piece_NC)
            if written == samples:
                break
    return audio_NC


def on_clock(
    blocks: Iterator[Block],
    *,
    sample_rate: int,
    origin: float | None,
    path: str | os.PathLike,
    limits: MediaLimits,
) -> Iterator[np.ndarray]:
    """Consecutive samples from `origin` on (None: from the first block on)."""
    written = 0
    for position, samples_NC in _resampled(blocks, sample_rate, origin, path):
        if position + len(samples_NC) > limits.max_seconds * sample_rate:
            raise UserError(f"{path}: its audio is over the limit of {limits.max_seconds:.1f} s")
        while position > written:
            silent = min(position - written, sample_rate)
            yield np.zeros((silent, samples_NC.shape[1]), np.float32)
            written += silent
        fresh_NC = samples_NC[written - position :]
        if len(fresh_NC):
            yield fresh_NC
            written += len(fresh_NC)


def _resampled(
    blocks: Iterator[Block], sample_rate: int, origin: float | None, path: str | os.PathLike
) -> Iterator[tuple[int, np.ndarray]]:
    """(index on the output clock, samples): one resampler a run."""
    convert, position, rate, expected, channels = None, 0, 0, math.inf, None
    for time, block_rate, samples_NC in blocks:
        channels = channels or samples_NC.shape[1]
        samples_NC = _with_channels(samples_NC, channels)
        if block_rate != rate or abs(time - expected) > GAP_SECONDS:
            if convert is not None:
                yield position, convert(samples_NC[:0], last=True)
            origin = time if origin is None else origin
            convert = _resampler(block_rate, sample_rate, channels, path)
            position, rate, expected = round((time - origin) * sample_rate), block_rate, time
        piece_NC = convert(samples_NC, last=False)
        yield position, piece_NC
        position += len(piece_NC)
        expected += len(samples_NC) / rate
    if convert is not None:
        yield position, convert(np.zeros((0, channels), np.float32), last=True)


def _resampler(
    rate: int, sample_rate: int, channels: int, path: str | os.PathLike
) -> Callable[..., np.ndarray]:
    """convert(samples, last=..) of one run: band-limited, without delay."""
    if rate not in RATES or channels > MAX_CHANNELS:
        raise UserError(f"{path}: audio of {channels} channels at {rate} Hz is not supported")
    if rate == sample_rate:
        return lambda samples_NC, last: samples_NC
    return soxr.ResampleStream(rate, sample_rate, channels, dtype="float32").resample_chunk


def _with_channels(samples_NC: np.ndarray, channels: int) -> np.ndarray:
    """Where a stream changes its layout midway, the mix of the new channels in each old one."""
    if samples_NC.shape[1] == channels:
        return samples_NC
    return np.repeat(samples_NC.mean(axis=1, keepdims=True), channels, axis=1)


def _blocks(container: InputContainer, stream: Stream) -> Iterator[Block]:
    """Decoded blocks; the last one is cut to the duration that its packet claims."""
    time, held = 0.0, None
    for frame in decoded(container, stream):
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
    try:
        data = frame.to_ndarray()
    except ValueError as error:
        raise UserError(f"audio samples of format {frame.format.name} are not supported") from error
    data = data.T if frame.format.is_planar else data.reshape(-1, frame.layout.nb_channels)
    if data.dtype == np.uint8:
        return (data.astype(np.float32) - 128) / 128
    if data.dtype.kind == "i":
        return (data / -float(np.iinfo(data.dtype).min)).astype(np.float32)
    return np.ascontiguousarray(data, np.float32)


def _require_audio(container: InputContainer, path: str | os.PathLike) -> Stream:
    stream = audio_stream(container)
    if stream is None:
        raise UserError(f"{path}: holds no audio that can be decoded")
    return stream


def _video_start(path: str | os.PathLike, limits: MediaLimits) -> float | None:
    """When the first video frame is shown on the container's clock; None where there is none."""
    with open_source(path, limits) as container:
        stream = video_stream(container)
        if stream is None:
            return None
        rate = stream.average_rate or FALLBACK_RATE
        span = video_span(packets(container, stream), rate=rate)
        return float(span.start) if span else None
