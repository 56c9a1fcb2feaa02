"""Searching a piece of sound for the patterns of keys: where, how stretched, with which payload.

First as it was marked, in the whole and in overlapping windows of 8 to 1 s, so that a marked piece
is found; then, where nothing is found, stretched in tempo, pitch or both. Every kind of search has
a share of the p-value, to be divided among the windows of that kind.
"""

import collections
import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np

from v2a_jax.watermark import frontend, grid, stretch
from v2a_jax.watermark.statistic import Searcher, fold, spectrum
from v2a_jax.watermark.stretch import IDENTITY, Stretch

WHOLE = "whole"
WINDOWS = {"8 s": 8.0, "4 s": 4.0, "2 s": 2.0, "1 s": 1.0}  # each moves on by half its length
PROBE_SECONDS = 12.0  # the longest piece whose stretch is searched
STRATA = tuple(stretch.strata())  # kinds of search that stretch
PHASES = 4  # starts tried within a cell at the identity
PROMISING = 4.2  # T of the pilots below which nothing is decoded: noise exceeds it in 1 of 20
PROMISING_STRETCHED = 4.8  # the same among the far more starts of all stretches of a kind
CANDIDATES = 8  # best starts of a window that are decoded
REFINED = 4  # best stretches of a kind that are refined


@dataclasses.dataclass(frozen=True, kw_only=True)
class Window:
    """Frames `first` to `last`, searched by one kind of search under one stretch."""

    kind: str
    first: int
    last: int
    stretch: Stretch = IDENTITY


@dataclasses.dataclass(frozen=True, kw_only=True)
class Match:
    """A fit of a key's pattern in a window: cell `offset` of the pattern begins at frame `start`.

    `log_p` is the p-value's logarithm in this window, before the share of its kind and the number
    of windows are counted.
    """

    window: Window
    searcher: Searcher
    log_p: float
    payload: int
    ear: int
    offset: int
    start: float


def log_shares() -> dict[str, float]:
    """Logarithm of the part of the p-value that each kind of search may spend."""
    identity, strata = [WHOLE, *WINDOWS], list(stretch.strata())
    return {kind: math.log(0.5 / len(identity)) for kind in identity} | {
        kind: math.log(0.5 / len(strata)) for kind in strata
    }


class Evidence:
    """What both ears say of a wave at every pitch, as sums from its start, made when asked for."""

    def __init__(self, wave: np.ndarray, sample_rate: int) -> None:
        self._spectra = frontend.spectra(wave, sample_rate)
        self.frames = len(self._spectra.level_JF)
        self._sums: dict[float, np.ndarray] = {}

    def _summed(self, pitch: float) -> np.ndarray:
        if pitch not in self._sums:
            evidence_EJR = frontend.evidence(self._spectra, pitch)
            sums_EJR = np.cumsum(evidence_EJR, axis=1, dtype=np.float64)
            # Sums stay far below 2^20, so that differences of float32 are exact to a thousandth.
            self._sums[pitch] = np.pad(sums_EJR, ((0, 0), (1, 0), (0, 0))).astype(np.float32)
        return self._sums[pitch]

    def cells(self, under: Stretch, first: float, last: float, starts: int) -> np.ndarray:
        """float32[2·S,T,R]: each ear's evidence in T cells, from frame `first` and S starts on."""
        sums_EJR = self._summed(under.pitch)
        size = cell_frames(under)
        shift_S = size / starts * np.arange(starts)
        count = max(int((last - first - shift_S[-1]) / size + 1e-6), 0)
        at_ST = np.clip(first + shift_S[:, None] + size * np.arange(count + 1), 0, self.frames)
        below_ST = at_ST.astype(int)
        above_ST = np.minimum(below_ST + 1, self.frames)
        rest_ST = (at_ST - below_ST)[..., None].astype(np.float32)
        edges_ESTR = sums_EJR[:, below_ST]
        if rest_ST.any():
            edges_ESTR += rest_ST * (sums_EJR[:, above_ST] - edges_ESTR)
        cells_ESTR = np.diff(edges_ESTR, axis=2)
        return cells_ESTR.reshape(-1, *cells_ESTR.shape[2:])


def cell_frames(under: Stretch) -> float:
    """Frames that a cell takes, played faster or slower."""
    return frontend.FRAMES / under.tempo


def windows(frames: int) -> Iterator[Window]:
    """The overlapping windows in so many frames that are searched at the identity."""
    for kind, seconds in WINDOWS.items():
        size = round(seconds / grid.CELL_SECONDS) * frontend.FRAMES
        if size < frames:
            for start in [*range(0, frames - size, size // 2), frames - size]:
                yield Window(kind=kind, first=start, last=start + size)


def probes(frames: int, *, every: bool) -> list[tuple[int, int]]:
    """First and last frames of the pieces whose stretch is searched: all, or the middle one."""
    size = round(PROBE_SECONDS / grid.CELL_SECONDS) * frontend.FRAMES
    if frames <= size:
        return [(0, frames)]
    if not every:
        return [((frames - size) // 2, (frames + size) // 2)]
    starts = np.linspace(0, frames - size, math.ceil(frames / size)).astype(int)
    return [(int(start), int(start) + size) for start in starts]


def search(window: Window, cells_PTR: np.ndarray, searchers: Sequence[Searcher]) -> list[Match]:
    """The best match of each key that shows promise, in a window's evidence at PHASES starts."""
    folded_PTR = fold(cells_PTR)
    spectrum_PFR, matches = spectrum(folded_PTR), []
    for searcher in searchers:
        t_PK = _pilots(searcher, spectrum_PFR, folded_PTR)
        best = np.argpartition(t_PK, -CANDIDATES, axis=None)[-CANDIDATES:]
        promising = [divmod(int(one), grid.PERIOD) for one in best if t_PK.flat[one] >= PROMISING]
        found = [
            _match(window, searcher, folded_PTR[p], offset, p, PHASES) for p, offset in promising
        ]
        matches += [min(found, key=log_p)] if found else []
    return matches


def search_windows(
    evidence: Evidence, searchers: Sequence[Searcher], *, whole: bool
) -> tuple[list[Match], collections.Counter]:
    """Matches at the identity in all windows, `whole` among them or not, and how many they are."""
    everything = Window(kind=WHOLE, first=0, last=evidence.frames)
    chosen = [*([everything] if whole else []), *windows(evidence.frames)]
    matches = []
    for window in chosen:
        cells_PTR = evidence.cells(IDENTITY, window.first, window.last, PHASES)
        matches += search(window, cells_PTR, searchers)
    return matches, collections.Counter(window.kind for window in chosen)


def search_stretched(
    evidence: Evidence, searchers: Sequence[Searcher], first: int, last: int
) -> list[Match]:
    """The best match of each key and kind of stretch in a piece of at most PROBE_SECONDS."""
    matches = []
    for kind, grid_points in stretch.strata().items():
        points = [Window(kind=kind, first=first, last=last, stretch=point) for point in grid_points]
        for searcher, ranked in zip(searchers, _ranked(evidence, points, searchers), strict=True):
            found = [
                _refined(evidence, window, searcher, offset)
                for t, offset, window in ranked[:REFINED]
                if t >= PROMISING_STRETCHED
            ]
            matches += [min(found, key=log_p)] if found else []
    return matches


def log_p(match: Match) -> float:
    """The match's `log_p`, to sort by."""
    return match.log_p


def _ranked(
    evidence: Evidence, points: list[Window], searchers: Sequence[Searcher]
) -> list[list[tuple[float, int, Window]]]:
    """For each key the windows by their best pilots' T, with the offset at which it is reached."""
    found = [[] for _ in searchers]
    for window in points:
        cells_PTR = evidence.cells(window.stretch, window.first, window.last, stretch.COARSE_STARTS)
        folded_PTR = fold(cells_PTR)
        spectrum_PFR = spectrum(folded_PTR)
        for searcher, ranked in zip(searchers, found, strict=True):
            t_PK = _pilots(searcher, spectrum_PFR, folded_PTR)
            best = int(t_PK.argmax())
            ranked.append((float(t_PK.flat[best]), best % grid.PERIOD, window))
    return [sorted(ranked, key=lambda one: -one[0]) for ranked in found]


def _refined(evidence: Evidence, window: Window, searcher: Searcher, offset: int) -> Match:
    """The best match on the fine grid: nearby tempos, and starts up to a cell away."""
    starts, near_ones = stretch.FINE_STARTS, []
    for fine in stretch.refined(window.stretch):
        # Tempos turn about the middle of the window, where the coarse one fits best.
        middle = (window.last - window.first) / 2
        first = window.first + middle * (1 - window.stretch.tempo / fine.tempo)
        for p, cells_TR in enumerate(fold(evidence.cells(fine, first, window.last, starts))):
            for near in (offset - 1, offset, offset + 1):
                near %= grid.PERIOD
                near_ones.append(
                    (searcher.pilot_ratio(cells_TR, near), p, near, fine, first, cells_TR)
                )
    _, p, near, fine, first, cells_TR = max(near_ones, key=lambda one: one[0])
    found = dataclasses.replace(window, stretch=fine)
    match = _match(found, searcher, cells_TR, near, p, starts)
    return dataclasses.replace(match, start=match.start + first - window.first)


def tried(kind: str) -> int:
    """In how many ways a window is cut into cells and heard by a search of this kind."""
    return frontend.EARS * (stretch.fine_size(kind) if kind in STRATA else PHASES)


def _pilots(searcher: Searcher, spectrum_PFR: np.ndarray, folded_PTR: np.ndarray) -> np.ndarray:
    """float32[P,K]: about T of the pilots, taking them to be under half of all evidence."""
    half_P = np.square(folded_PTR).sum((1, 2)) / 2
    return searcher.pilots(spectrum_PFR) / np.sqrt(np.maximum(half_P, 1e-30))[:, None]


def _match(
    window: Window,
    searcher: Searcher,
    folded_TR: np.ndarray,
    offset: int,
    place: int,
    starts: int,
) -> Match:
    """`place` is the evidence's place among those of each ear at so many starts within a cell."""
    ear, start = divmod(place, starts)
    fit = searcher.fit(folded_TR, offset, tried(window.kind))
    return Match(
        window=window,
        searcher=searcher,
        log_p=fit.log_p,
        payload=fit.payload,
        ear=ear,
        offset=offset,
        start=window.first + start / starts * cell_frames(window.stretch),
    )
