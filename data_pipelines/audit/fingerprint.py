"""What a clip looks and sounds like, in few bits that survive coding, scaling and another level.

Picture: of each of eight frames, the signs of the 8x8 lowest coefficients of its cosine transform
about their median (pHash). Sound: with E[n,m] the energy of 33 bands from 300 to 3000 Hz in windows
of 0.37 s, the signs of (E[n,m] - E[n,m+1]) - (E[n-1,m] - E[n-1,m+1]); J. Haitsma and T. Kalker, "A
Highly Robust Audio Fingerprinting System", ISMIR 2002. Here each band gets FLOOR_DB of the loudest
window's energy as well, so that where there is only noise nothing changes, and bits of changes
below LEAST do not count.
"""

import dataclasses

import numpy as np
import scipy.fft

from v2a_jax.evaluation.examples import evenly
from v2a_jax.evaluation.spectral import mono

PICTURES = 8
FLAT = 2.0  # standard deviation of a picture without anything on it, of 255
LOW = 8
BANDS, LOWEST_HZ, HIGHEST_HZ = 33, 300.0, 3000.0
WINDOW_SECONDS, HOP_SECONDS = 0.37, 0.032
FLOOR_DB, SILENT = -30.0, 1e-6  # SILENT: mean power of the loudest window, -60 dB of full scale
LEAST = 0.04  # of log10: 0.4 dB
FEWEST_BITS = 128  # of a sound
PAIRED, TELLING = 4, 16  # hops between the words of a code to search by; its bits that count
REACH = 8  # hops that two sounds may be apart: 0.26 s
FAR = 0.5  # share of bits in which things differ that have nothing in common


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Fingerprint:
    """pictures uint64[8], words uint32[T], counts uint32[T] (bits that do); empty for none."""

    pictures: np.ndarray
    words: np.ndarray
    counts: np.ndarray

    def to_json(self) -> dict[str, str]:
        """Hexadecimal digits by name."""
        return {name: array.tobytes().hex() for name, array in vars(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, str]) -> "Fingerprint":
        """The inverse of `to_json`."""
        kinds = {"pictures": np.uint64, "words": np.uint32, "counts": np.uint32}
        arrays = {name: np.frombuffer(bytes.fromhex(values[name]), kinds[name]) for name in kinds}
        return cls(**arrays)

    def codes(self) -> np.ndarray:
        """Codes uint64 to search by: the pictures', and pairs of telling words 0.13 s apart."""
        known_T = (self.words & self.counts).astype(np.uint64)
        pairs_T = known_T[:-PAIRED] << np.uint64(32) | known_T[PAIRED:]
        told_T = np.bitwise_count(self.counts)
        telling_T = told_T[:-PAIRED] + told_T[PAIRED:] >= TELLING
        return np.concatenate([self.pictures, pairs_T[telling_T]])


def fingerprint(
    grey_FYX: np.ndarray | None, audio_NC: np.ndarray | None, sample_rate: int
) -> Fingerprint:
    """The fingerprint of a clip's small grey pictures and its sound."""
    words_T = counts_T = np.zeros(0, np.uint32)
    if audio_NC is not None:
        words_T, counts_T = sound_words(mono(audio_NC), sample_rate)
    pictures_K = np.zeros(0, np.uint64) if grey_FYX is None else picture_codes(grey_FYX)
    return Fingerprint(pictures=pictures_K, words=words_T, counts=counts_T)


def picture_codes(grey_FYX: np.ndarray) -> np.ndarray:
    """uint64[8], a code a frame; empty when most frames have nothing on them."""
    shown_KYX = evenly(grey_FYX, PICTURES)
    if np.median(shown_KYX.std(axis=(1, 2))) < FLAT:
        return np.zeros(0, np.uint64)
    low_KD = scipy.fft.dctn(shown_KYX, axes=(1, 2))[:, :LOW, :LOW].reshape(PICTURES, -1)
    bits_KD = low_KD > np.median(low_KD, axis=1, keepdims=True)
    return np.packbits(bits_KD, axis=1).view(np.uint64)[:, 0]


def sound_words(wave_N: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Words uint32[T], one each 32 ms, and their bits that count; empty when too few do."""
    window, hop = round(WINDOW_SECONDS * sample_rate), round(HOP_SECONDS * sample_rate)
    none = np.zeros(0, np.uint32), np.zeros(0, np.uint32)
    if len(wave_N) < 2 * window:
        return none
    frames_TK = np.lib.stride_tricks.sliding_window_view(wave_N, window)[::hop]
    if np.square(frames_TK).mean(axis=1).max() < SILENT:
        return none
    energy_TM = _band_energy(frames_TK, sample_rate)
    energy_TM += energy_TM.mean(axis=1).max() * 10 ** (FLOOR_DB / 10)
    rise_TM = np.diff(np.diff(np.log10(energy_TM), axis=1), axis=0)
    counts_T = _packed(np.abs(rise_TM) >= LEAST)
    if np.bitwise_count(counts_T).sum() < FEWEST_BITS:
        return none
    return _packed(rise_TM > 0), counts_T


def _packed(bits_TM: np.ndarray) -> np.ndarray:
    return np.packbits(bits_TM, axis=1).view(np.uint32)[:, 0]


def _band_energy(frames_TK: np.ndarray, sample_rate: int) -> np.ndarray:
    shaped_TK = frames_TK * np.hanning(frames_TK.shape[1]).astype(np.float32)
    power_TF = np.square(np.abs(scipy.fft.rfft(shaped_TK, axis=1)))
    edges_M = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1)
    first_M = np.round(edges_M * frames_TK.shape[1] / sample_rate).astype(int)
    return np.add.reduceat(power_TF[:, : first_M[-1]], first_M[:-1], axis=1)


def picture_distance(one: Fingerprint, other: Fingerprint) -> float | None:
    """Share of bits in which the pictures differ; None where one has none."""
    if not (len(one.pictures) and len(other.pictures)):
        return None
    return float(np.bitwise_count(one.pictures ^ other.pictures).mean() / 64)


def sound_distance(one: Fingerprint, other: Fingerprint) -> float | None:
    """Share of bits that differ, at the best shift up to 0.26 s; None where one has no sound.

    Of the bits that count in either; one that counts in one alone differs by a quarter.
    """
    if not (len(one.words) and len(other.words)):
        return None
    known = max(int(np.bitwise_count(side.counts).sum()) for side in (one, other))
    return min(_shifted(one, other, shift, known // 2) for shift in range(-REACH, REACH + 1))


def _shifted(one: Fingerprint, other: Fingerprint, shift: int, fewest: int) -> float:
    first, second = slice(max(0, shift), None), slice(max(0, -shift), None)
    count = min(len(one.words[first]), len(other.words[second]))
    ours_T, theirs_T = one.counts[first][:count], other.counts[second][:count]
    known = int(np.bitwise_count(ours_T | theirs_T).sum())
    if known < fewest:
        return FAR
    differ_T = (one.words[first][:count] ^ other.words[second][:count]) & ours_T & theirs_T
    unsure = np.bitwise_count(ours_T ^ theirs_T).sum() / 4
    return float((np.bitwise_count(differ_T).sum() + unsure) / known)
