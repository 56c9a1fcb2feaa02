"""What codecs and watermarks do to any sound, so that judges learn to hear past it.

A random gain, spectral tilt, low-pass and noise floor: none changes which class or material is
heard, and a judge trained on clean sound alone takes each of them for a sign.
"""

import numpy as np

GAIN = (0.3, 1.0)
TILT_DB = (-6.0, 6.0)  # from 0 Hz to half the sample rate
CUTOFF = (0.3, 1.2)  # of half the sample rate; above 1 nothing is cut
CUT_DB = (0.0, 30.0)
SLOPE = 0.1  # of half the sample rate, from where the cut begins to where it is whole
NOISE_DB = (-80.0, -45.0)  # of full scale


def disturbed(wave_N: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One channel float[N] with a random disturbance: float32[N]."""
    frequency_K = np.linspace(0.0, 1.0, len(wave_N) // 2 + 1)
    cut_K = np.clip((frequency_K - random.uniform(*CUTOFF)) / SLOPE, 0.0, 1.0)
    level_K = random.uniform(*TILT_DB) * frequency_K - random.uniform(*CUT_DB) * cut_K
    coloured_N = np.fft.irfft(np.fft.rfft(wave_N) * 10.0 ** (level_K / 20.0), len(wave_N))
    noise_N = random.standard_normal(len(wave_N)) * 10.0 ** (random.uniform(*NOISE_DB) / 20.0)
    return (random.uniform(*GAIN) * coloured_N + noise_N).astype(np.float32)
