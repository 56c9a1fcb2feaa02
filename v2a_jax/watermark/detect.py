"""Detection: is the mark of a key in this audio, with which payload, and in which seconds.

The whole file and overlapping windows of 8 and 4 s are searched, so that a marked piece of a long
file is found; the kinds of window share the p-value equally, and so do the windows of a kind.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.watermark import grid
from v2a_jax.watermark.frontend import evidence
from v2a_jax.watermark.key import Key
from v2a_jax.watermark.statistic import Match, Searcher

CLAIM = 1e-6  # the p-value at or below which a file is said to be marked
WINDOW_SECONDS = (8.0, 4.0)  # each kind moves on by half its length
_SMALLEST = 1e-300  # reported for p-values too small to be floats


@dataclasses.dataclass(frozen=True, kw_only=True)
class Segment:
    """A marked stretch from `start` to `end` in seconds; borders are those of the windows."""

    start: float
    end: float
    p_value: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Detection:
    """The p-value, valid for any audio; payload, key and segments where the mark is claimed."""

    watermarked: bool
    p_value: float
    key_id: str | None
    payload: int | None
    segments: tuple[Segment, ...]


def detect(wave: np.ndarray, key: Key | Sequence[Key], *, sample_rate: int) -> Detection:
    """Looks for the mark of one key, or of any of several, in float[N,C] of any level.

    The p-value bounds, over the choice of keys, the chance of a result this strong from audio that
    none of them marked. UserError where a sample isn't finite; silence has p-value 1.
    """
    wave = np.asarray(wave)
    if wave.ndim != 2:
        raise ValueError(f"audio has the shape {wave.shape}, not samples by channels")
    if not np.isfinite(wave).all():
        raise UserError("audio has samples that are not finite numbers")
    keys = (key,) if isinstance(key, Key) else tuple(key)
    evidence_PTR = evidence(wave, sample_rate)
    seconds = len(wave) / sample_rate
    found = [_detect_key(evidence_PTR, one, len(keys), seconds) for one in keys]
    return min(found, key=lambda detection: detection.p_value)


@dataclasses.dataclass(frozen=True)
class _Finding:
    """A window in seconds, its match, and its p-value counting all that was searched."""

    start: float
    end: float
    match: Match
    log_p: float


def _detect_key(evidence_PTR: np.ndarray, key: Key, keys: int, seconds: float) -> Detection:
    searcher = Searcher(key.pattern(), evidence_PTR.shape[2])
    findings = []
    for first, last, share in _windows(evidence_PTR.shape[1]):
        match = searcher.search(evidence_PTR[:, first:last])
        log_p = min(0.0, match.log_p + math.log(share * keys))
        end = min(last * grid.CELL_SECONDS, seconds)
        findings.append(_Finding(first * grid.CELL_SECONDS, end, match, log_p))
    best = min(findings, key=lambda finding: finding.log_p)
    marked = best.log_p <= math.log(CLAIM)
    return Detection(
        watermarked=marked,
        p_value=_p_value(best.log_p),
        key_id=key.key_id if marked else None,
        payload=best.match.payload if marked else None,
        segments=_segments(findings[0], findings[1:]) if marked else (),
    )


def _windows(cells: int) -> Iterator[tuple[int, int, int]]:
    """First and last cell of each window, the whole first, and the factor on its p-value."""
    lengths = [round(length / grid.CELL_SECONDS) for length in WINDOW_SECONDS]
    lengths = [length for length in lengths if length < cells]
    kinds = 1 + len(lengths)
    yield 0, cells, kinds
    for length in lengths:
        starts = [*range(0, cells - length, length // 2), cells - length]
        for start in starts:
            yield start, start + length, kinds * len(starts)


def _segments(whole: _Finding, windows: list[_Finding]) -> tuple[Segment, ...]:
    """Windows that claim the mark on their own, joined where they touch; else the whole file.

    A window is left out where a shorter one inside it claims the mark: its borders are better.
    """
    claiming: list[_Finding] = []
    for window in sorted(windows, key=lambda finding: finding.end - finding.start):
        inside = any(window.start <= one.start and one.end <= window.end for one in claiming)
        if window.log_p <= math.log(CLAIM) and not inside:
            claiming.append(window)
    segments: list[Segment] = []
    for window in sorted(claiming or [whole], key=lambda finding: finding.start):
        start, end, p_value = window.start, window.end, _p_value(window.log_p)
        if segments and start <= segments[-1].end:
            last = segments.pop()
            start, end = last.start, max(last.end, end)
            p_value = min(last.p_value, p_value)
        segments.append(Segment(start=start, end=end, p_value=p_value))
    return tuple(segments)


def _p_value(log_p: float) -> float:
    return max(math.exp(max(log_p, -745.0)), _SMALLEST)
