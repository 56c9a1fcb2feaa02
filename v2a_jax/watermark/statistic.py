"""The search for a key's pattern in evidence, and a p-value that holds whatever the audio is.

T = Σ w·y / ‖y‖ with y the evidence and w the key's signs. Without the mark the signs are
independent of y, and for a self-normalised Rademacher sum P(T ≥ t) ≤ 3.178·(1 - Φ(t)) for every y
(Bentkus & Dzindzalieta, Bernoulli 21, 2015). Over M hypotheses, p = min(1, 3.178·M·(1 - Φ(T))).
Two statistics share the bound: the pilots alone (M = starts x phases), and pilots with decoded
data (M larger by 2^16).
"""

import dataclasses

import numpy as np
from scipy import fft, special

from v2a_jax.watermark import grid, payload
from v2a_jax.watermark.key import PILOT, Pattern

_CONSTANT = 3.178
_CANDIDATES = 8  # best pilots that are decoded
_STATISTICS = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Match:
    """The best hypothesis: natural logarithm of its p-value, payload, and where it starts.

    `offset` is the pattern's cell at the first cell of the evidence, `phase` quarters of a cell.
    """

    log_p: float
    payload: int
    offset: int
    phase: int


def log_p_value(t: float, hypotheses: int) -> float:
    """Natural logarithm of the bound on the chance of a T this large among so many hypotheses."""
    return min(0.0, float(np.log(_CONSTANT * hypotheses) + special.log_ndtr(-t)))


class Searcher:
    """Finds one key's pattern in evidence of `rows` rows."""

    def __init__(self, pattern: Pattern, rows: int) -> None:
        self._signs_KR = np.asarray(pattern.signs)[:, :rows].astype(np.float64)
        self._slots_KR = np.asarray(pattern.slots)[:, :rows].astype(np.intp)
        pilot_KR = self._slots_KR == PILOT
        self._pilots = fft.rfft(self._signs_KR * pilot_KR, axis=0)
        self._places = fft.rfft(pilot_KR.astype(np.float64), axis=0)

    def search(self, evidence_PTR: np.ndarray) -> Match:
        """The best match over all starts and phases of float64[P,T,R]."""
        folded_PKR = _fold(evidence_PTR)
        t_PK = self._pilot_statistic(folded_PKR)
        best = np.argsort(t_PK, axis=None)[::-1][:_CANDIDATES]
        hypotheses = _STATISTICS * t_PK.size
        matches = []
        for phase, offset in zip(*np.unravel_index(best, t_PK.shape), strict=True):
            word, t = self._decode(folded_PKR[phase], offset)
            log_p = min(
                log_p_value(t_PK[phase, offset], hypotheses),
                log_p_value(t, hypotheses << payload.PAYLOAD_BITS),
            )
            matches.append(Match(log_p=log_p, payload=word, offset=int(offset), phase=int(phase)))
        return min(matches, key=lambda match: match.log_p)

    def _pilot_statistic(self, folded_PKR: np.ndarray) -> np.ndarray:
        """float64[P,K]: T over the pilots for each phase and start."""
        sums = fft.rfft(folded_PKR, axis=1).conj() * self._pilots
        squares = fft.rfft(folded_PKR**2, axis=1).conj() * self._places
        sum_PK = fft.irfft(sums.sum(-1), n=grid.PERIOD, axis=1)
        square_PK = fft.irfft(squares.sum(-1), n=grid.PERIOD, axis=1)
        # Where no evidence lies under a pilot, rounding is all that is left of both.
        enough = square_PK > 1e-9 * square_PK.max()
        return np.where(enough, sum_PK / np.sqrt(np.where(enough, square_PK, 1)), 0)

    def _decode(self, folded_KR: np.ndarray, offset: int) -> tuple[int, float]:
        """The likeliest payload at a start, and T over pilots and data under it."""
        signed_KR = np.roll(self._signs_KR, -offset, axis=0) * folded_KR
        slots_KR = np.roll(self._slots_KR, -offset, axis=0)
        soft = np.bincount(slots_KR.ravel(), signed_KR.ravel(), minlength=PILOT + 1)
        word, sent = payload.decode(soft[:PILOT])
        norm = np.linalg.norm(folded_KR)
        return word, float((soft[PILOT] + sent @ soft[:PILOT]) / norm) if norm > 0 else 0.0


def _fold(evidence_PTR: np.ndarray) -> np.ndarray:
    """float64[P,K,R]: cells a period apart carry the same sign, so they are added."""
    phases, cells, rows = evidence_PTR.shape
    periods = max(-(-cells // grid.PERIOD), 1)
    padding = ((0, 0), (0, periods * grid.PERIOD - cells), (0, 0))
    padded = np.pad(evidence_PTR, padding)
    return padded.reshape(phases, periods, grid.PERIOD, rows).sum(1)
