"""What is wrong with a sound: silence, clipping, a constant part, highs that are missing.

bandwidth = f / (rate / 2), f the highest frequency whose mean power (Welch) lies less than 85 dB
below that of the strongest, and 6 dB above the noise of 16 bits. Rooms and microphones have noise
at every frequency; a sound that was resampled from a lower rate has none above half of that rate.
"""

import numpy as np
import scipy.signal

WINDOW_SECONDS = 0.05
FULL_SCALE, CLIPPED_RUN = 0.99, 3
SPAN_DB, SPECTRUM = 85.0, 1024
FLOOR = 1e-10
QUANTISED = 4 * 2.0**-30 / 12  # power in all of the band, 6 dB above that of rounding to 16 bits


def decibels(amplitude: float) -> float:
    """Level in dB of full scale; -200 for nothing."""
    return float(20 * np.log10(max(amplitude, FLOOR)))


def level(audio_NC: np.ndarray) -> float:
    """RMS of all samples in dB of full scale."""
    return decibels(float(np.sqrt(np.mean(np.square(audio_NC, dtype=np.float64)))))


def silent_share(audio_NC: np.ndarray, sample_rate: int, silence_db: float) -> float:
    """Share of windows of 50 ms (at least one) whose RMS is below `silence_db` in every channel."""
    window = min(len(audio_NC), max(1, round(WINDOW_SECONDS * sample_rate)))
    whole_NC = audio_NC[: len(audio_NC) // window * window]
    power_TKC = np.square(whole_NC, dtype=np.float64).reshape(-1, window, audio_NC.shape[1])
    power_T = power_TKC.mean(axis=1).max(axis=1)
    return float((power_T < 10 ** (silence_db / 10)).mean())


def clipped_share(audio_NC: np.ndarray) -> float:
    """Share of samples in runs of at least three at full scale (0.99), in the worst channel.

    A pure tone below 100 Hz at exactly full scale looks the same.
    """
    worst = 0
    for wave_N in audio_NC.T:
        edges = np.diff(np.abs(wave_N) >= FULL_SCALE, prepend=False, append=False)
        starts, ends = np.flatnonzero(edges).reshape(-1, 2).T
        runs = ends - starts
        worst = max(worst, int(runs[runs >= CLIPPED_RUN].sum()))
    return worst / len(audio_NC)


def constant_part(audio_NC: np.ndarray) -> float:
    """Largest mean of a channel, without its sign, of full scale."""
    return float(np.abs(audio_NC.mean(axis=0, dtype=np.float64)).max())


def bandwidth(audio_NC: np.ndarray, sample_rate: int) -> float:
    """Highest frequency that is there, of half the sample rate."""
    size = min(SPECTRUM, len(audio_NC))
    _, power_KC = scipy.signal.welch(audio_NC, sample_rate, nperseg=size, axis=0)
    power_K = power_KC.max(axis=1)
    least = max(power_K.max() * 10 ** (-SPAN_DB / 10), QUANTISED / (sample_rate / 2))
    present = np.flatnonzero(power_K > least)
    return float(present[-1] / (len(power_K) - 1)) if len(present) else 0.0
