"""Whether a voice keeps time with a mouth: lag and likeness of its level and the lips' opening.

Cross-correlation at 100 Hz of the aperture with the log level between 250 and 3500 Hz, where the
first formants lie, over +-0.4 s: the in-world counterpart of a lip-sync error.
"""

import numpy as np
from scipy.signal import butter, sosfiltfilt

from v2a_jax.evaluation.tracking import best_lag, correlation

RATE = 100.0  # Hz
BAND = (250.0, 3500.0)
FLOOR_DB = -50.0  # below the loudest: pauses are alike, however quiet
SMOOTH = 5  # frames, 50 ms: the voice's own periods are gone, syllables are not


def speech_level(wave_N: np.ndarray, sample_rate: int, frames: int) -> np.ndarray:
    """Level of the speech band in dB, of the 10 ms around each k / 100 s: float64[frames]."""
    band = BAND[0], min(BAND[1], 0.45 * sample_rate)
    sos = butter(4, band, "bandpass", fs=sample_rate, output="sos")
    power_N = np.square(sosfiltfilt(sos, np.asarray(wave_N, np.float64)))
    sums_N = np.concatenate([[0.0], np.cumsum(power_N)])
    edges_T = np.round((np.arange(frames + 1) - 0.5) / RATE * sample_rate)
    edges_T = np.clip(edges_T, 0, len(wave_N)).astype(int)
    power_T = np.diff(sums_N[edges_T]) / np.maximum(np.diff(edges_T), 1)
    power_T = np.convolve(power_T, np.ones(SMOOTH) / SMOOTH, "same")
    level_T = 10.0 * np.log10(np.maximum(power_T, 1e-12))
    return np.maximum(level_T, level_T.max() + FLOOR_DB)


def match_lips(
    wave_N: np.ndarray, sample_rate: int, aperture_K: np.ndarray, hz: float
) -> tuple[float, float]:
    """(lag, likeness): seconds by which the voice is late, and Pearson's r without any shift."""
    frames = int(min(len(aperture_K) / hz, len(wave_N) / sample_rate) * RATE)
    times_T = np.arange(frames) / RATE
    aperture_T = np.interp(times_T, np.arange(len(aperture_K)) / hz, aperture_K)
    level_T = speech_level(wave_N, sample_rate, frames)
    return best_lag(level_T, aperture_T, RATE), correlation(level_T, aperture_T)
