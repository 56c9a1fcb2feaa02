"""Embedding: y = x + iSTFT(X·(10^(±g/20) - 1) + F), signs from the key, depth g from masking.

Between the partials of a tonal sound there is nothing to scale, so in cells of sign + the bins
where g meets its upper limit are also filled with noise F up to the same share of the masking
threshold. The added signal is held below the local level of the input: silence stays digital
silence, and a click gains no echo before it. Where the sum would leave [-1, 1], it is turned down
for some ms: a peak that is cut off is heard as a crack. Plain array operations of static shape, so
that it fuses into the sampler, batches, and follows any sharding of the leading axes. What is added
at a sample depends on the clock and on CONTEXT hops around it, so that a wave marked piece by piece
(`stream.py`) is the wave marked whole.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from v2a_jax.watermark import grid, payload
from v2a_jax.watermark.key import Pattern
from v2a_jax.watermark.mask import DepthConfig, depth_db, threshold, with_neighbours

LOCAL_LIMIT = 0.5  # the mark's largest sample, against the input's largest of the last few ms
ROOM = 2  # hops on either side that the limiter looks at
CONTEXT = 4 + ROOM  # three hops of overlapping frames, and one that gains are averaged over
FILL_FRAMES = 64  # frames after which the fill's phases repeat


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
    Nothing is pushed out of [-1, 1]. Below a sample rate of 626 Hz no row is in band, and nothing
    is added.
    """
    if wave.size == 0 or grid.rows_used(sample_rate) == 0:
        return wave
    hop, samples = grid.hop_length(sample_rate), wave.shape[-2]
    hops = -(-samples // hop)
    padding = [(0, 0)] * (wave.ndim - 1) + [(CONTEXT * hop, (hops + CONTEXT) * hop - samples)]
    wave_CN = jnp.pad(jnp.moveaxis(wave.astype(jnp.float32), -1, -2), padding)
    cell_T = jnp.asarray(offset)[..., None] + grid.cells_of_frames(0, hops, CONTEXT, sample_rate)
    marked_CN = embed_hops(
        wave_CN, pattern, payload_bits, cell_T, sample_rate=sample_rate, depth=depth
    )
    return jnp.moveaxis(marked_CN[..., :samples], -1, -2).astype(wave.dtype)


def embed_hops(
    wave_CN: jax.Array,
    pattern: Pattern,
    payload_bits: Any,
    cell_T: Any,
    *,
    sample_rate: int,
    depth: DepthConfig,
) -> jax.Array:
    """Marks whole hops between CONTEXT hops on either side: float32[...,C,N - 2·CONTEXT·hop].

    Frame t is what hops t to t + 3 hold; `cell_T` int[...,T] is its cell of the pattern. The first
    hop between is a multiple of FILL_FRAMES hops from the start of the whole wave.
    """
    n, hop = grid.window_length(sample_rate), grid.hop_length(sample_rate)
    spectrum_TF = jnp.fft.rfft(_frames(wave_CN, n) * grid.hann(n))
    spectrum_TF = spectrum_TF[..., : grid.bin_hz(sample_rate).size]
    sign_TF = _signs(pattern, payload_bits, cell_T, sample_rate)[..., None, :, :]
    mark_TF = _mark_spectrum(spectrum_TF, sign_TF, sample_rate, depth)
    mark_TW = jnp.fft.irfft(mark_TF, n=n) * (grid.hann(n) / 1.5)
    inner = slice((CONTEXT - ROOM) * hop, -(CONTEXT - ROOM) * hop)
    limit_CN = LOCAL_LIMIT * _local_peak(wave_CN, max(n // 16, 1))[..., inner]
    wave_CN = wave_CN[..., inner]
    marked_CN = wave_CN + jnp.clip(_overlap_add(mark_TW), -limit_CN, limit_CN)
    marked_CN = marked_CN * _limiter(wave_CN, marked_CN, hop)
    full_CN = jnp.maximum(jnp.abs(wave_CN), 1)  # by a rounding error, or beyond full scale
    return jnp.clip(marked_CN, -full_CN, full_CN)[..., ROOM * hop : -ROOM * hop]


def _mark_spectrum(spectrum_TF: Any, sign_TF: Any, sample_rate: int, depth: DepthConfig) -> Any:
    """complex64[...,C,T,F]: what is added to the spectrum: the scaling, and the fill."""
    power_TF = jnp.abs(spectrum_TF) ** 2
    threshold_TF = threshold(power_TF, sample_rate)
    g_TF = depth_db(power_TF, threshold_TF, depth, sample_rate)
    scaled_TF = spectrum_TF * jnp.expm1(g_TF * sign_TF * (np.log(10) / 20))
    allowed_TF = threshold_TF * 10 ** (depth.strength_db / 10)
    missing_TF = allowed_TF - power_TF * (10 ** (depth.max_db / 20) - 1) ** 2
    fill_TF = jnp.sqrt(jnp.maximum(missing_TF, 0)) * jnp.maximum(sign_TF, 0)
    return scaled_TF + fill_TF * _phases(*spectrum_TF.shape[-2:])


def _phases(frames: int, bins: int) -> np.ndarray:
    """complex64[T,F] of magnitude 1: fixed noise, the same for every key."""
    angles = 2 * np.pi * np.random.default_rng(0).random((FILL_FRAMES, bins))
    tile = np.exp(1j * angles).astype(np.complex64)
    return tile[(np.arange(frames) - CONTEXT) % FILL_FRAMES]


def _signs(pattern: Pattern, payload_bits: Any, cell_T: Any, sample_rate: int) -> jax.Array:
    """float32[...,T,F]: the sign in each bin of each frame, fractional where rows share a bin."""
    bits = jnp.asarray(payload_bits)
    word = 1.0 - 2.0 * ((bits @ payload.generator().astype(bits.dtype)) % 2)
    sent = jnp.concatenate([word, jnp.ones_like(word[..., :1])], axis=-1)  # a pilot is always +1
    rows_RF = grid.overlap(sample_rate)
    rows = rows_RF.shape[0]
    cells_KR = sent[..., pattern.slots[:, :rows]] * pattern.signs[:, :rows]
    # A matrix product, not a gather: gathers by a sharded index are ambiguous to the partitioner.
    chosen = jax.nn.one_hot(cell_T % grid.PERIOD, grid.PERIOD) @ cells_KR
    return chosen @ rows_RF


def _frames(wave_CN: jax.Array, n: int) -> jax.Array:
    """float32[...,T,n]: frames of n samples, a hop apart."""
    *lead, samples = wave_CN.shape
    hops = samples // (n // grid.HOPS)
    blocks = wave_CN.reshape(*lead, hops, n // grid.HOPS)
    frames = hops - grid.HOPS + 1
    return jnp.concatenate([blocks[..., i : i + frames, :] for i in range(grid.HOPS)], axis=-1)


def _overlap_add(frames_TW: jax.Array) -> jax.Array:
    """float32[...,N]: the sum of frames where `_frames` took them, with ROOM hops each side.

    Hop h gets part i of frame h - i.
    """
    *lead, frames, n = frames_TW.shape
    parts, first = frames_TW.reshape(*lead, frames, grid.HOPS, n // grid.HOPS), CONTEXT - ROOM
    hops = frames + grid.HOPS - 1 - 2 * first
    total = sum(parts[..., first - i : first - i + hops, i, :] for i in range(grid.HOPS))
    return total.reshape(*lead, -1)


def _limiter(wave_CN: jax.Array, marked_CN: jax.Array, hop: int) -> jax.Array:
    """float32[...,N]: a gain with which no hop has a peak over 1, or over its own unmarked one.

    It runs straight between the middles of hops, and is nowhere above what the hops around allow;
    the first and last ROOM hops don't know their neighbours.
    """
    *lead, samples = wave_CN.shape

    def peak(x_CN: jax.Array) -> jax.Array:
        return jnp.maximum(jnp.abs(x_CN).reshape(*lead, samples // hop, hop).max(-1), 1)

    before, own, after = with_neighbours(peak(wave_CN) / peak(marked_CN), -1)
    allowed = jnp.minimum(jnp.minimum(jnp.minimum(before, own), after), 1)
    at = (np.arange(hop) + 0.5) / hop
    early, late = np.maximum(0.5 - at, 0), np.maximum(at - 0.5, 0)
    before, own, after = (gain[..., None] for gain in with_neighbours(allowed, -1))
    gain = before * early + own * (1 - early - late) + after * late
    return gain.reshape(*lead, samples).astype(jnp.float32)


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
