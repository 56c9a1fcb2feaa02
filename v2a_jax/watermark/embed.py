"""Embedding: y = x + iSTFT(X·(10^(±g/20) - 1) + F), signs from the key, depth g from masking.

Between the partials of a tonal sound there is nothing to scale, so in cells of sign + the bins
where g meets its upper limit are also filled with noise F up to the same share of the masking
threshold. The added signal is held below the local level of the input: silence stays digital
silence, and a click gains no echo before it. Plain array operations of static shape, so that it
fuses into the sampler, batches, and follows any sharding of the leading axes.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from v2a_jax.watermark import grid, payload
from v2a_jax.watermark.key import Pattern
from v2a_jax.watermark.mask import DepthConfig, depth_db, threshold

LOCAL_LIMIT = 0.5  # the mark's largest sample, against the input's largest of the last few ms
_FILL_FRAMES = 64  # frames after which the fill's phases repeat


def embed(
    wave: jax.Array,
    pattern: Pattern,
    payload_bits: Any,
    *,
    sample_rate: int,
    depth: DepthConfig,
    offset: Any = 0,
) -> jax.Array:
    """Marks float[...,N,C] in [-1, 1]: same shape and type, N of any size.

    `payload_bits` int[16] or int[...,16], and `offset` int or int[...], the cell of the pattern at
    which the wave starts (draw it at random per output), broadcast against the leading axes.
    A wave that would leave [-1, 1] is scaled down, all channels alike, until its peak is 1.
    Below a sample rate of 626 Hz no row is in band, and nothing is added.
    """
    if wave.size == 0:
        return wave
    wave_CN = jnp.moveaxis(wave.astype(jnp.float32), -1, -2)
    if grid.rows_used(sample_rate) > 0:
        wave_CN = wave_CN + _mark(wave_CN, pattern, payload_bits, sample_rate, depth, offset)
    peak = jnp.abs(wave_CN).max((-1, -2), keepdims=True)
    return jnp.moveaxis(wave_CN / jnp.maximum(peak, 1), -1, -2).astype(wave.dtype)


def _mark(
    wave_CN: jax.Array,
    pattern: Pattern,
    payload_bits: Any,
    sample_rate: int,
    depth: DepthConfig,
    offset: Any,
) -> jax.Array:
    """float32[...,C,N]: what is added to the wave."""
    n = grid.window_length(sample_rate)
    spectrum_TF = jnp.fft.rfft(_frames(wave_CN, n) * grid.hann(n))
    spectrum_TF = spectrum_TF[..., : grid.bin_hz(sample_rate).size]
    sign_TF = _signs(pattern, payload_bits, offset, spectrum_TF.shape[-2], sample_rate)
    mark_TF = _mark_spectrum(spectrum_TF, sign_TF[..., None, :, :], sample_rate, depth)
    mark_TW = jnp.fft.irfft(mark_TF, n=n) * (grid.hann(n) / 1.5)
    mark_CN = _overlap_add(mark_TW, wave_CN.shape[-1])
    limit_CN = LOCAL_LIMIT * _local_peak(wave_CN, max(n // 16, 1))
    return jnp.clip(mark_CN, -limit_CN, limit_CN)


def _mark_spectrum(spectrum_TF: Any, sign_TF: Any, sample_rate: int, depth: DepthConfig) -> Any:
    """complex64[...,C,T,F]: what is added to the spectrum: the scaling, and the fill."""
    power_TF = jnp.abs(spectrum_TF) ** 2
    threshold_TF = threshold(power_TF, sample_rate)
    g_TF = depth_db(power_TF, threshold_TF, depth)
    scaled_TF = spectrum_TF * jnp.expm1(g_TF * sign_TF * (np.log(10) / 20))
    allowed_TF = threshold_TF * 10 ** (depth.strength_db / 10)
    missing_TF = allowed_TF - power_TF * (10 ** (depth.max_db / 20) - 1) ** 2
    fill_TF = jnp.sqrt(jnp.maximum(missing_TF, 0)) * jnp.maximum(sign_TF, 0)
    return scaled_TF + fill_TF * _phases(*spectrum_TF.shape[-2:])


def _phases(frames: int, bins: int) -> jax.Array:
    """complex64[T,F] of magnitude 1: fixed noise, the same for every key."""
    angles = 2 * np.pi * np.random.default_rng(0).random((_FILL_FRAMES, bins))
    tile = np.exp(1j * angles).astype(np.complex64)
    return jnp.tile(tile, (-(-frames // _FILL_FRAMES), 1))[:frames]


def _signs(pattern: Pattern, payload_bits: Any, offset: Any, frames: int, sample_rate: int) -> Any:
    """float32[...,T,F]: the sign in each bin of each frame, fractional where rows share a bin."""
    bits = jnp.asarray(payload_bits)
    word = 1.0 - 2.0 * ((bits @ payload.generator().astype(bits.dtype)) % 2)
    sent = jnp.concatenate([word, jnp.ones_like(word[..., :1])], axis=-1)  # a pilot is always +1
    rows_RF = grid.overlap(sample_rate)
    rows = rows_RF.shape[0]
    cells_KR = sent[..., pattern.slots[:, :rows]] * pattern.signs[:, :rows]
    cell_T = _cell_of_frame(frames, sample_rate)
    cells = np.arange(min(cell_T[-1] + 1, grid.PERIOD))
    start = (jnp.asarray(offset)[..., None] + cells) % grid.PERIOD
    # A matrix product, not a gather: gathers by a sharded index are ambiguous to the partitioner.
    chosen = jax.nn.one_hot(start, grid.PERIOD) @ cells_KR
    return chosen[..., cell_T % grid.PERIOD, :] @ rows_RF


def _cell_of_frame(frames: int, sample_rate: int) -> np.ndarray:
    """int[T]: the cell, from the start of the wave, in which each frame's centre lies.

    Frame t is centred hop·(t - 1) samples after the start; what lies before it is in cell 0.
    """
    centre = (np.arange(frames) - 1) * (grid.window_length(sample_rate) // grid.HOPS) / sample_rate
    return np.maximum(centre / grid.CELL_SECONDS, 0).astype(int)


def _frames(wave_CN: jax.Array, n: int) -> jax.Array:
    """float32[...,T,n]: frames a hop apart, the first one centred a hop before the start."""
    hop, samples = n // grid.HOPS, wave_CN.shape[-1]
    hops = -(-samples // hop) + 2 * (grid.HOPS - 1)
    before = (grid.HOPS - 1) * hop
    padding = [(0, 0)] * (wave_CN.ndim - 1) + [(before, hops * hop - before - samples)]
    blocks = jnp.pad(wave_CN, padding).reshape(*wave_CN.shape[:-1], hops, hop)
    frames = hops - grid.HOPS + 1
    return jnp.concatenate([blocks[..., i : i + frames, :] for i in range(grid.HOPS)], axis=-1)


def _overlap_add(frames_TW: jax.Array, samples: int) -> jax.Array:
    """float32[...,N]: the sum of frames where `_frames` took them."""
    *lead, frames, n = frames_TW.shape
    hop, last = n // grid.HOPS, grid.HOPS - 1
    parts = frames_TW.reshape(*lead, frames, grid.HOPS, hop)
    # Hop t of the padded wave gets part i of frame t - i; only hops that all parts reach are kept.
    total = sum(parts[..., last - i : frames - i, i, :] for i in range(grid.HOPS))
    return total.reshape(*lead, -1)[..., :samples]


def _local_peak(wave_CN: jax.Array, block: int) -> jax.Array:
    """float32[...,N]: the largest magnitude in a sample's block and the two blocks before.

    What comes after is left out: the ear masks what follows a click for longer than what precedes.
    """
    *lead, samples = wave_CN.shape
    blocks = -(-samples // block)
    padding = [(0, 0)] * len(lead) + [(2 * block, blocks * block - samples)]
    peaks = jnp.abs(jnp.pad(wave_CN, padding)).reshape(*lead, blocks + 2, block).max(-1)
    near = jnp.maximum(jnp.maximum(peaks[..., :-2], peaks[..., 1:-1]), peaks[..., 2:])
    return jnp.repeat(near, block, axis=-1)[..., :samples]
