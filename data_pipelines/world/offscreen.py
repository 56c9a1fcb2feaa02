"""Sounds of things that are not seen; only the caption tells that they are there.

A kind makes its sound from `rng` (what happens when; independent of the sample rate), `noise`, the
time of each sample and the length of the clip. With it comes the (start, end) in seconds of each
part of it.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy import signal

from data_pipelines.world import sound

Spans = list[tuple[float, float]]
Maker = Callable[
    [np.random.Generator, np.random.Generator, np.ndarray, float], tuple[np.ndarray, Spans]
]  # rng, noise, time_N, seconds -> sound_N at any level, spans


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """What a sound is called in captions, and how it is made."""

    phrase: str
    timbre: str
    make: Maker


def _rate(time_N: np.ndarray) -> float:
    return 1 / (time_N[1] - time_N[0])


def _onsets(
    rng: np.random.Generator, seconds: float, first: float, gap: tuple[float, float]
) -> np.ndarray:
    """Times from within `first` seconds on, `gap` apart, before the clip ends."""
    start = rng.uniform(0, min(first, 0.4 * seconds))
    gaps = rng.uniform(*gap, int(seconds / gap[0]) + 1)
    times = start + np.concatenate([[0], np.cumsum(gaps)])
    return times[times < seconds - 0.1]


def _gate(time_N: np.ndarray, start: float, end: float, ramp: float) -> np.ndarray:
    """Open from start to end, with linear ramps inside."""
    return np.clip(np.minimum(time_N - start, end - time_N) / ramp, 0, 1)


def _tone(frequency_N: np.ndarray, time_N: np.ndarray, amps: tuple[float, ...]) -> np.ndarray:
    """Harmonics of a gliding tone, without those that would fold."""
    rate = _rate(time_N)
    phase_N = 2 * np.pi * np.cumsum(frequency_N) / rate
    top = sound.NYQUIST_MARGIN * rate / frequency_N.max()
    return sum(a * np.sin(k * phase_N) for k, a in enumerate(amps, 1) if k <= top)


def _siren(
    rng: np.random.Generator, noise: np.random.Generator, time_N: np.ndarray, seconds: float
) -> tuple[np.ndarray, Spans]:
    """A tone that wails up and down, or changes between two pitches."""
    start, base = rng.uniform(0, 0.25 * seconds), rng.uniform(550, 750)
    rate, phase = rng.uniform(0.35, 0.8), rng.uniform(0, 1)
    swing_N = np.sin(2 * np.pi * (rate * time_N + phase))
    if rng.uniform() < 0.5:
        swing_N = np.tanh(30 * swing_N)
    frequency_N = base * 2 ** (0.45 * (1 + swing_N))
    wave_N = _tone(frequency_N, time_N, (1, 0.5, 0.3, 0.15))
    return wave_N * _gate(time_N, start, seconds, 0.08), [(start, seconds)]


def _bell(
    rng: np.random.Generator, noise: np.random.Generator, time_N: np.ndarray, seconds: float
) -> tuple[np.ndarray, Spans]:
    """A church bell: hum, prime, minor third, fifth, nominal; the low parts last."""
    times = _onsets(rng, seconds, 0.5, (1.0, 1.8))
    prime = rng.uniform(330, 620)
    ratios = np.array([0.5, 1, 1.183, 1.506, 2, 2.514, 2.662, 3.011, 4.166])
    amps = np.array([0.6, 0.8, 1, 0.3, 0.9, 0.3, 0.3, 0.4, 0.3])
    modes = prime * ratios, 1.2 + 0.9 * ratios**1.3, amps
    force_N = sound.contact_force(len(time_N), times, np.ones(len(times)), 4e-4, _rate(time_N))
    ends = [*times[1:], seconds]
    return sound.modal(force_N, modes, _rate(time_N)), list(zip(times, ends, strict=True))


def _birds(
    rng: np.random.Generator, noise: np.random.Generator, time_N: np.ndarray, seconds: float
) -> tuple[np.ndarray, Spans]:
    """Phrases of a few quick sweeps high up."""
    wave_N, spans = np.zeros(len(time_N)), []
    for start in _onsets(rng, seconds, 0.6, (0.7, 1.4)):
        low, step = rng.uniform(2300, 4200), rng.uniform(0.09, 0.15)
        sweep, chirps = rng.uniform(-0.35, 0.35), rng.integers(2, 6)
        for onset in start + step * np.arange(chirps):
            inside = (time_N >= onset) & (time_N < onset + 0.75 * step)
            age = (time_N[inside] - onset) / (0.75 * step)
            cycles = low * 0.75 * step * (age + 0.5 * sweep * age**2)
            audible = low * (1 + sweep * age) < sound.NYQUIST_MARGIN * _rate(time_N)
            wave_N[inside] += audible * np.sin(np.pi * age) ** 2 * np.sin(2 * np.pi * cycles)
        spans.append((start, min(start + chirps * step, seconds)))
    return wave_N, spans


def _thunder(
    rng: np.random.Generator, noise: np.random.Generator, time_N: np.ndarray, seconds: float
) -> tuple[np.ndarray, Spans]:
    """A crack, and a rumble that rolls on below 150 Hz."""
    rate = _rate(time_N)
    hiss_N = noise.standard_normal(len(time_N))
    rumble_N = signal.sosfilt(signal.butter(2, 150, fs=rate, output="sos"), hiss_N) * 8
    crack_N = signal.sosfilt(signal.butter(1, 900, fs=rate, output="sos"), hiss_N)
    envelope_N, snap_N, spans = np.zeros(len(time_N)), np.zeros(len(time_N)), []
    for start in _onsets(rng, seconds, 0.8, (1.8, 3.0)):
        age = np.maximum(time_N - start, 0)
        roll = 1 + 0.6 * np.sin(2 * np.pi * (rng.uniform(2, 5) * age + rng.uniform()))
        after = time_N >= start
        envelope_N += after * np.minimum(age / 0.04, 1) * np.exp(-age / rng.uniform(0.5, 1)) * roll
        snap_N += after * np.exp(-age / 0.06)
        spans.append((start, min(start + 2.0, seconds)))
    return rumble_N * envelope_N + crack_N * snap_N, spans


def _phone(
    rng: np.random.Generator, noise: np.random.Generator, time_N: np.ndarray, seconds: float
) -> tuple[np.ndarray, Spans]:
    """Rings of two tones in quick alternation."""
    pitch, rate = rng.uniform(1050, 1500), rng.uniform(18, 26)
    ring, spans = rng.uniform(0.5, 0.8), []
    high_N = (np.floor(2 * rate * time_N) % 2).astype(bool)
    wave_N = _tone(np.where(high_N, 1.26 * pitch, pitch), time_N, (1, 0.3, 0.4))
    gate_N = np.zeros(len(time_N))
    for start in _onsets(rng, seconds, 0.4, (ring + 0.3, ring + 0.5)):
        end = min(start + ring, seconds)
        gate_N += _gate(time_N, start, end, 0.01)
        spans.append((start, end))
    return wave_N * gate_N, spans


def _knocks(
    rng: np.random.Generator, noise: np.random.Generator, time_N: np.ndarray, seconds: float
) -> tuple[np.ndarray, Spans]:
    """Three or four knuckles' knocks on a door, and again."""
    groups = _onsets(rng, seconds, 0.6, (1.3, 2.2))
    step, count, low = rng.uniform(0.15, 0.22), rng.integers(3, 5), rng.uniform(120, 190)
    times = (groups[:, None] + step * np.arange(count)).ravel()
    times = times[times < seconds - 0.05]
    speeds = rng.uniform(0.7, 1.0, len(times))
    modes = (
        low * np.array([1, 1.8, 2.9, 4.6]),
        np.array([55, 70, 90, 130]),
        np.array([1, 0.8, 0.5, 0.3]),
    )
    force_N = sound.contact_force(len(time_N), times, speeds, 1.5e-3, _rate(time_N))
    return sound.modal(force_N, modes, _rate(time_N)), [(t, min(t + 0.1, seconds)) for t in times]


KINDS = {
    "siren": Kind(phrase="a siren is heard", timbre="a wailing siren", make=_siren),
    "bell": Kind(phrase="a bell is heard", timbre="a tolling bell", make=_bell),
    "birds": Kind(phrase="birds are heard", timbre="chirping birds", make=_birds),
    "thunder": Kind(phrase="thunder is heard", timbre="rolling thunder", make=_thunder),
    "phone": Kind(phrase="a phone is heard", timbre="a ringing phone", make=_phone),
    "knocks": Kind(phrase="knocks are heard", timbre="knocks on a door", make=_knocks),
}
