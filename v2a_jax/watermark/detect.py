"""Detection: is the mark of a key in this audio, with which payload, and in which seconds.

Every chapter is searched on its own; in more than one, what all of them say about the unstretched
pattern is added up too and searched as one. The p-value counts every search that was made.
"""

import collections
import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np

from v2a_jax.watermark import frontend, grid, search
from v2a_jax.watermark.chapter import CLAIM, Run, chapters, counted, examine
from v2a_jax.watermark.key import Key
from v2a_jax.watermark.search import Match, Window
from v2a_jax.watermark.statistic import Searcher

_SMALLEST = 1e-300  # reported for p-values too small to be floats
_TOUCHING = 2 * grid.CELL_SECONDS  # runs of one mark this near are one segment


@dataclasses.dataclass(frozen=True, kw_only=True)
class Segment:
    """A marked stretch from `start` to `end` in seconds, with a p-value of its own.

    `tempo` and `pitch` are how much faster and higher it is played than when it was marked.
    """

    start: float
    end: float
    p_value: float
    key_id: str
    payload: int
    tempo: float
    pitch: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Detection:
    """The p-value, valid for any audio; payload, key and segments where the mark is claimed."""

    watermarked: bool
    p_value: float
    key_id: str | None
    payload: int | None
    segments: tuple[Segment, ...]


NOTHING = Detection(watermarked=False, p_value=1.0, key_id=None, payload=None, segments=())


def detect(wave: np.ndarray, key: Key | Sequence[Key], *, sample_rate: int) -> Detection:
    """Looks for the mark of one key, or of any of several, in float[N,C] of any level.

    The p-value bounds, over the choice of keys, the chance of a result this strong from audio that
    none of them marked. UserError where a sample isn't finite; silence has p-value 1.
    """
    return detect_blocks([wave], key, sample_rate=sample_rate)


def detect_blocks(
    blocks: Iterable[np.ndarray], key: Key | Sequence[Key], *, sample_rate: int
) -> Detection:
    """As `detect`, of consecutive blocks float[n,C]; memory is bounded by the largest block."""
    searchers = [Searcher(one) for one in ((key,) if isinstance(key, Key) else key)]
    searched, matches, runs, folded = collections.Counter(), [], [], 0.0
    for chapter in chapters(blocks, sample_rate):
        found = examine(chapter, searchers)
        searched += found.searched
        matches += found.matches
        runs += found.runs
        folded = folded + found.folded
    if not chapter.only:
        matches += _whole(folded, searchers)
        searched[search.WHOLE] += 1
    end = chapter.begin + len(chapter.wave) / sample_rate
    return _conclude(matches, _joined(runs), searched, len(searchers), end)


def strongest(found: Sequence[Detection]) -> tuple[int, Detection]:
    """Of what was found in several tracks, the place of the surest, its p-values counting all."""
    place = min(range(len(found)), key=lambda k: found[k].p_value)
    best = found[place]
    p_value = min(1.0, len(found) * best.p_value)
    if p_value > CLAIM:
        return place, dataclasses.replace(NOTHING, p_value=p_value)
    segments = tuple(
        dataclasses.replace(one, p_value=min(1.0, len(found) * one.p_value))
        for one in best.segments
    )
    return place, dataclasses.replace(best, p_value=p_value, segments=segments)


def _whole(folded_PKR: np.ndarray, searchers: Sequence[Searcher]) -> list[Match]:
    window = Window(kind=search.WHOLE, first=0, last=grid.PERIOD * frontend.FRAMES)
    return search.search(window, folded_PKR, searchers)


def _joined(runs: list[Run]) -> list[Run]:
    """Runs in order of time, those that go on across the border of chapters made one."""
    joined: list[Run] = []
    for run in sorted(runs, key=lambda run: run.start):
        last = joined[-1] if joined else None
        if last is not None and run.start - last.end <= _TOUCHING and _mark(last) == _mark(run):
            best = min(last, run, key=lambda one: one.log_p)
            joined[-1] = dataclasses.replace(best, start=last.start, end=max(last.end, run.end))
        else:
            joined.append(run)
    return joined


def _mark(run: Run) -> tuple[Searcher, int, str]:
    kind = run.match.window.kind
    return run.match.searcher, run.match.payload, kind if kind in search.STRATA else ""


def _conclude(
    matches: list[Match], runs: list[Run], searched: collections.Counter, keys: int, end: float
) -> Detection:
    def log_p(found: Match | Run) -> float:
        kind = (found.match if isinstance(found, Run) else found).window.kind
        return min(0.0, counted(found.log_p, kind, searched) + math.log(keys))

    best = min(matches, key=log_p, default=None)
    if best is None or log_p(best) > math.log(CLAIM):
        p_value = 1.0 if best is None else _p_value(log_p(best))
        return dataclasses.replace(NOTHING, p_value=p_value)
    claimed = [run for run in runs if log_p(run) <= math.log(CLAIM)]
    if not claimed:
        # Too weak for its borders to be found: what is known is the window.
        claimed = [Run(match=best, log_p=best.log_p, start=0.0, end=end)]
    return Detection(
        watermarked=True,
        p_value=_p_value(log_p(best)),
        key_id=best.searcher.key_id,
        payload=best.payload,
        segments=tuple(_segment(run, log_p(run)) for run in claimed),
    )


def _segment(run: Run, log_p: float) -> Segment:
    stretch = run.match.window.stretch
    return Segment(
        start=run.start,
        end=run.end,
        p_value=_p_value(log_p),
        key_id=run.match.searcher.key_id,
        payload=run.match.payload,
        tempo=stretch.tempo,
        pitch=stretch.pitch,
    )


def _p_value(log_p: float) -> float:
    return max(math.exp(max(log_p, -745.0)), _SMALLEST)
