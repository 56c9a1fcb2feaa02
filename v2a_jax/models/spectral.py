"""Short-time Fourier transform and its inverse, framed by reshapes: no gather, exact overlap-add.

X[t, f] = sum_n w[n] x[t hop + n - window/2] exp(-2 pi i f n / window), Hann w, `window` a multiple
of `hop`. The inverse divides by the summed squared windows, so that istft(stft(x)) = x.
"""

import functools

import jax
import jax.numpy as jnp
import librosa
import numpy as np

from v2a_jax.sharding import reshape_rows
from v2a_jax.types import Array


def frame(x_BN: Array, window: int, hop: int) -> Array:
    """[B, N] -> [B, N / hop, window]: frame t is centred on the middle of hop t, zero padded."""
    batch, samples = x_BN.shape
    overlap, frames = window // hop, samples // hop
    before = (window - hop) // 2
    padded = jnp.pad(x_BN[:, : frames * hop], ((0, 0), (before, window - before)))
    hops = reshape_rows(padded[:, : (frames + overlap) * hop], (batch, frames + overlap, hop))
    return jnp.concatenate([hops[:, k : k + frames] for k in range(overlap)], axis=-1)


def overlap_add(frames_BTW: Array, hop: int) -> Array:
    """The transpose of `frame`: [B, T, window] -> [B, T hop]."""
    batch, frames, window = frames_BTW.shape
    overlap = window // hop
    hops = reshape_rows(frames_BTW, (batch, frames, overlap, hop))
    total = sum(jnp.pad(hops[:, :, k], ((0, 0), (k, overlap - k), (0, 0))) for k in range(overlap))
    before = (window - hop) // 2
    whole = reshape_rows(total, (batch, (frames + overlap) * hop))
    return whole[:, before : before + frames * hop]


@functools.cache
def hann(window: int) -> np.ndarray:
    """Periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)


def stft(x_BN: Array, window: int, hop: int) -> Array:
    """complex64 [B, N / hop, window / 2 + 1], scaled so that a unit sine reads 1/2."""
    w = hann(window)
    return jnp.fft.rfft(frame(x_BN, window, hop) * w, axis=-1) / w.sum()


def istft(spectrum_BTF: Array, window: int, hop: int) -> Array:
    """float32 [B, T hop], the inverse of `stft`."""
    w = hann(window)
    frames_BTW = jnp.fft.irfft(spectrum_BTF, n=window, axis=-1) * w * w.sum()
    envelope = overlap_add(jnp.ones((1, frames_BTW.shape[1], 1)) * w**2, hop)
    return overlap_add(frames_BTW, hop) / jnp.maximum(envelope, 1e-3)


def steady_phase(frames: int, window: int, hop: int) -> Array:
    """complex64 [frames, window / 2 + 1]: phases of partials at the centre of every bin."""
    turns = np.outer(np.arange(frames), np.arange(window // 2 + 1) * hop / window)
    return jnp.asarray(np.exp(2j * np.pi * (turns % 1)).astype(np.complex64))


def with_consistent_phase(
    size_BTF: Array, phase_BTF: Array, window: int, hop: int, iterations: int
) -> Array:
    """float32 [B, T hop] of this magnitude, from this phase on by fast Griffin-Lim iterations.

    c_n = P(size * angle(t_{n-1})),  t_n = c_n + 0.99 (c_n - c_{n-1}),  P = stft(istft(.))
    """

    def step(_: int, state: tuple[Array, Array]) -> tuple[Array, Array]:
        ahead, before = state
        unit = ahead / jnp.maximum(jnp.abs(ahead), 1e-12)
        now = stft(istft(size_BTF * unit, window, hop), window, hop)
        return now + 0.99 * (now - before), now

    start = size_BTF * phase_BTF
    ahead, _ = jax.lax.fori_loop(0, iterations, step, (start, start))
    unit = ahead / jnp.maximum(jnp.abs(ahead), 1e-12)
    return istft(size_BTF * unit if iterations else start, window, hop)


@functools.cache
def mel_matrix(sample_rate: int, window: int, bands: int) -> np.ndarray:
    """float32 [window / 2 + 1, bands], Slaney mel bands of unit peak over 20 Hz .. Nyquist."""
    weights = librosa.filters.mel(sr=sample_rate, n_fft=window, n_mels=bands, fmin=20.0, norm=None)
    return weights.T.astype(np.float32)


def log_mel(magnitude_BTF: Array, sample_rate: int, bands: int, floor: float = 1e-5) -> Array:
    """log(mel + floor) of an STFT magnitude."""
    window = 2 * (magnitude_BTF.shape[-1] - 1)
    return jnp.log(magnitude_BTF @ mel_matrix(sample_rate, window, bands) + floor)


def magnitude(spectrum: Array) -> Array:
    """|X| with a finite gradient at zero."""
    return jnp.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-12)
