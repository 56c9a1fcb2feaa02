"""Stage 1, codec: multi-resolution mel and STFT distance, KL, and adversarial terms by config.

Generator and discriminators train in the same step: each sees the other through stop_gradient, and
the optimizer partitions by group. The running moments of the latents are a group of their own: the
gradient of |m - E z|^2 / 2 under plain SGD is an exponential average.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from v2a_jax.config import build
from v2a_jax.models import spectral
from v2a_jax.models.discriminators import (
    DiscriminatorConfig,
    Discriminators,
    adversarial_loss,
    discriminator_loss,
    matching_loss,
)
from v2a_jax.models.functional import Functional, cast
from v2a_jax.models.system import System
from v2a_jax.training import present
from v2a_jax.training.decay import decay_kernels
from v2a_jax.types import Array, Batch, Params

STATISTICS = ("latent_mean", "latent_square")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecLossConfig:
    """Weights of the terms; with none on waveforms, no waveform is made.

    `spectrum` compares magnitudes before there is a waveform, and so needs no phase; `mel`, `stft`
    and `phase` compare waveforms; `adversarial` trains the discriminators.
    `windows` are STFT sizes in samples, `bands` the mel bands at each; `floor` is the magnitude
    (unit sine: 1/2) below which differences no longer count.
    """

    windows: tuple[int, ...]
    bands: tuple[int, ...]
    floor: float
    spectrum: float
    mel: float
    stft: float
    phase: float
    kl: float
    adversarial: float
    matching: float


class CodecStage:
    """Trains the AudioCodec on audio alone."""

    name = "codec"
    needs = ()
    reads_text = False
    marks = False

    def __init__(self, config: Mapping[str, Any], system: System):
        self.system = system
        self.weights = build(CodecLossConfig, config["codec_loss"])
        self.dtype = config["dtype"]
        self.judges = None
        w = self.weights
        self._hears = bool(w.mel or w.stft or w.phase or w.adversarial)
        if self.weights.adversarial:
            judges = build(DiscriminatorConfig, config["model"]["discriminators"])
            self.judges = Functional(lambda rngs: Discriminators(judges, rngs=rngs))

    def init(self, key: Array) -> Params:
        """{"codec"} and, with an adversarial term, {"discriminators"}."""
        keys = jax.random.split(key)
        params = {"codec": self.system.codec.init(keys[0])}
        if self.judges:
            params["discriminators"] = self.judges.init(keys[1])
        return params

    def axes(self) -> Params:
        """Logical axes of the parameters."""
        axes = {"codec": self.system.codec.axes}
        return axes | ({"discriminators": self.judges.axes} if self.judges else {})

    def groups(self, params: Params) -> Params:
        """`model`, `discriminator`, or `statistics` for the moments of the latents."""

        def group(path: tuple, _: Array) -> str:
            if path[0].key == "discriminators":
                return "discriminator"
            return "statistics" if path[-1].key in STATISTICS else "model"

        return jax.tree_util.tree_map_with_path(group, params)

    def decay_mask(self, params: Params) -> Params:
        """Kernels decay."""
        return decay_kernels(params)

    def loss(
        self, params: Params, frozen: Params, batch: Batch, keys: Array
    ) -> tuple[Array, dict[str, Array]]:
        """Weighted sum of the terms over the examples that have audio."""
        del frozen
        there_B = batch.has_audio
        audio = jnp.where(there_B[:, None, None], batch.audio, 0)
        codec = cast(params["codec"], self.dtype)
        mean, log_variance = self.system.codec.apply(codec, audio, method="encode")
        noise = jax.vmap(lambda key: jax.random.normal(key, mean.shape[1:]))(keys)
        z_BTL = mean + jnp.exp(log_variance / 2) * noise
        divergence = mean**2 + jnp.exp(log_variance) - 1 - log_variance
        terms = {"kl": 0.5 * present.mean(divergence, there_B)}
        if self.weights.spectrum:
            terms["spectrum"] = self._spectrum_distance(codec, audio, z_BTL, there_B)
        if self._hears:
            decoded = self.system.codec.apply(codec, z_BTL, method="decode")
            audio = audio[:, : decoded.shape[1]]
            # Silence that is not there tells the discriminators nothing: it is true and made alike.
            decoded = jnp.where(there_B[:, None, None], decoded, audio)
            terms |= self.distances(audio, decoded, there_B)
        total = sum(getattr(self.weights, name) * value for name, value in terms.items())
        moments = self._statistics_loss(params["codec"], jax.lax.stop_gradient(mean), there_B)
        total += moments - jax.lax.stop_gradient(moments)  # a gradient, and no part of the loss
        if self.judges:
            adversarial, more = self._adversarial(params["discriminators"], audio, decoded)
            total, terms = total + adversarial, terms | more
        return total, terms

    def distances(self, audio_BNC: Array, decoded_BNC: Array, there_B: Array) -> dict[str, Array]:
        """`mel`, `stft` (log magnitude) and `phase` (compressed complex) of what is there."""
        w = self.weights
        channels = zip(*(jnp.unstack(x, axis=2) for x in (audio_BNC, decoded_BNC)), strict=True)
        mel = stft = phase = 0.0
        rate, count = self.system.codec_config.sample_rate, len(w.windows)
        for true, made in channels:
            for window, bands in zip(w.windows, w.bands, strict=True):
                a, b = (spectral.stft(x, window, window // 4) for x in (true, made))
                size_a, size_b = spectral.magnitude(a), spectral.magnitude(b)
                mel_a, mel_b = (spectral.log_mel(x, rate, bands, w.floor) for x in (size_a, size_b))
                mel += present.mean(jnp.abs(mel_a - mel_b), there_B) / count
                logs = (jnp.log(x + w.floor) for x in (size_a, size_b))
                stft += present.mean(jnp.abs(jnp.subtract(*logs)), there_B) / count
                gain = (size_a + w.floor) ** -0.7
                phase += present.mean(spectral.magnitude((a - b) * gain), there_B) / count
        return {"mel": mel, "stft": stft, "phase": phase}

    def _spectrum_distance(
        self, codec: Params, audio_BNC: Array, z_BTL: Array, there_B: Array
    ) -> Array:
        """Of log magnitudes: absolute, for sharp lines, and squared, for few of them are heard and
        the median is silence."""
        made, _ = self.system.codec.apply(codec, z_BTL, method="decode_spectrum")
        true = self.system.codec.apply(codec, audio_BNC, method="encode_spectrum")
        apart = made - true[:, :, : made.shape[2]]
        return present.mean(jnp.abs(apart) + apart**2 / 2, there_B)

    def _statistics_loss(self, codec: Params, mean_BTL: Array, there_B: Array) -> Array:
        moments = (x_BTL.mean(axis=1) for x_BTL in (mean_BTL, mean_BTL**2))
        targets = [present.mean_of_examples(x_BL, there_B) for x_BL in moments]
        loss = sum(
            jnp.sum((codec[name] - target) ** 2) / 2
            for name, target in zip(STATISTICS, targets, strict=True)
        )
        return jnp.where(there_B.any(), loss, 0)

    def _adversarial(
        self, judges: Params, audio: Array, decoded: Array
    ) -> tuple[Array, dict[str, Array]]:
        stop = jax.lax.stop_gradient
        real = self.judges.apply(judges, audio)
        discriminator = discriminator_loss(real, self.judges.apply(judges, stop(decoded)))
        made = self.judges.apply(stop(judges), decoded)
        terms = {
            "adversarial": adversarial_loss(made),
            "matching": matching_loss(stop(real), made),
        }
        total = sum(getattr(self.weights, name) * value for name, value in terms.items())
        return discriminator + total, terms | {"discriminator": discriminator}

    def examples(self, batch: Batch) -> Array:
        """Those that have audio."""
        return batch.has_audio.sum()

    def tokens(self, batch: Batch) -> int:
        """Latents."""
        config = self.system.codec_config
        return round(batch.audio.shape[1] / config.sample_rate * config.latent_rate)

    def evaluate(
        self, params: Params, frozen: Params, batch: Batch, keys: Array
    ) -> dict[str, Array]:
        """Distances of the deterministic round trip."""
        decoded = self.samples(params, frozen, batch, keys)["round_trip"]
        return self.distances(batch.audio[:, : decoded.shape[1]], decoded, batch.has_audio)

    def samples(
        self, params: Params, frozen: Params, batch: Batch, keys: Array
    ) -> dict[str, Array]:
        """The true audio and its round trip."""
        del frozen, keys
        codec = cast(params["codec"], self.dtype)
        mean, _ = self.system.codec.apply(codec, batch.audio, method="encode")
        decoded = self.system.codec.apply(codec, mean, method="decode")
        return {"true": batch.audio, "round_trip": decoded}
