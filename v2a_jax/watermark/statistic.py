"""How well a key's pattern fits evidence, and a p-value that holds whatever the audio is.

T = Σ w·y / ‖y‖ with y the evidence of cells and w the key's signs. Without the mark the signs are
independent of y, and for a self-normalised Rademacher sum P(T ≥ t) ≤ 3.178·(1 - Φ(t)) for every y
(Bentkus & Dzindzalieta, Bernoulli 21, 2015). Over M hypotheses, p = min(1, 3.178·M·(1 - Φ(T))).
Two statistics share the bound: the pilots alone, and pilots with decoded data (M larger by 2^16).
"""

import dataclasses

import numpy as np
from scipy import fft, special

from v2a_jax.watermark import grid, payload
from v2a_jax.watermark.key import PILOT, Key

CONSTANT = 3.178
STATISTICS = 2


def log_p_value(t: float, hypotheses: int) -> float:
    """Natural logarithm of the bound on the chance of a T this large among so many hypotheses."""
    return min(0.0, float(np.log(CONSTANT * hypotheses) + special.log_ndtr(-t)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fit:
    """Logarithm of the p-value, counting all that was tried, and the likeliest payload."""

    log_p: float
    payload: int


def spectrum(folded_PTR: np.ndarray) -> np.ndarray:
    """complex64[P,F,R] of folded evidence, for `Searcher.pilots`."""
    return fft.rfft(folded_PTR, n=grid.PERIOD, axis=1).conj()


def fold(cells_PTR: np.ndarray) -> np.ndarray:
    """float32[P,min(T,K),R]: cells a period apart carry the same sign, so they are added."""
    phases, cells, rows = cells_PTR.shape
    if cells <= grid.PERIOD:
        return cells_PTR
    periods = -(-cells // grid.PERIOD)
    padded = np.pad(cells_PTR, ((0, 0), (0, periods * grid.PERIOD - cells), (0, 0)))
    return padded.reshape(phases, periods, grid.PERIOD, rows).sum(1)


class Searcher:
    """Fits one key's pattern to evidence."""

    def __init__(self, key: Key) -> None:
        pattern = key.pattern()
        self.key_id = key.key_id
        self._signs_KR = np.asarray(pattern.signs, np.float32)
        self._slots_KR = np.asarray(pattern.slots, np.intp)
        self._pilots_FR = fft.rfft(self._signs_KR * (self._slots_KR == PILOT), axis=0)

    def pilots(self, spectrum_PFR: np.ndarray) -> np.ndarray:
        """float32[P,K]: Σ w·y over the pilots for each phase and start."""
        pilots_FR = self._pilots_FR[:, : spectrum_PFR.shape[2]]
        sums_PF = np.einsum("pfr,fr->pf", spectrum_PFR, pilots_FR)
        return fft.irfft(sums_PF, n=grid.PERIOD, axis=1)

    def pilot_ratio(self, folded_TR: np.ndarray, offset: int) -> float:
        """T of the pilots where the evidence starts at cell `offset` of the pattern."""
        signs_TR, slots_TR = self._pattern(folded_TR.shape, offset)
        pilots_TR = folded_TR * (slots_TR == PILOT)
        return _ratio((signs_TR * pilots_TR).sum(), np.square(pilots_TR).sum())

    def fit(self, folded_TR: np.ndarray, offset: int, tried: int) -> Fit:
        """The payload where the evidence starts at cell `offset` of the pattern.

        The p-value counts all offsets, times `tried` ways of cutting the sound into cells.
        """
        signs_TR, slots_TR = self._pattern(folded_TR.shape, offset)
        signed_TR = signs_TR * folded_TR
        soft = np.bincount(slots_TR.ravel(), signed_TR.ravel(), minlength=PILOT + 1)
        number, sent = payload.decode(soft[:PILOT])
        square_TR = folded_TR.astype(np.float64) ** 2
        hypotheses = STATISTICS * tried * grid.PERIOD
        pilots = _ratio(soft[PILOT], square_TR[slots_TR == PILOT].sum())
        everything = _ratio(soft[PILOT] + sent @ soft[:PILOT], square_TR.sum())
        log_p = min(
            log_p_value(pilots, hypotheses),
            log_p_value(everything, hypotheses << payload.PAYLOAD_BITS),
        )
        return Fit(log_p=log_p, payload=number)

    def agreement(self, cells_TR: np.ndarray, offset: int, number: int) -> np.ndarray:
        """float64[T]: Σ w·y of each cell, the pattern carrying the payload `number`."""
        signs_TR, slots_TR = self._pattern(cells_TR.shape, offset)
        sent = np.append(payload.codewords()[number], 1)
        return (sent[slots_TR] * signs_TR * cells_TR).sum(1, dtype=np.float64)

    def _pattern(self, shape: tuple[int, int], offset: int) -> tuple[np.ndarray, np.ndarray]:
        """Signs and slots [T,R] of cells from `offset` on."""
        cells, rows = shape
        places = np.arange(offset, offset + cells) % grid.PERIOD
        return self._signs_KR[places, :rows], self._slots_KR[places, :rows]


def _ratio(total: float, squares: float) -> float:
    return float(total / np.sqrt(squares)) if squares > 0 else 0.0
