"""Whether a sound has the right pitch: YIN, and its error in cents.

YIN (de Cheveigné and Kawahara 2002, "YIN, a fundamental frequency estimator for speech and
music"), 80 ms windows every 20 ms. An error of about 1200 cents either way is an octave error.
"""

import dataclasses

import librosa
import numpy as np

WINDOW = 0.080  # s
HOP = 0.020  # s
NEAR_CENTS = 50.0
AUDIBLE_DB = 50.0  # a frame that lies further below the loudest has no pitch


@dataclasses.dataclass(frozen=True, kw_only=True)
class PitchMatch:
    """Frames of one clip whose true pitch is known: how many, and how they were hit."""

    frames: int
    near: int
    octaves: int
    cents: np.ndarray  # signed errors of the frames that have a pitch


def track(
    wave_N: np.ndarray, sample_rate: int, *, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Times of frames in s, and their pitch in Hz, NaN where nothing is heard: float[T] each."""
    window, hop = round(WINDOW * sample_rate), round(HOP * sample_rate)
    wave_N = np.asarray(wave_N, np.float64)
    frames_TK = np.lib.stride_tricks.sliding_window_view(wave_N, window)[::hop]
    power_T = np.square(frames_TK).mean(axis=1)
    heard_T = power_T > max(power_T.max() * 10 ** (-AUDIBLE_DB / 10), 1e-10)
    pitch_T = librosa.yin(
        wave_N,
        fmin=low,
        fmax=high,
        sr=sample_rate,
        frame_length=window,
        hop_length=hop,
        center=False,
    )
    times_T = np.arange(len(heard_T)) * hop / sample_rate + WINDOW / 2
    return times_T, np.where(heard_T, pitch_T[: len(heard_T)], np.nan)


def cents(frequency: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """How far a frequency lies above another, in hundredths of a semitone."""
    return 1200.0 * np.log2(frequency / reference)


def match_pitch(
    times_T: np.ndarray, pitch_T: np.ndarray, f0_K: np.ndarray, hz: float
) -> PitchMatch:
    """A pitch track against the true curve, of values at k / hz seconds."""
    true_T = np.interp(times_T, np.arange(len(f0_K)) / hz, f0_K)
    error_T = cents(pitch_T, true_T)
    error_T = error_T[np.isfinite(error_T)]
    folded_T = (error_T + 600.0) % 1200.0 - 600.0
    near_T = np.abs(error_T) <= NEAR_CENTS
    return PitchMatch(
        frames=len(times_T),
        near=int(near_T.sum()),
        octaves=int(((np.abs(folded_T) <= NEAR_CENTS) & ~near_T).sum()),
        cents=error_T,
    )
