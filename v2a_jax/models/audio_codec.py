"""AudioCodec: a spectral VAE, waveform <-> Gaussian latents, with an inverse-STFT head (as Vocos).

wave -> STFT -> ConvNeXt at the frame rate -> strided -> ConvNeXt at the latent rate -> mean, log
variance; back the same way to magnitude and phase of an STFT. Everything is a matmul at frame rate;
the receptive field is finite, so that overlapped decoding equals whole decoding. Phase takes long
to learn: a codec with `refine` > 0 leaves it out and finds, in so many iterations of Griffin and
Lim (1984; with momentum, Perraudin et al. 2013), phases that fit its magnitudes. There is no norm
around the latents: normalised by length, they could not say how loud a sound is.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn import initializers

from v2a_jax.config import require
from v2a_jax.models import spectral
from v2a_jax.models.layers import ConvNeXt, Linear, Stack, StackConfig, parameter
from v2a_jax.sharding import reshape_rows
from v2a_jax.types import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """Latents come at `sample_rate / (hop * stride)` Hz, each of `latent` numbers.

    Magnitudes (unit sine: 1/2) are seen and made as log(magnitude + `floor`).
    """

    sample_rate: int
    channels: int
    window: int
    hop: int
    stride: int
    latent: int
    frame_width: int
    frame_blocks: int
    width: int
    blocks: int
    kernel: int
    refine: int
    floor: float
    stack: StackConfig

    def __post_init__(self) -> None:
        require(min(self.hop, self.stride, self.channels) > 0, "codec.hop, stride, channels: > 0")
        require(self.window % self.hop == 0, "codec.window must be a multiple of codec.hop")
        require(self.kernel % 2 == 1, "codec.kernel must be odd")

    @property
    def samples_per_latent(self) -> int:
        """Audio samples that one latent stands for."""
        return self.hop * self.stride

    @property
    def latent_rate(self) -> float:
        """Latents per second."""
        return self.sample_rate / self.samples_per_latent

    @property
    def context(self) -> int:
        """Latents on either side that can touch a decoded sample, when nothing is refined."""
        halo = self.kernel // 2
        frames = self.frame_blocks * halo + self.window // self.hop
        return self.blocks * halo + -(-frames // self.stride)


class AudioCodec(nnx.Module):
    """encode: float32[B,N,C] -> mean, log variance [B,T,latent]; decode: back to [B,N,C]."""

    def __init__(self, config: CodecConfig, *, rngs: nnx.Rngs):
        c = self.config = config
        features = c.channels * (c.window // 2 + 1) * (1 if c.refine else 3)
        merged = c.frame_width * c.stride

        def blocks(width: int, count: int) -> Stack:
            return Stack(
                lambda r: ConvNeXt(width, c.kernel, rngs=r), count, config=c.stack, rngs=rngs
            )

        axes = (None, "embed")
        self.listen = Linear((features,), (c.frame_width,), axes=axes, rngs=rngs)
        self.encode_frames = blocks(c.frame_width, c.frame_blocks)
        self.merge = Linear((merged,), (c.width,), axes=axes, rngs=rngs)
        self.encode_latents = blocks(c.width, c.blocks)
        self.moments = Linear((c.width,), (2 * c.latent,), axes=("embed", None), rngs=rngs)

        self.widen = Linear((c.latent,), (c.width,), axes=axes, rngs=rngs)
        self.decode_latents = blocks(c.width, c.blocks)
        self.split = Linear((c.width,), (merged,), axes=("embed", None), rngs=rngs)
        self.decode_frames = blocks(c.frame_width, c.frame_blocks)
        self.speak = Linear(
            (c.frame_width,), (features,), axes=("embed", None), rngs=rngs, scale=0.1
        )
        # Running mean and mean square of the latents, for normalisation; kept with the codec.
        self.latent_mean = parameter(rngs, (c.latent,), (None,), initializers.zeros)
        self.latent_square = parameter(rngs, (c.latent,), (None,), initializers.ones)

    def encode(self, audio_BNC: Array) -> tuple[Array, Array]:
        """Mean and log variance, float32 [B, N / samples_per_latent, latent]; remainder dropped."""
        x_BTD = self.encode_frames(self.listen(self._features(audio_BNC)))
        x_BTD = self.encode_latents(self.merge(fold(x_BTD, self.config.stride)))
        moments = self.moments(x_BTD).astype(jnp.float32)
        mean, log_variance = jnp.split(moments, 2, axis=-1)
        # Starts at a standard deviation of e^-3: noise as large as the means would teach the
        # decoder to ignore the latents before the encoder has said anything.
        return mean, jnp.clip(log_variance - 6.0, -12.0, 4.0)

    def decode_spectrum(self, z_BTL: Array) -> tuple[Array, Array]:
        """log(magnitude + floor), and phase as complex64 of modulus 1: [..,C,frames,bins]."""
        c = self.config
        x_BTD = self.split(self.decode_latents(self.widen(z_BTL)))
        x_BTD = self.decode_frames(unfold(x_BTD, c.stride))
        head = self.speak(x_BTD).astype(jnp.float32)
        advance = spectral.steady_phase(head.shape[1], c.window, c.hop)
        parts = [
            (_level(part), advance) if c.refine else _polar(part)
            for part in jnp.split(head, c.channels, axis=-1)
        ]
        level, phase = (jnp.stack(x, axis=-3) for x in zip(*parts, strict=True))
        return level, phase

    def encode_spectrum(self, audio_BNC: Array) -> Array:
        """The log(magnitude + floor) that `decode_spectrum` should give back."""
        spectra = [
            spectral.stft(channel, self.config.window, self.config.hop)
            for channel in jnp.unstack(audio_BNC, axis=2)
        ]
        return jnp.log(spectral.magnitude(jnp.stack(spectra, axis=1)) + self.config.floor)

    def decode(self, z_BTL: Array) -> Array:
        """float32 [B, T samples_per_latent, C]."""
        c = self.config
        level, phase = self.decode_spectrum(z_BTL)
        size = jnp.maximum(jnp.exp(level) - c.floor, 0.0)
        channels = zip(jnp.unstack(size, axis=-3), jnp.unstack(phase, axis=-3), strict=True)
        waves = [
            spectral.with_consistent_phase(*channel, c.window, c.hop, c.refine)
            for channel in channels
        ]
        return jnp.stack(waves, axis=-1)

    def normalize(self, z_BTL: Array) -> Array:
        """Latents to zero mean and unit variance over the training data."""
        return (z_BTL - self.latent_mean[...]) / self._std()

    def denormalize(self, x_BTL: Array) -> Array:
        """The inverse of `normalize`."""
        return x_BTL * self._std() + self.latent_mean[...]

    def to_latents(self, audio_BNC: Array) -> Array:
        """Normalised latents [B,T,latent]: what diffusion works on."""
        return self.normalize(self.encode(audio_BNC)[0])

    def to_audio(self, x_BTL: Array) -> Array:
        """Waveform of normalised latents."""
        return self.decode(self.denormalize(x_BTL))

    def _std(self) -> Array:
        variance = self.latent_square[...] - self.latent_mean[...] ** 2
        return jnp.sqrt(jnp.maximum(variance, 1e-4))

    def _features(self, audio_BNC: Array) -> Array:
        """Log magnitude, and compressed real and imaginary parts where phase is coded."""
        features = []
        for channel in jnp.unstack(audio_BNC, axis=2):
            x = spectral.stft(channel, self.config.window, self.config.hop)
            size = spectral.magnitude(x)
            features.append(jnp.log(size + self.config.floor) / 4 + 1.5)
            if not self.config.refine:
                gain = 2.0 * size**-0.6
                features += [x.real * gain, x.imag * gain]
        return jnp.concatenate(features, axis=-1)


def _level(head_BTF: Array) -> Array:
    """log(magnitude + floor) from numbers of about unit size."""
    return jnp.minimum(4 * (head_BTF - 1.5), 1.0)


def _polar(head_BTF: Array) -> tuple[Array, Array]:
    """Level a and a unit phase (b, c): what the head says of the complex STFT."""
    level, real, imag = jnp.split(head_BTF, 3, axis=-1)
    scale = jax.lax.rsqrt(real**2 + imag**2 + 1e-8)
    return _level(level), jax.lax.complex(real * scale, imag * scale)


def fold(x_BTD: Array, stride: int) -> Array:
    """[B, T, D] -> [B, T / stride, stride D]."""
    batch, length, width = x_BTD.shape
    kept = length // stride
    return reshape_rows(x_BTD[:, : kept * stride], (batch, kept, stride * width))


def unfold(x_BTD: Array, stride: int) -> Array:
    """[B, T, stride D] -> [B, T stride, D]."""
    batch, length, width = x_BTD.shape
    return reshape_rows(x_BTD, (batch, length * stride, width // stride))
