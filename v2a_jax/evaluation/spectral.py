"""The spectral front end every judge shares: mel power spectra on a time axis in seconds.

Frame k is centred on t_k = k * hop; its window is a 32 ms Hann window, whatever the sample rate.
A full-scale sine has power 1 (0 dB) in the band it falls into.
"""

import functools

import librosa
import numpy as np

WINDOW_SECONDS = 0.032  # 512 samples at 16 kHz
LOWEST_HZ = 50.0
SILENCE_POWER = 1e-10  # -100 dB, below 16-bit quantisation noise: keeps the logarithm finite


def mono(audio_NC: np.ndarray) -> np.ndarray:
    """Mean of the channels: float[N,C] or float[N] -> float32[N]."""
    audio_NC = np.asarray(audio_NC, np.float32)
    return audio_NC if audio_NC.ndim == 1 else audio_NC.mean(axis=1)


def mel_power(wave_N: np.ndarray, *, sample_rate: int, bands: int, hop: float) -> np.ndarray:
    """Mel power spectrum float32[T,bands] of one channel, T = floor(seconds / hop) + 1."""
    window = round(WINDOW_SECONDS * sample_rate)
    frames = int(len(wave_N) / sample_rate / hop) + 1
    padded = np.pad(np.asarray(wave_N, np.float32), window)
    starts_T = np.round(np.arange(frames) * hop * sample_rate).astype(int) + window - window // 2
    frames_TK = np.lib.stride_tricks.sliding_window_view(padded, window)[starts_T]
    spectrum_TF = np.fft.rfft(frames_TK * _hann(window), axis=1)
    return (np.abs(spectrum_TF) ** 2).astype(np.float32) @ _mel_filters(sample_rate, window, bands)


def decibels(power: np.ndarray, *, span: float) -> np.ndarray:
    """10 log10 of power, floored `span` dB below its own maximum."""
    level = 10.0 * np.log10(np.maximum(power, SILENCE_POWER))
    return np.maximum(level, level.max() - span)


@functools.cache
def _hann(window: int) -> np.ndarray:
    hann_K = np.hanning(window + 1)[:-1]
    return (2.0 * hann_K / hann_K.sum()).astype(np.float32)


@functools.cache
def _mel_filters(sample_rate: int, window: int, bands: int) -> np.ndarray:
    filters_MF = librosa.filters.mel(
        sr=sample_rate, n_fft=window, n_mels=bands, fmin=LOWEST_HZ, norm=None
    )
    return filters_MF.T.astype(np.float32)
