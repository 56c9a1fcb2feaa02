"""The detector's ears: what each moment and row says about its sign, found without the key.

L = log(|X|^(1/4) in a row, plus a floor relative to the loudest row nearby), less the mean of its
neighbours in time and then across rows, over its local standard deviation, clipped, times the
square root of the depth that the masking model expects there. A second ear listens more to what
stands out of the row's noise N, with weights 1 - N/P: under added noise the rest says nothing. Any
function of the audio will do as long as the key has no part in it: the p-value rests on that alone.
"""

import dataclasses

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter, uniform_filter1d

from v2a_jax.watermark import grid
from v2a_jax.watermark.mask import DepthConfig, depth_db, threshold

FRAMES = 4  # frames in a cell
POWER = 1 / 8  # exponent on power: |X|^(1/4)
NEAR_FRAMES, NEAR_ROWS = 8, 4  # neighbours on each side whose mean is taken away
FLOOR, FLOOR_FRAMES = 0.2, 188  # of the loudest row within a second on each side
FAINTEST = 1e-3  # and never below this: -240 dB under the wave's peak
FAINTEST_PEAK = 1e-30  # waves below it count as silence
SPREAD_FRAMES, SPREAD_ROWS = 19, 5  # extent of the local standard deviation
SPREAD_FLOOR, CLIP = 0.01, 1.5  # added to it, and the limit after the division
EXPECTED = DepthConfig(
    strength_db=-14.5, min_db=0.3, max_db=5.0, rows=10.0, sparsity=0.4, least=0.5, most=3.0
)
EARS = 2
NOISE_PERCENTILE, NOISE_FACTOR = 10, 3.0  # of a row's power over time, and from it to N
NOISE_FRAMES, NOISY_WEIGHT = 5, 0.15  # mean that P is, and what a frame of noise still weighs
HIGHEST_PITCH = 1.25  # how much farther up spectra reach than the rows


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spectra:
    """What is kept of a wave: float32[J,F] |X|^(1/4), and expected depth, in frames TC/4 apart."""

    level_JF: np.ndarray
    depth_JF: np.ndarray
    sample_rate: int


def spectra(wave: np.ndarray, sample_rate: int) -> Spectra:
    """Spectra of finite float[N,C] in any units; frame j is centred on (j + 1/2)·TC/4 seconds."""
    bins = grid.bin_hz(sample_rate, HIGHEST_PITCH).size
    frames = int(len(wave) / sample_rate / (grid.CELL_SECONDS / FRAMES))
    if frames == 0 or wave.shape[1] == 0 or grid.rows_used(sample_rate) == 0:
        empty = np.zeros((0, bins), np.float32)
        return Spectra(level_JF=empty, depth_JF=empty, sample_rate=sample_rate)
    power_JF = _power(wave, sample_rate, frames, bins)
    allowed_JF = threshold(power_JF, sample_rate, HIGHEST_PITCH)
    depth_JF = depth_db(power_JF, allowed_JF, EXPECTED, sample_rate)
    return Spectra(level_JF=power_JF**POWER, depth_JF=depth_JF, sample_rate=sample_rate)


def evidence(found: Spectra, pitch: float = 1.0) -> np.ndarray:
    """float32[2,J,R]: each ear's evidence of the sign in frames and rows, if played `pitch` higher.

    Rows above the sample rate's band are left out, so R is smaller at a high pitch.
    """
    mean_FR = grid.row_means(found.sample_rate, pitch, found.level_JF.shape[1])
    if not found.level_JF.size or not mean_FR.size:
        return np.zeros((EARS, len(found.level_JF), mean_FR.shape[1]), np.float32)
    level_JR = found.level_JF @ mean_FR
    plain_JR = _whitened(level_JR) * np.sqrt(found.depth_JF @ mean_FR)
    return np.stack([plain_JR, plain_JR * _clearness(level_JR)])


def _clearness(level_JR: np.ndarray) -> np.ndarray:
    """How far each frame stands out of its row's noise, NOISY_WEIGHT to a little over 1."""
    near_JR = uniform_filter1d(level_JR, NOISE_FRAMES, axis=0, mode="nearest")
    power_JR = near_JR ** (1 / POWER) + FAINTEST_PEAK
    quiet_R = np.percentile(level_JR, NOISE_PERCENTILE, axis=0) ** (1 / POWER)
    return NOISY_WEIGHT + np.maximum(0, 1 - NOISE_FACTOR * quiet_R / power_JR)


def _power(wave: np.ndarray, sample_rate: int, frames: int, bins: int) -> np.ndarray:
    """float32[J,F], summed over channels, of the wave with its peak scaled to 1."""
    n = grid.window_length(sample_rate)
    centre_J = (np.arange(frames) + 0.5) * (grid.CELL_SECONDS / FRAMES) * sample_rate
    first_J = np.round(centre_J).astype(int)
    peak = max(float(wave.max()), -float(wave.min()), FAINTEST_PEAK)
    window = grid.hann(n) * np.float32(4 / n)  # a sine of amplitude 1 then has power 1
    power_JF = np.zeros((frames, bins), np.float32)
    for channel in wave.T:
        padded = np.pad(np.asarray(channel / peak, np.float32), n // 2)
        frames_JW = np.lib.stride_tricks.sliding_window_view(padded, n)[first_J]
        spectrum_JF = np.fft.rfft(frames_JW * window)[:, :bins]
        power_JF[:, : spectrum_JF.shape[1]] += np.abs(spectrum_JF) ** 2
    return power_JF


def _whitened(level_JR: np.ndarray) -> np.ndarray:
    loudest_J = level_JR.max(1)
    nearby_J = maximum_filter1d(loudest_J, 2 * FLOOR_FRAMES + 1, mode="nearest")
    log_JR = np.log(level_JR + FLOOR * nearby_J[:, None] + FAINTEST) / (2 * POWER)
    flat_JR = _high_pass(_high_pass(log_JR, NEAR_FRAMES, 0), NEAR_ROWS, 1)
    # The filter's running sums may end a rounding error below zero.
    size = (SPREAD_FRAMES, SPREAD_ROWS)
    variance_JR = np.maximum(uniform_filter(flat_JR**2, size, mode="nearest"), 0)
    return np.clip(flat_JR / (np.sqrt(variance_JR) + SPREAD_FLOOR), -CLIP, CLIP)


def _high_pass(x: np.ndarray, near: int, axis: int) -> np.ndarray:
    """x less the mean of its `near` neighbours on each side."""
    total = uniform_filter1d(x, 2 * near + 1, axis=axis, mode="nearest") * (2 * near + 1)
    return x - (total - x) / (2 * near)
