"""How much the ear lets pass in each bin, and so how deep the mark may be: simultaneous masking.

Masker j raises the threshold of bin i by P_j · S(z_i - z_j) · 10^(-o_j/10): z in Bark, S falls
25 dB per Bark below the masker and 12 dB per Bark above it, and keeps energy (Σ_i S = 1). A tonal
masker hides what is o = 18 dB below it, a noisy one 6 dB; tonality is the spectral flatness within
about a Bark. With strength s, the gain is g = 20·log10(1 + sqrt(threshold/P · 10^(s/10))), clipped.

A proof takes the sum over many cells. Where a frame's power lies in few rows, A = (ΣP_r)²/ΣP_r² of
them, few cells are left when noise comes over it; where it lies in many there is plenty. So g is
multiplied by (rows/A)^sparsity, within limits, then averaged over 3 frames x 3 bins. Works on NumPy
and JAX arrays alike.
"""

import dataclasses
import functools
from typing import Any

import numpy as np

from v2a_jax.watermark import grid

BELOW_DB, ABOVE_DB = 25.0, 12.0  # per Bark
NOISY_DB, TONAL_DB = 6.0, 18.0
FLAT_DB, PEAKY_DB = 3.0, 15.0  # flatness of noise in a Hann window, and of a lone partial
NEAR_BARK = 0.5  # standard deviation of the average that flatness is taken over
SILENCE = 1e-20  # power of a frame's bin far below anything audible; keeps ratios finite


@dataclasses.dataclass(frozen=True, kw_only=True)
class DepthConfig:
    """Strength of the mark over the masking threshold, and the limits of its gain.

    rows, sparsity  the gain is multiplied by (rows/A)^sparsity where A rows hold a frame's power,
    least, most     within these limits
    """

    strength_db: float
    min_db: float
    max_db: float
    rows: float
    sparsity: float
    least: float
    most: float


def threshold(power_TF: Any, sample_rate: int, pitch: float = 1.0) -> Any:
    """Masked power float[...,T,F] of bins `grid.bin_hz` with power float[...,T,F]."""
    xp = power_TF.__array_namespace__()
    spread_FF, near_FF = _matrices(sample_rate, pitch)
    power_TF = power_TF + SILENCE
    flatness_db = 10 * (xp.log10(power_TF @ near_FF) - xp.log10(power_TF) @ near_FF)
    tonality = xp.clip((flatness_db - FLAT_DB) / (PEAKY_DB - FLAT_DB), 0, 1)
    offset_db = NOISY_DB + (TONAL_DB - NOISY_DB) * tonality
    return (power_TF * 10 ** (-offset_db / 10)) @ spread_FF


def depth_db(power_TF: Any, threshold_TF: Any, config: DepthConfig, sample_rate: int) -> Any:
    """The gain g in dB, float[...,T,F]."""
    xp = power_TF.__array_namespace__()
    ratio = threshold_TF / (power_TF + SILENCE) * 10 ** (config.strength_db / 10)
    g = 20 * xp.log10(1 + xp.sqrt(ratio))
    g = xp.clip(g, config.min_db, config.max_db)
    more = (config.rows / _rows_held(power_TF, sample_rate)) ** config.sparsity
    return _smooth(_smooth(g * xp.clip(more, config.least, config.most), -1), -2)


def _rows_held(power_TF: Any, sample_rate: int) -> Any:
    """float[...,T,1]: in how many rows a frame's power lies, at least 1."""
    xp = power_TF.__array_namespace__()
    power_TR = power_TF @ grid.row_means(sample_rate, 1.0, power_TF.shape[-1])
    peak_T1 = power_TR.max(-1, keepdims=True) + SILENCE
    share_TR = power_TR / peak_T1
    squares_T1 = xp.sum(share_TR**2, axis=-1, keepdims=True)
    return xp.sum(share_TR, axis=-1, keepdims=True) ** 2 / (squares_T1 + SILENCE) + SILENCE


@functools.cache
def _matrices(sample_rate: int, pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """float32[F,F] twice, masker by masked bin: the spreading function, and a local average."""
    hz = grid.bin_hz(sample_rate, pitch)
    bark = 13 * np.arctan(0.00076 * hz) + 3.5 * np.arctan((hz / 7500) ** 2)
    distance = bark[None, :] - bark[:, None]
    spread = 10 ** (-np.where(distance > 0, ABOVE_DB, -BELOW_DB) * distance / 10)
    near = np.exp(-0.5 * (distance / NEAR_BARK) ** 2)
    spread /= spread.sum(1, keepdims=True)
    near /= near.sum(0, keepdims=True)
    return spread.astype(np.float32), near.astype(np.float32)


def _smooth(x: Any, axis: int) -> Any:
    """Mean of each value and its two neighbours along an axis."""
    before, own, after = with_neighbours(x, axis)
    return (before + own + after) / 3


def with_neighbours(x: Any, axis: int) -> tuple[Any, Any, Any]:
    """The value before, the value, and the one after along an axis, the edge values repeated."""
    xp = x.__array_namespace__()
    last = xp.moveaxis(x, axis, -1)
    before = xp.concat([last[..., :1], last[..., :-1]], axis=-1)
    after = xp.concat([last[..., 1:], last[..., -1:]], axis=-1)
    return xp.moveaxis(before, -1, axis), x, xp.moveaxis(after, -1, axis)
