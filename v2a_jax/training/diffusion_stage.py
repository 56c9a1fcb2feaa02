"""Stage 3, diffusion: flow matching of the AudioDiT on the frozen codec's latents.

Loss |v(x_t, t, conditions) - (data - noise)|^2, with video and text dropped independently so that
each can be guided on its own. A batch comes as pixels and sound, or already encoded.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from v2a_jax.config import build
from v2a_jax.models.functional import cast
from v2a_jax.models.system import System
from v2a_jax.sampling.sampler import Request, Sampler, SamplerConfig
from v2a_jax.sharding import replicated
from v2a_jax.training.decay import decay_kernels
from v2a_jax.types import Array, Batch, Conditions, Encoded, Params
from v2a_jax.watermark.mask import DepthConfig
from v2a_jax.watermark.payload import PAYLOAD_BITS

SAMPLED = 4  # clips that are sampled while training


@dataclasses.dataclass(frozen=True, kw_only=True)
class DropConfig:
    """Probabilities of hiding a condition from an example."""

    video: float
    text: float
    transcript: float


class DiffusionStage:
    """Trains the AudioDiT; everything else is frozen, and may have encoded the batch before."""

    name = "diffusion"
    needs = ("codec", "video", "text")
    reads_text = True
    marks = True

    def __init__(self, config: Mapping[str, Any], system: System):
        self.system = system
        self.drop = build(DropConfig, config["drop"])
        self.dtype = config["dtype"]
        sampler = build(SamplerConfig, config["sampler"])
        self.sampler = Sampler(
            system,
            build(DepthConfig, config["watermark"]),
            steps=sampler.steps,
            solver=sampler.solver,
        )
        self.guidance = sampler.guidance

    def init(self, key: Array) -> Params:
        """{"dit"}."""
        return {"dit": self.system.dit.init(key)}

    def axes(self) -> Params:
        """Logical axes of the parameters."""
        return {"dit": self.system.dit.axes}

    def groups(self, params: Params) -> Params:
        """All in `model`."""
        return jax.tree.map(lambda _: "model", params)

    def decay_mask(self, params: Params) -> Params:
        """Kernels decay."""
        return decay_kernels(params)

    def loss(
        self, params: Params, frozen: Params, batch: Batch | Encoded, keys: Array
    ) -> tuple[Array, dict[str, Array]]:
        """Mean squared error of the velocity over the examples that have audio."""
        data, given = self._prepare(frozen, batch)
        keys = jax.vmap(lambda key: jax.random.split(key, 3))(keys)
        t_B = jax.vmap(self.system.path.draw_time)(keys[:, 0])
        return self._error(params, data, self._dropped(given, keys[:, 1]), t_B, keys[:, 2], batch)

    def examples(self, batch: Batch | Encoded) -> Array:
        """Those that have audio."""
        return batch.has_audio.sum()

    def tokens(self, batch: Batch | Encoded) -> int:
        """Those that attend to each other: latents, what is seen, and the caption."""
        if isinstance(batch, Encoded):
            given = batch.given
            return batch.latents.shape[1] + given.semantic.shape[1] + given.text.shape[1]
        codec, video = self.system.codec_config, self.system.video_config
        latents = round(batch.audio.shape[1] / codec.sample_rate * codec.latent_rate)
        seen = math.ceil(batch.video.shape[1] / video.semantic_frames)
        return latents + seen + batch.caption.shape[1]

    def evaluate(
        self, params: Params, frozen: Params, batch: Batch | Encoded, keys: Array
    ) -> dict[str, Array]:
        """The loss at t = 0.1, 0.5 and 0.9 with all conditions, and at 0.5 without any."""
        data, given = self._prepare(frozen, batch)
        off = jnp.zeros_like(given.use_video)
        blind = dataclasses.replace(given, use_video=off, use_text=off, use_transcript=off)
        cases = {"at_0.1": (given, 0.1), "at_0.5": (given, 0.5), "at_0.9": (given, 0.9)}
        cases["blind_at_0.5"] = (blind, 0.5)
        return {
            name: self._error(params, data, conditions, jnp.full_like(off, t, float), keys, batch)[
                0
            ]
            for name, (conditions, t) in cases.items()
        }

    def samples(
        self, params: Params, frozen: Params, batch: Batch, keys: Array
    ) -> dict[str, Array]:
        """The first clips' true audio, and what the model makes of them: marked, like all it makes.

        `frozen` holds the watermark's pattern beside the weights.
        """
        del keys
        few = jax.tree.map(lambda x: replicated(x)[:SAMPLED], batch)
        count, latent = few.index.shape[0], self.system.codec_config.latent
        request = Request(
            video=few.video,
            prompt=few.caption,
            negative=None,
            transcript=few.transcript,
            seed=jnp.arange(count, dtype=jnp.uint32)[:, None],
            window=jnp.int32(0),
            prefix=jnp.zeros((count, 1, 0, latent)),
            has_prefix=jnp.bool_(False),
            start=jnp.int32(0),
            payload=jnp.zeros(PAYLOAD_BITS, jnp.int32),
            guidance=jax.tree.map(jnp.asarray, self.guidance),
        )
        audio, _ = self.sampler.sample(frozen | params, frozen["pattern"], request)
        return {"true": few.audio, "made": audio[:, 0]}

    def encode(self, frozen: Params, batch: Batch) -> Encoded:
        """Normalised latents and all conditions of a batch, from the frozen parts."""
        video = batch.video if batch.degraded is None else batch.degraded
        given = self.system.conditions(
            self._cast(frozen, "video", "text"),
            video,
            batch.caption,
            batch.transcript,
            batch.has_video,
        )
        return Encoded(
            index=batch.index,
            latents=self.system.hear(frozen["codec"], batch.audio, self.dtype),
            given=given,
            has_audio=batch.has_audio,
        )

    def read(self, frozen: Params, caption_BL: Array) -> Array:
        """Caption tokens alone, as `encode` makes them."""
        return self.system.read(self._cast(frozen, "text"), caption_BL)[0]

    def _cast(self, frozen: Params, *parts: str) -> Params:
        return cast({part: frozen[part] for part in parts}, self.dtype)

    def _prepare(self, frozen: Params, batch: Batch | Encoded) -> tuple[Array, Conditions]:
        """Latents, in float32 however they are stored, and conditions, which the model casts."""
        made = self.encode(frozen, batch) if isinstance(batch, Batch) else batch
        return jax.lax.stop_gradient((made.latents.astype(jnp.float32), made.given))

    def _dropped(self, given: Conditions, keys_B: Array) -> Conditions:
        """Each condition hidden at its own probability, independently."""
        chance = jnp.array([self.drop.video, self.drop.text, self.drop.transcript])
        keep = jax.vmap(lambda key: jax.random.uniform(key, (3,)) >= chance)(keys_B)
        return dataclasses.replace(
            given,
            use_video=given.use_video & keep[:, 0],
            use_text=given.use_text & keep[:, 1],
            use_transcript=given.use_transcript & keep[:, 2],
        )

    def _error(
        self,
        params: Params,
        data: Array,
        given: Conditions,
        t_B: Array,
        keys_B: Array,
        batch: Batch | Encoded,
    ) -> tuple[Array, dict[str, Array]]:
        path, dit = self.system.path, cast(params["dit"], self.dtype)
        noise = jax.vmap(lambda key: jax.random.normal(key, data.shape[1:]))(keys_B)
        made = self.system.dit.apply(dit, path.point(data, noise, t_B), t_B, given)
        error_B = jnp.mean((made - path.velocity(data, noise)) ** 2, axis=(1, 2))
        weight_B = batch.has_audio.astype(jnp.float32)
        total = jnp.sum(weight_B * error_B) / jnp.maximum(weight_B.sum(), 1)
        return total, {"velocity": total}
