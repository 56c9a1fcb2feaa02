"""Sound on the common clock: sample n is what is heard at time n / sample_rate.

Decoded blocks carry presentation times. Blocks that follow one another within GAP_SECONDS are one
run, resampled as a whole; a run begins at round(time sample_rate). Between runs there are zeros,
and what lies before time 0 or under an earlier run is cut.
"""

import itertools
import math
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import soxr

from v2a_jax.errors import UserError
from v2a_jax.media.source import MediaLimits

GAP_SECONDS = 0.010  # containers round times to 1 ms; a lost packet is more than this
RATES = range(1000, 768_001)
MAX_CHANNELS = 64


class Block(NamedTuple):
    """Samples float32[n,C] at `rate` Hz, heard from `time` (container's clock, seconds) on."""

    time: float
    rate: int
    samples_NC: np.ndarray


def on_clock(
    blocks: Iterator[Block],
    sample_rate: int,
    origin: float,
    *,
    begin: int,
    path: str | os.PathLike,
    limits: MediaLimits,
) -> Iterator[np.ndarray]:
    """Consecutive samples from the one numbered `begin` on; sample 0 is heard at `origin`."""
    written = begin
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
    blocks: Iterator[Block], sample_rate: int, origin: float, path: str | os.PathLike
) -> Iterator[tuple[int, np.ndarray]]:
    """(index on the output clock, samples): one resampler a run."""
    convert, position, rate, expected, channels = None, 0, 0, math.inf, None
    for time, block_rate, samples_NC in blocks:
        if not np.isfinite(samples_NC).all():
            raise UserError(f"{path}: its audio has samples that are not finite numbers")
        channels = channels or samples_NC.shape[1]
        samples_NC = _with_channels(samples_NC, channels)
        if block_rate != rate or abs(time - expected) > GAP_SECONDS:
            if convert is not None:
                yield position, convert(samples_NC[:0], last=True)
            if block_rate not in RATES or channels > MAX_CHANNELS:
                raise UserError(
                    f"{path}: audio of {channels} channels at {block_rate} Hz is not supported"
                )
            convert = resampler(block_rate, sample_rate, channels)
            position, rate, expected = round((time - origin) * sample_rate), block_rate, time
        piece_NC = convert(samples_NC, last=False)
        yield position, piece_NC
        position += len(piece_NC)
        expected += len(samples_NC) / rate
    if convert is not None:
        yield position, convert(np.zeros((0, channels), np.float32), last=True)


def resampler(rate: int, sample_rate: int, channels: int) -> Callable[..., np.ndarray]:
    """convert(samples, last=..) of one run: band-limited, without delay."""
    if rate == sample_rate:
        return lambda samples_NC, last: samples_NC
    return soxr.ResampleStream(rate, sample_rate, channels, dtype="float32").resample_chunk


def _with_channels(samples_NC: np.ndarray, channels: int) -> np.ndarray:
    """Where a stream changes its layout midway, the mix of the new channels in each old one."""
    if samples_NC.shape[1] == channels:
        return samples_NC
    return np.repeat(samples_NC.mean(axis=1, keepdims=True), channels, axis=1)


def aligned(
    blocks: Iterator[Block], first: Block, *, tick: float, sample_rate: int
) -> Iterator[Block]:
    """Blocks after a seek, counted from the stream's first one, so that nothing shifts.

    They begin where a sample of the file coincides with one at `sample_rate`. `tick` is what the
    container rounds its times to, in seconds.
    """
    coarse = tick * first.rate > 1
    if coarse:
        next(blocks, None)  # decoders may trim the first one after a seek
    head = next(blocks, None)
    if head is None or head.rate != first.rate:
        yield from itertools.chain([head] if head else [], blocks)
        return
    index = _index(head, first, tick if coarse else None)
    skip = -index % (first.rate // math.gcd(first.rate, sample_rate))
    time = first.time + (index + skip) / first.rate
    for block in itertools.chain([head], blocks):
        samples_NC = block.samples_NC[skip:]
        skip -= len(block.samples_NC) - len(samples_NC)
        if len(samples_NC):
            yield block._replace(time=time, samples_NC=samples_NC)
            break
    yield from blocks


def _index(head: Block, first: Block, tick: float | None) -> int:
    """The number of a block's first sample, counted from that of the stream's first block.

    Where the clock is coarser than a sample, with a `tick`, it tells how many blocks there are
    between, which encoders make of one length but for the first.
    """
    told = (head.time - first.time) * first.rate
    if tick is not None:
        one, each = len(first.samples_NC), len(head.samples_NC)
        counted = one + round((told - one) / each) * each
        if abs(counted - told) <= 1.5 * tick * first.rate:
            return counted
    return round(told)
