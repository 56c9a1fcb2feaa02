"""Sounds made from a seed alone, at any sample rate: notes, noises, syllables, ticks, a world.

Each takes (seconds, sample rate, seed) and gives float32[N,1] within [-1, 1].
"""

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from data_pipelines.world import WorldConfig, WorldSource, scenes

NYQUIST_MARGIN = 0.45  # nothing is placed above this fraction of the sample rate
CHORD = np.array([0, 3, 7, 10, 12, 14, 15, 19])  # semitones
FORMANTS = (  # Hz of five vowels: Peterson & Barney, 1952
    (730, 1090, 2440, 3400),
    (530, 1840, 2480, 3500),
    (270, 2290, 3010, 3600),
    (570, 840, 2410, 3300),
    (300, 870, 2240, 3300),
)
QUIET = 1e-3  # -60 dBFS


def coloured(samples: int, exponent: float, rng: np.random.Generator) -> np.ndarray:
    """float64[samples] of noise whose power falls as f^-exponent: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    scale = np.maximum(np.arange(len(spectrum)), 1) ** (-exponent / 2)
    noise_N = np.fft.irfft(spectrum * scale, n=samples)
    return noise_N / noise_N.std()


def notes(seconds: float, rate: int, seed: int) -> np.ndarray:
    """Music-like: chords (even seeds) or arpeggios of plucked, bowed or bell-like notes."""
    rng = np.random.default_rng([seed, 1])
    sound_N = np.zeros(round(seconds * rate))
    root, beat = 110 * 2 ** (rng.integers(24) / 12), rng.uniform(0.12, 0.6)
    decay, together = rng.uniform(0.1, 1.2), 3 if seed % 2 == 0 else 1
    stretch, tilt = rng.choice([1.0, 1.0, 1.35]), rng.uniform(0.4, 1.0)  # 1.35: a bell's partials
    for onset in np.arange(0, seconds - 0.05, beat):
        for step in rng.choice(CHORD, together, replace=False):
            partials = root * 2 ** (step / 12) * np.arange(1, 16) ** stretch
            partials = partials[partials < NYQUIST_MARGIN * rate]
            _add(sound_N, onset, rate, _note(partials, tilt, decay, rate, rng))
    return _finish(sound_N, rng)


def noise(seconds: float, rate: int, seed: int) -> np.ndarray:
    """White, pink or brown noise; every other seed in bursts."""
    rng = np.random.default_rng([seed, 2])
    sound_N = coloured(round(seconds * rate), float(seed % 3), rng)
    if seed // 3 % 2:
        gain_N = np.full(len(sound_N), 0.01)
        for onset in np.cumsum(rng.uniform(0.2, 0.8, int(seconds / 0.2))):
            length = rng.uniform(0.05, 0.5)
            _add(gain_N, onset, rate, np.hanning(round(length * rate)) * rng.uniform(0.2, 1))
        sound_N *= gain_N
    return _finish(sound_N, rng)


def speech(seconds: float, rate: int, seed: int) -> np.ndarray:
    """Speech-like: random vowels of a gliding voice through four formants, hisses, and pauses."""
    rng = np.random.default_rng([seed, 3])
    sound_N = np.zeros(round(seconds * rate))
    base, onset = rng.uniform(85, 230), 0.1
    while onset < seconds - 0.1:
        length = rng.uniform(0.1, 0.3)
        _add(sound_N, onset, rate, _vowel(length, base * rng.uniform(0.85, 1.25), rate, rng))
        if rng.random() < 0.4:
            _add(sound_N, onset + 0.8 * length, rate, _hiss(rng.uniform(0.05, 0.12), rate, rng))
        onset += length * rng.uniform(0.8, 1.2) + (
            rng.uniform(0.2, 0.5) if rng.random() < 0.15 else 0
        )
    return _finish(sound_N, rng)


def ticks(seconds: float, rate: int, seed: int) -> np.ndarray:
    """Clicks, 6 to 16 a second, each dead after a few hundredths of one, over faint room tone."""
    rng = np.random.default_rng([seed, 4])
    sound_N = 3e-4 * rng.standard_normal(round(seconds * rate))
    gap, centre = 1 / rng.uniform(6, 16), rng.uniform(500, 0.3 * rate)
    for onset in np.arange(gap, seconds, gap):
        t = np.arange(int(0.1 * rate)) / rate
        body = np.sin(2 * np.pi * centre * rng.uniform(0.9, 1.1) * t) + rng.standard_normal(t.size)
        click = body * np.exp(-t / rng.uniform(0.002, 0.015)) * rng.uniform(0.3, 1)
        _add(sound_N, onset + rng.uniform(-0.2, 0.2) * gap, rate, click)
    return _finish(sound_N, rng)


def world(seconds: float, rate: int, seed: int) -> np.ndarray:
    """The sound of the procedural world's clip number `seed`."""
    config = WorldConfig(
        seed=0,
        split="watermark",
        clips=seed + 1,
        seconds=seconds,
        fps=1,
        size=32,
        sample_rate=rate,
        classes=scenes.names(),
        offscreen_probability=0.5,
    )
    return WorldSource(config)[seed].audio


def quiet(seconds: float, rate: int, seed: int) -> np.ndarray:
    """Notes, noise or speech so faint that its RMS is -60 dBFS."""
    sound_N1 = (notes, noise, speech)[seed % 3](seconds, rate, seed)
    return sound_N1 * np.float32(QUIET / np.sqrt(np.mean(sound_N1**2)))


def _note(
    partials: np.ndarray, tilt: float, decay: float, rate: int, rng: np.random.Generator
) -> np.ndarray:
    t = np.arange(int(min(5 * decay, 2.0) * rate)) / rate
    note = np.zeros(t.size)
    for number, hz in enumerate(partials, start=1):
        level = number**-tilt * rng.uniform(0.3, 1) * np.exp(-t * number**0.5 / decay)
        note += level * np.sin(2 * np.pi * (hz * t + rng.random()))
    return note * np.minimum(t / 0.004, 1) * rng.uniform(0.4, 1)


def _vowel(length: float, hz: float, rate: int, rng: np.random.Generator) -> np.ndarray:
    samples = int(length * rate)
    glide = hz * (1 + rng.uniform(-0.15, 0.15) * np.linspace(-1, 1, samples))
    phase = np.cumsum(glide) / rate
    voice = np.diff(np.floor(phase), prepend=0) + 0.01 * rng.standard_normal(samples)
    for formant in FORMANTS[rng.integers(len(FORMANTS))]:
        if formant < NYQUIST_MARGIN * rate:
            radius, angle = np.exp(-np.pi * (50 + 0.04 * formant) / rate), formant / rate
            poles = [1, -2 * radius * np.cos(2 * np.pi * angle), radius**2]
            voice = lfilter([sum(poles)], poles, voice)
    return voice / np.abs(voice).max() * np.hanning(samples) ** 0.5


def _hiss(length: float, rate: int, rng: np.random.Generator) -> np.ndarray:
    edges = np.array([2500, min(9000, NYQUIST_MARGIN * rate)])
    burst = rng.standard_normal(int(length * rate)) * np.hanning(int(length * rate))
    return 0.15 * sosfilt(butter(2, edges, "bandpass", fs=rate, output="sos"), burst)


def _add(sound_N: np.ndarray, onset: float, rate: int, part: np.ndarray) -> None:
    room = sound_N[max(int(onset * rate), 0) :][: len(part)]
    room += part[: len(room)]


def _finish(sound_N: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    peak = rng.uniform(0.1, 0.9)
    return (sound_N * (peak / np.abs(sound_N).max())).astype(np.float32)[:, None]
