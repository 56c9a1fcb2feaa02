"""Discriminators of the codec: several periods of the waveform (HiFi-GAN), several resolutions of
its spectrogram (UnivNet, EnCodec); each returns a score map and its features for matching.

Convolutions are folds and shifts followed by one matmul.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from v2a_jax.models import spectral
from v2a_jax.models.layers import Linear
from v2a_jax.sharding import reshape_rows
from v2a_jax.types import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig:
    """`periods` in samples, `windows` of the STFTs in samples, `width` of the hidden layers."""

    periods: tuple[int, ...]
    windows: tuple[int, ...]
    width: int
    layers: int


class _Convolutions(nnx.Module):
    """Strided layers along axis -2 of [.., T, C], each seeing three strides, to a score map."""

    def __init__(self, inputs: int, config: DiscriminatorConfig, stride: int, *, rngs: nnx.Rngs):
        widths = [inputs] + [config.width] * config.layers
        self.stride = stride
        self.convolutions = nnx.List(
            Linear((3 * stride * a,), (b,), axes=(None, "embed"), rngs=rngs)
            for a, b in zip(widths, widths[1:], strict=False)
        )
        self.score = Linear((config.width,), (1,), axes=("embed", None), rngs=rngs)

    def __call__(self, x: Array) -> tuple[Array, list[Array]]:
        features = []
        for convolution in self.convolutions:
            x = jax.nn.leaky_relu(convolution(_neighbours(_fold(x, self.stride))), 0.1)
            features.append(x)
        return self.score(x), features


def _fold(x: Array, stride: int) -> Array:
    """[.., T, C] -> [.., ceil(T / stride), stride C], zero padded."""
    missing = -x.shape[-2] % stride
    x = jnp.pad(x, ((0, 0),) * (x.ndim - 2) + ((0, missing), (0, 0)))
    return reshape_rows(x, (*x.shape[:-2], x.shape[-2] // stride, stride * x.shape[-1]))


def _neighbours(x: Array) -> Array:
    """[.., T, C] -> [.., T, 3 C]: each position with the one before and the one after."""
    padded = jnp.pad(x, ((0, 0),) * (x.ndim - 2) + ((1, 1), (0, 0)))
    length = x.shape[-2]
    return jnp.concatenate([padded[..., k : k + length, :] for k in range(3)], axis=-1)


class Discriminators(nnx.Module):
    """audio float32[B,N,C] -> a list of (score map, features), one for each period and window."""

    def __init__(self, config: DiscriminatorConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.by_period = nnx.List(_Convolutions(1, config, 3, rngs=rngs) for _ in config.periods)
        self.by_window = nnx.List(_Convolutions(3, config, 2, rngs=rngs) for _ in config.windows)

    def __call__(self, audio_BNC: Array) -> list[tuple[Array, list[Array]]]:
        mono_BN = audio_BNC.mean(axis=-1)
        results = []
        for period, judge in zip(self.config.periods, self.by_period, strict=True):
            samples = mono_BN.shape[1] // period * period
            shape = (mono_BN.shape[0], samples // period, period)
            columns = reshape_rows(mono_BN[:, :samples], shape)
            results.append(judge(jnp.swapaxes(columns, 1, 2)[..., None]))
        for window, judge in zip(self.config.windows, self.by_window, strict=True):
            results.append(judge(_spectrogram(mono_BN, window)))
        return results


def _spectrogram(mono_BN: Array, window: int) -> Array:
    """Compressed magnitude of three successive frames as channels: [B, T, F, 3]."""
    size = spectral.magnitude(spectral.stft(mono_BN, window, window // 4)) ** 0.3
    padded = jnp.pad(size, ((0, 0), (1, 1), (0, 0)))
    return jnp.stack([padded[:, k : k + size.shape[1]] for k in range(3)], axis=-1)


def discriminator_loss(real: list, generated: list) -> Array:
    """Least squares: real towards 1, generated towards 0."""
    terms = [
        jnp.mean((r - 1) ** 2) + jnp.mean(g**2)
        for (r, _), (g, _) in zip(real, generated, strict=True)
    ]
    return sum(terms) / len(terms)


def adversarial_loss(generated: list) -> Array:
    """Least squares: generated towards 1."""
    return sum(jnp.mean((score - 1) ** 2) for score, _ in generated) / len(generated)


def matching_loss(real: list, generated: list) -> Array:
    """Mean distance of the features, relative to their size."""
    terms = [
        jnp.mean(jnp.abs(r - g)) / (jnp.mean(jnp.abs(r)) + 1e-6)
        for (_, rs), (_, gs) in zip(real, generated, strict=True)
        for r, g in zip(rs, gs, strict=True)
    ]
    return sum(terms) / len(terms)
