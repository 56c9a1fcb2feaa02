"""Estimates of how much of a sound is speech, and how much music, from its signal alone.

music   share of loud time in which most of the power lies in partials that are held for 0.2 s
speech  share of loud time that is voiced, times that of it in which the pitch glides, times what is
        not held

They show the tendency of a set of clips and are no classifier of one: bells and sirens hold their
partials too. Of 15 stretches of speech (digits, a countdown, talk by a fire, synthetic voices), 11
of music and 20 of other sounds, `speech` is SPEECH or more for 14, 0 and 2, and `music` is MUSIC or
more for 3, 11 and 7 (struck metal, bells and sirens). Both bounds were chosen on these sounds.
"""

import numpy as np
import scipy.fft
from scipy.ndimage import maximum_filter1d, minimum_filter1d

SPEECH, MUSIC = 0.22, 0.5  # from here on a clip is counted as either
TONE_SECONDS, HELD_SECONDS, HOP_SECONDS = 0.064, 0.2, 0.016
VOICE_SECONDS, VOICE_HZ, VOICED = 0.04, (80.0, 400.0), 0.6
GLIDE = 0.003, 0.06  # octaves in a hop: less is a tone, more a jump
LOUD_DB, SILENT = -40.0, 1e-6


def speech_and_music(wave_N: np.ndarray, sample_rate: int) -> tuple[float, float]:
    """Both shares of one channel, 0..1; 0 for silence and for less than a quarter of a second."""
    if len(wave_N) < sample_rate / 4:
        return 0.0, 0.0
    held = _held_share(_frames(wave_N, sample_rate, TONE_SECONDS), sample_rate)
    frames_TK = _frames(wave_N, sample_rate, VOICE_SECONDS)
    return _gliding_share(frames_TK, sample_rate) * (1.0 - held), held


def _frames(wave_N: np.ndarray, sample_rate: int, seconds: float) -> np.ndarray:
    """Hann windows float32[T,K]."""
    size, hop = round(seconds * sample_rate), round(HOP_SECONDS * sample_rate)
    frames_TK = np.lib.stride_tricks.sliding_window_view(wave_N, size)[::hop]
    return frames_TK * np.hanning(size).astype(np.float32)


def _loud(frames_TK: np.ndarray) -> np.ndarray:
    power_T = np.square(frames_TK).mean(axis=1)
    return power_T >= max(SILENT, float(power_T.max()) * 10 ** (LOUD_DB / 10))


def _held_share(frames_TK: np.ndarray, sample_rate: int) -> float:
    loud_T = _loud(frames_TK)
    if not loud_T.any():
        return 0.0
    power_TF = np.square(np.abs(scipy.fft.rfft(frames_TK, axis=1)))
    peak_TF = np.zeros(power_TF.shape, bool)
    middle_TF = power_TF[:, 2:-2]
    peak_TF[:, 2:-2] = (middle_TF > power_TF[:, 1:-3]) & (middle_TF >= power_TF[:, 3:-1])
    peak_TF[:, 2:-2] &= middle_TF > 4 * np.minimum(power_TF[:, :-4], power_TF[:, 4:])
    # A partial may waver between two bins, and its peak is as wide as the window makes it.
    near_TF = maximum_filter1d(peak_TF.astype(np.uint8), 3, axis=1)
    held = round(HELD_SECONDS / HOP_SECONDS)
    held_TF = maximum_filter1d(minimum_filter1d(near_TF, held, axis=0), held, axis=0)
    tonal_T = (power_TF * held_TF).sum(axis=1) / np.maximum(power_TF.sum(axis=1), 1e-12)
    return float((tonal_T[loud_T] > 0.5).mean())


def _gliding_share(frames_TK: np.ndarray, sample_rate: int) -> float:
    loud_T = _loud(frames_TK)
    if not loud_T.any():
        return 0.0
    size = frames_TK.shape[1]
    power_TF = np.square(np.abs(scipy.fft.rfft(frames_TK, 2 * size, axis=1)))
    again_TL = scipy.fft.irfft(power_TF, axis=1)
    shape_L = scipy.fft.irfft(np.square(np.abs(scipy.fft.rfft(np.hanning(size), 2 * size))))
    first, last = (round(sample_rate / hertz) for hertz in reversed(VOICE_HZ))
    likeness_TL = again_TL[:, first:last] / np.maximum(again_TL[:, :1], 1e-12)
    likeness_TL /= shape_L[first:last] / shape_L[0]
    voiced_T = loud_T & (likeness_TL.max(axis=1) > VOICED)
    octave_T = np.log2(first + likeness_TL.argmax(axis=1))
    step_T = np.abs(np.diff(octave_T))[voiced_T[1:] & voiced_T[:-1]]
    if not len(step_T):
        return 0.0
    glides = (step_T > GLIDE[0]) & (step_T < GLIDE[1])
    return float(voiced_T[loud_T].mean() * glides.mean())
