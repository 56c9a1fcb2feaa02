"""A chapter of a long sound: searched as it is, then stretched, then cut where the mark begins.

Chapters bound memory and time. They share OVERLAP_SECONDS, so that no window is cut in two, and
each begins a whole number of cells and of samples after the one before.
"""

import collections
import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from v2a_jax.watermark import frontend, grid, payload, search, segments
from v2a_jax.watermark.blocks import checked
from v2a_jax.watermark.search import Evidence, Match
from v2a_jax.watermark.statistic import Searcher, fold, log_p_value
from v2a_jax.watermark.stretch import IDENTITY

CLAIM = 1e-6  # the p-value at or below which sound is said to be marked
CORE_CELLS, CORE_SECONDS, OVERLAP_SECONDS = 1500, 32, 8  # 1500 cells are 32 s exactly
NOTHING_FOLDED = np.zeros((1, grid.PERIOD, 1), np.float32)
SHORTEST_FRAMES = 4 * frontend.FRAMES  # two whole cells at any start and stretch


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chapter:
    """Samples float[N,C] from `number` · CORE_SECONDS on; the last one keeps its overlap."""

    wave: np.ndarray
    sample_rate: int
    number: int
    last: bool

    @property
    def begin(self) -> float:
        """When it starts, in seconds of the whole."""
        return float(self.number * CORE_SECONDS)

    @property
    def only(self) -> bool:
        """Whether the whole is this chapter."""
        return self.last and self.number == 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """What is marked along a match, from `start` to `end` seconds of the whole."""

    match: Match
    log_p: float
    start: float
    end: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examined:
    """How many windows of each kind were searched, and what was found in them.

    `folded` float32[2·P,K,R] is the evidence of the chapter's own cells, a period apart added up;
    zeros of an only chapter, of which the whole is searched already.
    """

    searched: collections.Counter
    matches: list[Match]
    runs: list[Run]
    folded: np.ndarray


def chapters(blocks: Iterable[np.ndarray], sample_rate: int) -> Iterator[Chapter]:
    """Chapters of consecutive blocks float[n,C]; UserError where a sample isn't finite."""
    core, overlap = CORE_SECONDS * sample_rate, OVERLAP_SECONDS * sample_rate
    number, held, pieces = 0, 0, []
    for block in blocks:
        pieces.append(checked(block))
        held += len(pieces[-1])
        while held > core + overlap:
            wave = np.concatenate(pieces)
            yield Chapter(
                wave=wave[: core + overlap], sample_rate=sample_rate, number=number, last=False
            )
            pieces, held, number = [wave[core:]], held - core, number + 1
    wave = np.concatenate(pieces) if pieces else np.zeros((0, 1))
    yield Chapter(wave=wave, sample_rate=sample_rate, number=number, last=True)


def examine(chapter: Chapter, searchers: Sequence[Searcher]) -> Examined:
    """Searches a chapter; its stretch only where nothing is found as it is."""
    evidence = Evidence(chapter.wave, chapter.sample_rate)
    if evidence.frames < SHORTEST_FRAMES:
        return Examined(searched=collections.Counter(), matches=[], runs=[], folded=NOTHING_FOLDED)
    matches, searched = search.search_windows(evidence, searchers, whole=chapter.only)
    if not any(_claims(match, searched) for match in matches):
        for first, last in search.probes(evidence.frames, every=chapter.only):
            matches += search.search_stretched(evidence, searchers, first, last)
            searched.update(search.STRATA)
    claims = [match for match in matches if _claims(match, searched)]
    return Examined(
        searched=searched,
        matches=matches,
        runs=_runs(chapter, evidence, claims),
        folded=NOTHING_FOLDED if chapter.only else _on_the_pattern(chapter, evidence),
    )


def counted(log_p: float, kind: str, searched: collections.Counter) -> float:
    """A p-value's logarithm with the share of its kind and the windows of that kind counted."""
    return min(0.0, log_p - search.log_shares()[kind] + math.log(max(searched[kind], 1)))


def _claims(match: Match, searched: collections.Counter) -> bool:
    return counted(match.log_p, match.window.kind, searched) <= math.log(CLAIM)


def _on_the_pattern(chapter: Chapter, evidence: Evidence) -> np.ndarray:
    """float32[P,K,R] folded so that places are those of cells counted from the whole's start."""
    own = evidence.frames if chapter.last else (CORE_CELLS + 1) * frontend.FRAMES
    cells_PTR = evidence.cells(IDENTITY, 0, own, search.PHASES)
    phases, cells, rows = cells_PTR.shape
    folded_PKR = np.zeros((phases, grid.PERIOD, rows), np.float32)
    folded_PTR = fold(cells_PTR)
    folded_PKR[:, : folded_PTR.shape[1]] = folded_PTR
    return np.roll(folded_PKR, chapter.number * CORE_CELLS, axis=1)


def _runs(chapter: Chapter, evidence: Evidence, claims: list[Match]) -> list[Run]:
    """Marked runs along the claims, the surest first; each frame belongs to one run at most."""
    own = chapter.wave.shape[0] / chapter.sample_rate if chapter.last else CORE_SECONDS
    free_J, runs = np.ones(evidence.frames, bool), []
    for match in sorted(claims, key=search.log_p):
        if free_J[match.window.first : match.window.last].mean() < 0.5:
            continue
        for first, last, log_p in _along(evidence, match, free_J):
            free_J[int(first) : math.ceil(last)] = False
            second = grid.CELL_SECONDS / frontend.FRAMES
            start, end = max(first * second, 0.0), min(last * second, own)
            if end > start:
                begin = chapter.begin
                runs.append(Run(match=match, log_p=log_p, start=begin + start, end=begin + end))
    return runs


def _along(
    evidence: Evidence, match: Match, free_J: np.ndarray
) -> Iterator[tuple[float, float, float]]:
    """First and last frame of each marked run of free cells along a match, and its log p-value."""
    size = search.cell_frames(match.window.stretch)
    before = int(match.start / size)
    origin = match.start - before * size
    cells_TR = evidence.cells(match.window.stretch, origin, evidence.frames, 1)[match.ear]
    agreement_T = match.searcher.agreement(cells_TR, match.offset - before, match.payload)
    energy_T = np.square(cells_TR, dtype=np.float64).sum(1)
    at_T = origin + size * np.arange(len(cells_TR))
    inside_T = (at_T >= match.window.first) & (at_T + size <= match.window.last)
    amount = agreement_T[inside_T].sum() / max(energy_T[inside_T].sum(), 1e-30)
    free_T = free_J[np.minimum((at_T + size / 2).astype(int), len(free_J) - 1)]
    pairs = len(cells_TR) * (len(cells_TR) + 1) // 2
    for first, last in segments.marked_runs(agreement_T * free_T, energy_T * free_T, amount):
        energy = energy_T[first:last].sum()
        t = agreement_T[first:last].sum() / math.sqrt(energy) if energy > 0 else 0.0
        hypotheses = (
            2 * search.tried(match.window.kind) * grid.PERIOD * pairs << payload.PAYLOAD_BITS
        )
        yield float(at_T[first]), float(at_T[last - 1] + size), log_p_value(t, hypotheses)
