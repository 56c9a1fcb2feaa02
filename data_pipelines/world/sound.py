"""Sound of contacts: Hertzian force pulses driving banks of damped modes.

A mode (f, d, a) answers a force F with y[n] = 2 r cos(w) y[n-1] - r^2 y[n-2] + a r sin(w) F[n-1],
r = exp(-d / rate), w = 2 pi f / rate: a sine of amplitude a per unit impulse that decays as
exp(-d t), so T60 = 6.91 / d (van den Doel et al., FoleyAutomatic, 2001).
"""

import numpy as np
from scipy import signal

from data_pipelines.world.materials import Material

NYQUIST_MARGIN = 0.45  # modes above this fraction of the sample rate are left out
CEILING = 0.98
ROOM_TONE = 10 ** (-70 / 20)
_CLICK_LEVEL = 0.05
_CLICK_DECAY = 1e-3  # s


def decay_time(decay: float) -> float:
    """Seconds a mode takes to fall by 60 dB."""
    return 6.91 / decay


def modal(
    force_N: np.ndarray,
    modes: tuple[np.ndarray, np.ndarray, np.ndarray],
    sample_rate: int,
) -> np.ndarray:
    """float64[N]: the answer of modes (frequency, decay, amplitude) to a force."""
    sound_N = np.zeros(len(force_N))
    for frequency, decay, amplitude in zip(*modes, strict=True):
        if frequency > NYQUIST_MARGIN * sample_rate:
            continue
        r, w = np.exp(-decay / sample_rate), 2 * np.pi * frequency / sample_rate
        gain = amplitude * r * np.sin(w)
        sound_N += signal.lfilter([0, gain], [1, -2 * r * np.cos(w), r * r], force_N)
    return sound_N


def contact_force(
    samples: int, times: np.ndarray, speeds: np.ndarray, width: float, sample_rate: int
) -> np.ndarray:
    """float64[samples]: a Hann pulse of area `speed` from each time on, exact below one sample.

    By Hertz's law a contact lasts width * speed^-1/5 seconds: harder is shorter and brighter.
    """
    force_N = np.zeros(samples)
    for time, speed in zip(times, speeds, strict=True):
        length = max(width * speed**-0.2 * sample_rate, 2.0)
        first = int(np.ceil(time * sample_rate))
        n = np.arange(first, min(int(time * sample_rate + length) + 1, samples))
        phase = (n - time * sample_rate) / length
        force_N[n] += speed * (1 - np.cos(2 * np.pi * phase)) / length
    return force_N


def clicks(
    samples: int,
    times: np.ndarray,
    speeds: np.ndarray,
    level: float,
    sample_rate: int,
    noise: np.random.Generator,
) -> np.ndarray:
    """float64[samples]: a burst of noise at each contact."""
    sound_N = np.zeros(samples)
    length = int(8 * _CLICK_DECAY * sample_rate)
    for time, speed in zip(times, speeds, strict=True):
        burst = noise.standard_normal(length)
        first = int(np.ceil(time * sample_rate))
        age = (np.arange(first, first + length) - time * sample_rate) / sample_rate
        burst *= _CLICK_LEVEL * level * speed * np.exp(-age / _CLICK_DECAY)
        part = sound_N[first : first + length]
        part += burst[: len(part)]
    return sound_N


def struck(
    material: Material,
    size: float,
    jitter: np.ndarray,
    times: np.ndarray,
    speeds: np.ndarray,
    samples: int,
    sample_rate: int,
    noise: np.random.Generator,
) -> np.ndarray:
    """float64[samples]: a thing of `material` struck at `times` (s) with `speeds` (0..1)."""
    force_N = contact_force(samples, times, speeds, material.contact, sample_rate)
    sound_N = modal(force_N, material.modes(size, jitter), sample_rate)
    level = material.click * material.level
    return sound_N + clicks(samples, times, speeds, level, sample_rate, noise)


def rms(sound_N: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(sound_N))))


def finish(sound_N: np.ndarray, noise: np.random.Generator) -> tuple[np.ndarray, float]:
    """float32[N,1] with room tone, and its gain: a clip above the ceiling is turned down whole."""
    sound_N = sound_N + ROOM_TONE * noise.standard_normal(len(sound_N))
    gain = min(1.0, CEILING / np.abs(sound_N).max())
    return (sound_N * gain).astype(np.float32)[:, None], gain
