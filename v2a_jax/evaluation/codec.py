"""How much of a sound a codec keeps: log-mel distance, multi-resolution STFT distance, SI-SDR.

Log-mel: mean |L(x) - L(y)| in dB. STFT: spectral convergence plus log magnitude L1, averaged over
three resolutions (Yamamoto et al. 2020, "Parallel WaveGAN", eq. 4-6). SI-SDR (Le Roux et al.
2019): with a = <x,y> / <x,x>, 10 log10(|a x|^2 / |y - a x|^2).
"""

import numpy as np
from scipy.signal import stft

from v2a_jax.evaluation.spectral import mel_power

BANDS = 64
HOP = 0.010
FLOOR_POWER = 1e-8  # 80 dB below a full-scale sine: what lies below is not heard
WINDOWS_SECONDS = (0.016, 0.032, 0.064)


def log_mel_distance(reference_N: np.ndarray, estimate_N: np.ndarray, sample_rate: int) -> float:
    """Mean absolute difference of two log-mel spectra, in dB."""
    levels = []
    for wave_N in (reference_N, estimate_N):
        power_TM = mel_power(wave_N, sample_rate=sample_rate, bands=BANDS, hop=HOP)
        levels.append(10.0 * np.log10(np.maximum(power_TM, FLOOR_POWER)))
    return float(np.abs(levels[0] - levels[1]).mean())


def stft_distance(reference_N: np.ndarray, estimate_N: np.ndarray, sample_rate: int) -> float:
    """Spectral convergence plus mean |log magnitude| difference (nats), over three resolutions."""
    distances = []
    for seconds in WINDOWS_SECONDS:
        window = round(seconds * sample_rate)
        magnitudes = [
            np.abs(stft(wave_N, nperseg=window, noverlap=window - window // 4)[2])
            for wave_N in (reference_N, estimate_N)
        ]
        norm = max(float(np.linalg.norm(magnitudes[0])), 1e-8)
        convergence = float(np.linalg.norm(magnitudes[0] - magnitudes[1])) / norm
        reference_log, estimate_log = (np.log(np.maximum(m, 1e-5)) for m in magnitudes)
        distances.append(convergence + float(np.abs(reference_log - estimate_log).mean()))
    return float(np.mean(distances))


def si_sdr(reference_N: np.ndarray, estimate_N: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio in dB.

    +inf for a scaled copy, -inf for an orthogonal or silent estimate, NaN for a silent reference.
    """
    reference_N = np.asarray(reference_N, np.float64)
    estimate_N = np.asarray(estimate_N, np.float64)
    energy = float(reference_N @ reference_N)
    if energy == 0.0:
        return float("nan")
    target_N = (reference_N @ estimate_N) / energy * reference_N
    distortion_N = estimate_N - target_N
    with np.errstate(divide="ignore"):
        signal = 10.0 * np.log10(float(target_N @ target_N))
        noise = 10.0 * np.log10(float(distortion_N @ distortion_N))
    return signal - noise if signal > -np.inf else float("-inf")
