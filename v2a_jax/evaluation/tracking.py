"""How well a sound's level follows a curve: Pearson's r, and the lag at which they fit best.

Both are taken at 25 Hz and smoothed over five frames, 200 ms: faster changes of level belong to
the sound itself, not to what moves it.
"""

import numpy as np

from v2a_jax.evaluation.spectral import SILENCE_POWER

RATE = 25.0  # Hz
SMOOTH = 5  # frames
LAG_SECONDS = 0.4  # how far a best lag is looked for


def level(wave_N: np.ndarray, sample_rate: int) -> np.ndarray:
    """RMS of one channel, float64[T]: frame k is of the 40 ms around k / 25 s, smoothed."""
    energy_N = np.concatenate([[0.0], np.cumsum(np.square(wave_N, dtype=np.float64))])
    middles_T = np.arange(int(len(wave_N) / sample_rate * RATE)) / RATE
    first_T, last_T = (
        np.clip(np.round((middles_T + side / RATE) * sample_rate), 0, len(wave_N)).astype(int)
        for side in (-0.5, 0.5)
    )
    power_T = (energy_N[last_T] - energy_N[first_T]) / np.maximum(last_T - first_T, 1)
    return np.sqrt(smooth(np.maximum(power_T, 0.0)))


def log_level(wave_N: np.ndarray, sample_rate: int) -> np.ndarray:
    """The same in dB of full scale."""
    return 10.0 * np.log10(np.square(level(wave_N, sample_rate)) + SILENCE_POWER)


def resample(curve_K: np.ndarray, hz: float, frames: int) -> np.ndarray:
    """A curve of values at k / hz seconds, at 25 Hz and smoothed: float64[frames]."""
    times_T = np.arange(frames) / RATE
    return smooth(np.interp(times_T, np.arange(len(curve_K)) / hz, curve_K))


def smooth(x_T: np.ndarray) -> np.ndarray:
    """Moving average; at the ends over what is there."""
    kernel, ones_T = np.ones(SMOOTH), np.ones(len(x_T))
    return np.convolve(x_T, kernel, "same") / np.convolve(ones_T, kernel, "same")


def correlation(x_T: np.ndarray, y_T: np.ndarray) -> float:
    """Pearson's r; 0 where either does not change: a steady sound follows nothing."""
    x_T, y_T = x_T - x_T.mean(), y_T - y_T.mean()
    scale = np.linalg.norm(x_T) * np.linalg.norm(y_T)
    return float(x_T @ y_T / scale) if scale > 1e-9 * len(x_T) else 0.0


def best_lag(sound_T: np.ndarray, truth_T: np.ndarray, rate: float) -> float:
    """Seconds by which the sound is late where it fits best; within 0.4 s either way."""
    reach = min(int(LAG_SECONDS * rate), len(truth_T) // 2)
    fits = [correlation(*_shifted(sound_T, truth_T, lag)) for lag in range(-reach, reach + 1)]
    return (int(np.argmax(fits)) - reach) / rate


def _shifted(sound_T: np.ndarray, truth_T: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """What both have in common when the sound is `lag` frames late."""
    if lag >= 0:
        return sound_T[lag:], truth_T[: len(truth_T) - lag]
    return sound_T[:lag], truth_T[-lag:]
