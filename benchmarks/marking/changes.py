"""What happens to sound besides encoding: float32[N,C], rate, generator, options -> float[M,C]."""

import io

import librosa
import numpy as np
import scipy.fft
import soundfile
from scipy.ndimage import median_filter
from scipy.signal import butter, fftconvolve, sosfilt

from marking.clips import FRAME_SECONDS, heard_frames
from marking.ffmpeg import BLOCK, fit, resample
from marking.sounds import coloured

VOCODER_SECONDS = 2048 / 48000  # of a window of the phase vocoder

Random = np.random.Generator


def at_level(part_NC: np.ndarray, beside_NC: np.ndarray, db: float) -> np.ndarray:
    """`part_NC` scaled so that its mean power is `db` above that of `beside_NC`."""
    wanted, own = (np.mean(np.square(x, dtype=np.float64)) for x in (beside_NC, part_NC))
    return part_NC * np.sqrt(wanted / own * 10 ** (db / 10))


def noisy(wave: np.ndarray, _rate: int, rng: Random, *, snr: float, exponent: float) -> np.ndarray:
    """With noise of power f^-exponent, `snr` dB below the clip's mean power."""
    noise = [coloured(len(wave), exponent, rng) for _ in wave.T]
    return wave + at_level(np.stack(noise, axis=1), wave, -snr)


def mixed(
    wave: np.ndarray, _rate: int, _rng: Random, *, other: np.ndarray, db: float
) -> np.ndarray:
    """With another sound of the same length, the wave `db` above it in mean power."""
    other = np.broadcast_to(other.mean(1, keepdims=True), wave.shape)
    return wave + at_level(other, wave, -db)


def faster(wave: np.ndarray, rate: int, _rng: Random, *, factor: float) -> np.ndarray:
    """Tape speed: `factor` times shorter and higher."""
    return resample(wave, rate * factor, rate)


def stretched(wave: np.ndarray, rate: int, _rng: Random, *, factor: float) -> np.ndarray:
    """`factor` times shorter at the same pitch, by a phase vocoder."""
    return librosa.effects.time_stretch(wave.T, rate=factor, n_fft=_window(rate)).T


def transposed(wave: np.ndarray, rate: int, _rng: Random, *, semitones: float) -> np.ndarray:
    """Higher by so many semitones at the same length, by a phase vocoder."""
    return librosa.effects.pitch_shift(wave.T, sr=rate, n_steps=semitones, n_fft=_window(rate)).T


def cropped(wave: np.ndarray, rate: int, rng: Random, *, seconds: float) -> np.ndarray:
    """A piece from a random place where at least half of it sounds, or else the most does."""
    frames = round(seconds / FRAME_SECONDS)
    sounding = np.convolve(heard_frames(wave, rate), np.ones(frames), "valid")
    good = np.flatnonzero(sounding >= min(frames / 2, sounding.max()))
    start = round(rng.choice(good) * FRAME_SECONDS * rate)
    return wave[start : start + round(seconds * rate)]


def echoing(
    wave: np.ndarray, rate: int, _rng: Random, *, seconds: float, gain: float
) -> np.ndarray:
    """With one repetition of itself."""
    late = np.pad(wave, ((round(seconds * rate), 0), (0, 0)))
    return wave + gain * late[: len(wave)]


def reverberant(wave: np.ndarray, rate: int, rng: Random, *, t60: float) -> np.ndarray:
    """With reverberation as loud as the direct sound, falling by 60 dB in `t60` seconds."""
    t_L = np.arange(int(t60 * rate)) / rate
    tail_L = rng.standard_normal(t_L.size) * 10 ** (-3 * t_L / t60)
    wet = fftconvolve(wave, tail_L[:, None], axes=0)[: len(wave)]
    return wave + at_level(wet, wave, 0)


def cut(wave: np.ndarray, rate: int, rng: Random, *, count: int, seconds: float) -> np.ndarray:
    """Without `count` short pieces, what follows moved up."""
    return wave[~_holes(len(wave), rate, rng, count, seconds)]


def muted(wave: np.ndarray, rate: int, rng: Random, *, count: int, seconds: float) -> np.ndarray:
    """With `count` short pieces silenced."""
    return wave * ~_holes(len(wave), rate, rng, count, seconds)[:, None]


def dropping(wave: np.ndarray, _rate: int, rng: Random, *, share: float) -> np.ndarray:
    """With a share of its samples set to zero."""
    return wave * (rng.random((len(wave), 1)) >= share)


def spliced(wave: np.ndarray, rate: int, rng: Random, *, count: int, seconds: float) -> np.ndarray:
    """Excerpts from random places, joined without a fade."""
    length = round(seconds * rate)
    starts = rng.integers(0, len(wave) - length + 1, count)
    return np.concatenate([wave[start : start + length] for start in starts])


def backwards(wave: np.ndarray, rate: int, _rng: Random, *, seconds: float) -> np.ndarray:
    """Its pieces of `seconds`, each played forwards, in reverse order."""
    borders = range(round(seconds * rate), len(wave), round(seconds * rate))
    return np.concatenate(np.split(wave, borders)[::-1])


def rounded(wave: np.ndarray, _rate: int, _rng: Random, *, bits: int) -> np.ndarray:
    """With so many bits over its own range."""
    steps = (2 ** (bits - 1) - 1) / np.abs(wave).max()
    return np.round(wave * steps) / steps


def median(wave: np.ndarray, _rate: int, _rng: Random, *, size: int) -> np.ndarray:
    """The median of `size` samples."""
    return median_filter(wave, (size, 1))


def passed(wave: np.ndarray, rate: int, _rng: Random, *, hz: float, kind: str) -> np.ndarray:
    """Through a Butterworth filter of fourth order."""
    return sosfilt(butter(4, hz, kind, fs=rate, output="sos"), wave, axis=0)


def louder(wave: np.ndarray, _rate: int, _rng: Random, *, db: float) -> np.ndarray:
    """By so many dB, clipped at full scale."""
    return np.clip(wave * 10 ** (db / 20), -1, 1)


def inverted(wave: np.ndarray, _rate: int, _rng: Random) -> np.ndarray:
    """With the other polarity."""
    return -wave


def mono(wave: np.ndarray, _rate: int, _rng: Random) -> np.ndarray:
    """The mean of its channels."""
    return wave.mean(1, keepdims=True)


def vorbis(wave: np.ndarray, rate: int, _rng: Random, *, quality: float) -> np.ndarray:
    """Ogg Vorbis of quality 0 to 1 by libsndfile: FFmpeg often comes without libvorbis."""
    file = io.BytesIO()
    form = dict(format="OGG", subtype="VORBIS", compression_level=1 - quality)
    with soundfile.SoundFile(file, "w", rate, wave.shape[1], **form) as output:
        for first in range(0, len(wave), BLOCK):
            output.write(wave[first : first + BLOCK])
    file.seek(0)
    return fit(soundfile.read(file, dtype="float32", always_2d=True)[0], len(wave))


def _window(rate: int) -> int:
    return scipy.fft.next_fast_len(round(VOCODER_SECONDS * rate))


def _holes(samples: int, rate: int, rng: Random, count: int, seconds: float) -> np.ndarray:
    holes_N = np.zeros(samples, bool)
    length = round(seconds * rate)
    for start in rng.integers(0, samples - length, count):
        holes_N[start : start + length] = True
    return holes_N
