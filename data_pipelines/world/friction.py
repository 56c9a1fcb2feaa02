"""Sound of surfaces that move over each other: a fractal texture read at the speed of the contact.

The force of a contact at x(t) is F = |v(t)| s(x(t)), s noise with amplitude spectrum k^-rough; it
drives a bank of modes as a blow does (van den Doel et al., FoleyAutomatic, 2001).
"""

import numpy as np

from data_pipelines.world import sound

REFERENCE_RATE = 16000  # Hz at which the strength of a continuous force is stated
_POINTS = 16000  # of the texture in one frame's width
_LENGTH = 2**15  # of the texture, which then repeats
_COARSEST = 16  # waves in that length: larger unevenness would change the loudness


def texture(rng: np.random.Generator, rough: float) -> np.ndarray:
    """float64[L]: periodic noise of variance 1; the larger `rough`, the smoother."""
    count = _LENGTH // 2 + 1
    size_K = np.arange(1, count + 1.0) ** -rough
    size_K[:_COARSEST] = 0
    spectrum_K = size_K * np.exp(2j * np.pi * rng.uniform(size=count))
    points_L = np.fft.irfft(spectrum_K, _LENGTH)
    return points_L / points_L.std()


def rubbed(
    texture_L: np.ndarray,
    place_N: np.ndarray,
    speed_N: np.ndarray,
    modes: tuple[np.ndarray, np.ndarray, np.ndarray],
    sample_rate: int,
) -> np.ndarray:
    """float64[N]: modes driven by a contact at `place_N` (frame widths) with `speed_N` (1/s).

    Modes share one loudness: at speed 1, a force without memory would give them an RMS of 1.
    """
    point_N = place_N * _POINTS
    first_N = np.floor(point_N).astype(np.int64)
    part_N = point_N - first_N
    left_N, right_N = texture_L[first_N % _LENGTH], texture_L[(first_N + 1) % _LENGTH]
    force_N = np.abs(speed_N) * (left_N + part_N * (right_N - left_N))
    force_N *= REFERENCE_RATE / sample_rate
    return sound.modal(force_N, modes, sample_rate) / _loudness(modes)


def _loudness(modes: tuple[np.ndarray, np.ndarray, np.ndarray]) -> float:
    """RMS of the modes under white noise of variance 1 at the reference rate."""
    frequency, decay, amplitude = modes
    heard = frequency < sound.NYQUIST_MARGIN * REFERENCE_RATE
    return float(np.sqrt(np.sum((np.square(amplitude) / decay)[heard]) * REFERENCE_RATE / 4))
