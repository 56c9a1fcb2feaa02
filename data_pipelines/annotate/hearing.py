"""What can be measured in a sound: its level, onsets, pitch, brightness and noisiness.

Everything is measured at 16 kHz in one channel. Onsets are those of `evaluation.onsets`; the level
is the RMS of 20 ms; pitch is librosa's probabilistic YIN, brightness its spectral centroid and
noisiness its spectral flatness, each over the frames that sound.
"""

import dataclasses

import librosa
import numpy as np
import scipy.signal
import soxr

from v2a_jax.evaluation.onsets import detect_onsets
from v2a_jax.evaluation.spectral import mono

RATE = 16000
HOP = 0.01  # seconds between levels
_WINDOW = 0.02
_FRAME, _STEP = 1024, 512  # samples, of pitch and spectra
_LOWEST_HZ, _HIGHEST_HZ = 65.0, 4000.0
_SOUNDING_DB = 30.0  # below the loudest moment
_STANDS_OUT_DB = 3.0
_FLOOR_DB, _TINY = -120.0, 1e-12
_BEFORE, _AFTER, _LATER = 0.08, 0.10, 0.35  # seconds around an onset
_QUANTISE = 0.5  # of a semitone: finer ones take pYIN much longer


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """Measures of one sound; levels are dB of full scale.

    level_T            every 10 ms
    sounding           share of the time that is within 30 dB of the loudest moment
    onset_E            seconds at which something begins, ascending
    rise_E, fall_E     dB by which the level rises at each, and falls soon after
    attack_E           seconds from a tenth of the onset's amplitude to its top
    peak_E             level of each
    other_P            dB by which each peak of the level stands out that no onset accounts for
    voiced             share of the sounding frames that have a pitch
    pitch_V            pitch of those frames, in semitones (MIDI numbers)
    centroid           Hz, mean over the sounding frames
    flatness           0 of a tone to about 0.5 of white noise, the median of the sounding frames
    """

    level_T: np.ndarray
    sounding: float
    onset_E: np.ndarray
    rise_E: np.ndarray
    fall_E: np.ndarray
    attack_E: np.ndarray
    peak_E: np.ndarray
    other_P: np.ndarray
    voiced: float
    pitch_V: np.ndarray
    centroid: float
    flatness: float


def listen(audio_NC: np.ndarray, sample_rate: int) -> Heard:
    """Measures float[N,C], at least 0.1 s of it; a file may hold any float, and it is clipped."""
    audible_NC = np.clip(np.nan_to_num(audio_NC), -1.0, 1.0)
    wave_N = soxr.resample(mono(audible_NC), sample_rate, RATE)
    level_T = _levels(wave_N)
    onset_E = detect_onsets(wave_N, RATE)
    around = np.array([_around(level_T, time) for time in onset_E]).reshape(-1, 4)
    spectrum_BK = np.abs(librosa.stft(wave_N, n_fft=_FRAME, hop_length=_STEP))
    power_K = np.square(spectrum_BK).sum(axis=0) + _TINY
    loud_K = power_K >= power_K.max() * 10 ** (-_SOUNDING_DB / 10)
    centroid_K = librosa.feature.spectral_centroid(S=spectrum_BK, sr=RATE)[0]
    flatness_K = librosa.feature.spectral_flatness(S=spectrum_BK)[0]
    pitch_K = np.where(loud_K, _pitch(wave_N, spectrum_BK), np.nan)
    sung_K = np.isfinite(pitch_K)
    return Heard(
        level_T=level_T,
        sounding=float((level_T > level_T.max() - _SOUNDING_DB).mean()),
        onset_E=onset_E,
        rise_E=around[:, 0],
        fall_E=around[:, 1],
        attack_E=around[:, 2],
        peak_E=around[:, 3],
        other_P=_unaccounted(level_T, onset_E),
        voiced=float(sung_K.sum() / loud_K.sum()),
        pitch_V=pitch_K[sung_K],
        centroid=float(np.average(centroid_K, weights=power_K)),
        flatness=float(np.median(flatness_K[loud_K])),
    )


def _pitch(wave_N: np.ndarray, spectrum_BK: np.ndarray) -> np.ndarray:
    """Semitones of each frame, NaN without pitch.

    Of a chord or a bell, pYIN tells a pitch far below all that sounds: one that does not sound
    itself is none.
    """
    pitch_K, _, _ = librosa.pyin(
        wave_N,
        sr=RATE,
        fmin=_LOWEST_HZ,
        fmax=_HIGHEST_HZ,
        frame_length=_FRAME,
        hop_length=_STEP,
        resolution=_QUANTISE,
    )
    bin_K = np.round(np.nan_to_num(pitch_K) * _FRAME / RATE).astype(int)
    near_3K = spectrum_BK[bin_K + np.array([[-1], [0], [1]]), np.arange(len(bin_K))]
    sounds_K = near_3K.max(axis=0) >= 10 ** (-_SOUNDING_DB / 20) * spectrum_BK.max(axis=0)
    return np.where(sounds_K, librosa.hz_to_midi(pitch_K), np.nan)


def _levels(wave_N: np.ndarray) -> np.ndarray:
    """RMS in dB, float[T]; the T-th is centred on T * HOP."""
    hop, window = round(HOP * RATE), round(_WINDOW * RATE)
    padded = np.pad(np.square(wave_N, dtype=np.float64), window // 2)
    total = np.concatenate([[0.0], np.cumsum(padded)])
    starts = np.arange(0, len(wave_N), hop)
    power_T = (total[starts + window] - total[starts]) / window
    return 10 * np.log10(np.maximum(power_T, 10 ** (_FLOOR_DB / 10)))


def _unaccounted(level_T: np.ndarray, onset_E: np.ndarray) -> np.ndarray:
    """Prominence of the level's peaks, in dB, of those that follow no onset at once."""
    top, found = scipy.signal.find_peaks(level_T, prominence=_STANDS_OUT_DB)
    since_PE = np.subtract.outer(top * HOP, onset_E)
    alone_P = ~((since_PE > -_BEFORE) & (since_PE < _AFTER)).any(axis=1)
    return found["prominences"][alone_P]


def _around(level_T: np.ndarray, time: float) -> tuple[float, float, float, float]:
    """How an onset rises and falls, in dB; its attack in seconds; and its level."""
    k = min(round(time / HOP), len(level_T) - 1)
    before = np.median(level_T[max(0, k - round(_BEFORE / HOP)) : max(1, k - 1)])
    first = max(0, k - 2)
    top = first + int(np.argmax(level_T[first : k + 1 + round(_AFTER / HOP)]))
    peak = level_T[top]
    later_T = level_T[top : top + round(_LATER / HOP)]
    below = np.flatnonzero(level_T[: top + 1] < peak - 20)
    attack = (top - below[-1]) * HOP if len(below) else top * HOP
    return float(peak - before), float(peak - later_T.min()), float(attack), float(peak)
