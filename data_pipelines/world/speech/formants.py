"""A small voice of our own: formant wave functions (Rodet 1984) and bands of noise.

Each period of the voice adds, at its exact time, one damped sine per formant; fricatives and the
bursts of stops are noise in bands. Formants, levels and pitch move at 400 values a second.
"""

import numpy as np
from scipy import signal
from scipy.ndimage import gaussian_filter1d

from data_pipelines.world import sound
from data_pipelines.world.speech.phones import HISSES
from data_pipelines.world.speech.utterance import Segment, Utterance

_CONTROL = 400.0  # Hz
_HIGHEST = 3600.0  # Hz of the fourth formant of a man
_BANDWIDTHS = np.array([70.0, 100.0, 150.0, 260.0])  # Hz
_TILT = 0.85  # a formant is the weaker the higher it lies, by (F1 / F)^tilt
_GRAIN = 0.018  # s a period is heard
_BURST = 0.014  # s
_NEUTRAL = (500.0, 1500.0, 2500.0)
_GAIN = 0.32


def voice_sound(
    utterance: Utterance,
    pitch: float,
    scale: float,
    seconds: float,
    sample_rate: int,
    noise: np.random.Generator,
) -> np.ndarray:
    """float64[N]: the utterance with mean `pitch` (Hz) and formants `scale` times a man's."""
    formants_K4, voice_K, hiss = _tracks(utterance, seconds)
    samples = round(seconds * sample_rate)
    times_P = _periods(utterance, pitch, seconds)
    control = np.arange(len(voice_K)) / _CONTROL
    level_P = np.interp(times_P, control, voice_K)
    times_P, level_P = times_P[level_P > 1e-3], level_P[level_P > 1e-3]
    tracks = [np.interp(times_P, control, track_K) for track_K in formants_K4.T]
    wave_N = _voiced(times_P, level_P, scale * np.stack(tracks, axis=1), samples, sample_rate)
    time_N, hiss_N = np.arange(samples) / sample_rate, noise.standard_normal(samples)
    hiss_N *= np.sqrt(sample_rate / 16000)  # the same power in a band at any rate
    for name, level_K in hiss.items():
        (low, high), gain = HISSES[name]
        high = min(high, sound.NYQUIST_MARGIN * sample_rate)
        if low < 0.8 * high:
            band = signal.butter(1, (low, high), "bandpass", fs=sample_rate, output="sos")
            wave_N += gain * np.interp(time_N, control, level_K) * signal.sosfilt(band, hiss_N)
    return _GAIN * wave_N


def _tracks(
    utterance: Utterance, seconds: float
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Formants [K,4] of a man, level of the voice [K], and of each noise [K]."""
    time_K = np.arange(int(np.ceil(seconds * _CONTROL)) + 1) / _CONTROL
    formants_K3 = np.tile(_NEUTRAL, (len(time_K), 1))
    voice_K, hiss = np.zeros(len(time_K)), {}
    for part in utterance.segments:
        phone = part.phone
        inside = slice(*np.searchsorted(time_K, (part.start, part.end)))
        through = ((time_K[inside] - part.start) / (part.end - part.start))[:, None]
        ease = np.clip(1.6 * through - 0.3, 0, 1)
        first, last = np.array(phone.formants), np.array(phone.glide or phone.formants)
        formants_K3[inside] = first + ease * (last - first)
        voice_K[inside] = phone.voice
        if phone.hiss:
            track_K = hiss.setdefault(phone.hiss, np.zeros(len(time_K)))
            track_K[_noisy(part, time_K)] = phone.loud
    formants_K3 = gaussian_filter1d(formants_K3, 0.012 * _CONTROL, axis=0, mode="nearest")
    highest_K = np.full((len(time_K), 1), _HIGHEST)
    return (
        np.concatenate([formants_K3, highest_K], axis=1),
        gaussian_filter1d(voice_K, 0.006 * _CONTROL, mode="constant"),
        {name: gaussian_filter1d(k, 0.0025 * _CONTROL) for name, k in hiss.items()},
    )


def _noisy(part: Segment, time_K: np.ndarray) -> slice:
    """When a phone hisses: a stop for a moment after it opens, a fricative all through."""
    stop = part.phone.hiss in "ptk"
    start = part.start + min(part.phone.closed, 0.7 * (part.end - part.start))
    return slice(*np.searchsorted(time_K, (start, start + _BURST if stop else part.end)))


def _periods(utterance: Utterance, pitch: float, seconds: float) -> np.ndarray:
    """Times at which the voice's folds close; the pitch falls, and each word rises a little."""
    time_K = np.arange(int(np.ceil(seconds * _CONTROL)) + 1) / _CONTROL
    accent_K = np.zeros(len(time_K))
    for _, start, end in utterance.words:
        accent_K[slice(*np.searchsorted(time_K, (start, 0.5 * (start + end))))] = 1
    accent_K = gaussian_filter1d(accent_K, 0.04 * _CONTROL)
    last = utterance.words[-1][2]
    pitch_K = pitch * (1.06 - 0.16 * np.minimum(time_K / last, 1) + 0.1 * accent_K)
    turns_K = np.cumsum(pitch_K) / _CONTROL
    return np.interp(np.arange(1, int(turns_K[-1]) + 1), turns_K, time_K)


def _voiced(
    time_P: np.ndarray,
    level_P: np.ndarray,
    formants_P4: np.ndarray,
    samples: int,
    sample_rate: int,
) -> np.ndarray:
    """float64[samples]: a damped sine per formant from each time on."""
    first_P = np.ceil(time_P * sample_rate).astype(int)
    n_PL = first_P[:, None] + np.arange(int(_GRAIN * sample_rate))
    age_PL = (n_PL / sample_rate - time_P[:, None]).astype(np.float32)
    gain_P4 = level_P[:, None] * (formants_P4[:, :1] / formants_P4) ** _TILT
    gain_P4 = np.where(formants_P4 < sound.NYQUIST_MARGIN * sample_rate, gain_P4, 0)
    wave_PL = np.zeros(age_PL.shape, np.float32)
    for k, bandwidth in enumerate(_BANDWIDTHS):
        turn_P = (2 * np.pi * formants_P4[:, k, None]).astype(np.float32)
        fade_L = np.exp(-np.float32(np.pi * bandwidth) * age_PL)
        # Neighbours of opposite sign, as the resonances of one tube in parallel.
        wave_PL += (
            ((-1) ** k * gain_P4[:, k, None]).astype(np.float32) * np.sin(turn_P * age_PL) * fade_L
        )
    inside = n_PL < samples
    return np.bincount(n_PL[inside], wave_PL[inside], samples)
