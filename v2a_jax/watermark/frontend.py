"""The detector's ear: what each cell says about its sign, found without knowing the key.

L = log(mean |X|^(1/4) over a cell, plus a floor relative to the loudest row nearby), less the mean
of its neighbours in time and then across rows, over its local standard deviation, clipped, times
the square root of the depth that the masking model expects there. Any function of the audio will
do as long as the key has no part in it: the p-value rests on that alone.
"""

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter, uniform_filter1d

from v2a_jax.watermark import grid
from v2a_jax.watermark.mask import DepthConfig, depth_db, threshold

PHASES = 4  # starts tried within a cell
POWER = 1 / 8  # exponent on power: |X|^(1/4)
NEAR_CELLS, NEAR_ROWS = 2, 4  # neighbours on each side whose mean is taken away
FLOOR, FLOOR_CELLS = 0.2, 47  # of the loudest row within a second on each side
FAINTEST = 1e-3  # and never below this: -240 dB under the wave's peak
FAINTEST_PEAK = 1e-30  # waves below it count as silence
SPREAD_CELLS, SPREAD_FLOOR, CLIP = 5, 0.01, 1.5  # local standard deviation, and limit after it
EXPECTED = DepthConfig(strength_db=-14.5, min_db=0.3, max_db=5.0)
_CHUNK = 4096  # frames at a time, to bound memory


def evidence(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """float64[4,T,R]: evidence of each cell's sign for four starts within a cell.

    `wave` float[N,C] is finite, in any units. Phase p of cell t covers the seconds from
    (t + p/4)·TC to (t + 1 + p/4)·TC; a cell that the wave doesn't fill is zero.
    """
    quarters = int(len(wave) / sample_rate / (grid.CELL_SECONDS / PHASES))
    cells = quarters // PHASES
    rows = grid.rows_used(sample_rate)
    if cells == 0 or rows == 0 or wave.shape[1] == 0:
        return np.zeros((PHASES, cells, rows))
    level_JR, depth_JR = _rows(wave, sample_rate, quarters)
    level_PTR, full_PT = _cells(level_JR, cells)
    depth_PTR, _ = _cells(depth_JR, cells)
    evidence_PTR = _whiten(level_PTR) * np.sqrt(depth_PTR)
    return np.where(full_PT[..., None], evidence_PTR, 0)


def _rows(wave: np.ndarray, sample_rate: int, quarters: int) -> tuple[np.ndarray, np.ndarray]:
    """float64[J,R] twice: |X|^(1/4) and expected depth by row, in frames a quarter cell apart."""
    n = grid.window_length(sample_rate)
    mean_FR = grid.overlap(sample_rate).T / grid.overlap(sample_rate).sum(1)
    centre_J = (np.arange(quarters) + 0.5) * (grid.CELL_SECONDS / PHASES) * sample_rate
    first_J = np.round(centre_J - n / 2).astype(int)
    peak = max(float(wave.max()), -float(wave.min()), FAINTEST_PEAK)
    window = grid.hann(n) * (4 / n)  # a sine of amplitude 1 then has power 1
    levels, depths = [], []
    for start in range(0, quarters, _CHUNK):
        at_J = first_J[start : start + _CHUNK]
        piece_NC = _piece(wave, at_J[0], at_J[-1] + n) / peak
        at_JW = (at_J - at_J[0])[:, None] + np.arange(n)
        power_JF = sum(np.abs(np.fft.rfft(channel[at_JW] * window)) ** 2 for channel in piece_NC.T)
        power_JF = power_JF[:, : mean_FR.shape[0]]
        levels.append(power_JF**POWER @ mean_FR)
        depth_JF = depth_db(power_JF, threshold(power_JF, sample_rate), EXPECTED)
        depths.append(depth_JF @ mean_FR)
    return np.concatenate(levels), np.concatenate(depths)


def _piece(wave: np.ndarray, first: int, last: int) -> np.ndarray:
    """float64[last-first,C]: samples of the wave, zero outside it."""
    before, after = max(-first, 0), max(last - len(wave), 0)
    piece_NC = wave[max(first, 0) : last].astype(np.float64)
    return np.pad(piece_NC, ((before, after), (0, 0)))


def _cells(rows_JR: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the four frames of each cell float[4,T,R], and bool[4,T]: whether all four exist."""
    first_PT = np.arange(PHASES)[:, None] + PHASES * np.arange(cells)
    full_PT = first_PT + PHASES <= len(rows_JR)
    frames = np.minimum(first_PT[..., None] + np.arange(PHASES), len(rows_JR) - 1)
    return rows_JR[frames].mean(2), full_PT


def _whiten(level_PTR: np.ndarray) -> np.ndarray:
    loudest_PT = level_PTR.max(-1)
    nearby_PT = maximum_filter1d(loudest_PT, 2 * FLOOR_CELLS + 1, axis=1, mode="nearest")
    log_PTR = np.log(level_PTR + FLOOR * nearby_PT[..., None] + FAINTEST) / (2 * POWER)
    flat_PTR = _high_pass(_high_pass(log_PTR, NEAR_CELLS, 1), NEAR_ROWS, 2)
    size = (1, SPREAD_CELLS, SPREAD_CELLS)
    # The filter's running sums may end a rounding error below zero.
    variance_PTR = np.maximum(uniform_filter(flat_PTR**2, size, mode="nearest"), 0)
    return np.clip(flat_PTR / (np.sqrt(variance_PTR) + SPREAD_FLOOR), -CLIP, CLIP)


def _high_pass(x: np.ndarray, near: int, axis: int) -> np.ndarray:
    """x less the mean of its `near` neighbours on each side."""
    total = uniform_filter1d(x, 2 * near + 1, axis=axis, mode="nearest") * (2 * near + 1)
    return x - (total - x) / (2 * near)
