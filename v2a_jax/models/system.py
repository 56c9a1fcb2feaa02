"""The models of one configuration: how conditions are made, and how well a sound suits them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from v2a_jax.config import build
from v2a_jax.diffusion.path import FlowPath
from v2a_jax.models.audio_codec import AudioCodec, CodecConfig
from v2a_jax.models.audio_dit import AudioDiT, DiTConfig, linear_weights
from v2a_jax.models.functional import Functional, cast
from v2a_jax.models.layers import StackConfig
from v2a_jax.models.perception import AudioTower, Heads, PerceptionConfig, timing, unit
from v2a_jax.models.text_encoder import TextConfig, TextEncoder
from v2a_jax.models.video_tokenizer import VideoConfig, VideoTokenizer
from v2a_jax.types import Array, Conditions, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class System:
    """Configurations and functional models; weights are handled apart, as a dict by part name."""

    codec_config: CodecConfig
    video_config: VideoConfig
    text_config: TextConfig
    perception_config: PerceptionConfig
    dit_config: DiTConfig
    path: FlowPath
    codec: Functional
    video: Functional
    text: Functional
    tower: Functional
    heads: Functional
    dit: Functional

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> "System":
        """The system that `config.model` and `config.path` describe."""
        model = config["model"]
        stack = build(StackConfig, model["stack"])
        codec = build(CodecConfig, model["codec"], stack=stack)
        video = build(VideoConfig, model["video"], stack=stack)
        text = build(TextConfig, model["text"], stack=stack)
        perception = build(PerceptionConfig, model["perception"], stack=stack)
        dit = build(
            DiTConfig,
            model["dit"],
            stack=stack,
            latent=codec.latent,
            latent_rate=codec.latent_rate,
            sync_rate=float(video.fps),
            semantic_frames=video.semantic_frames,
            video_width=video.width,
            text_width=text.width,
        )
        return System(
            codec_config=codec,
            video_config=video,
            text_config=text,
            perception_config=perception,
            dit_config=dit,
            path=build(FlowPath, config["path"]),
            codec=Functional(lambda rngs: AudioCodec(codec, rngs=rngs)),
            video=Functional(lambda rngs: VideoTokenizer(video, rngs=rngs)),
            text=Functional(lambda rngs: TextEncoder(text, rngs=rngs)),
            tower=Functional(lambda rngs: AudioTower(perception, codec.latent, rngs=rngs)),
            heads=Functional(
                lambda rngs: Heads(perception, video.width, text.width, codec.latent, rngs=rngs)
            ),
            dit=Functional(lambda rngs: AudioDiT(dit, rngs=rngs)),
        )

    def hear(self, codec: Params, audio_BNC: Array, dtype: str) -> Array:
        """Normalised latents, encoded in `dtype`; the moments stay float32, as in the sampler."""
        mean, _ = self.codec.apply(cast(codec, dtype), audio_BNC, method="encode")
        return self.codec.apply(codec, mean, method="normalize")

    def see(self, weights: Params, video_BFHW3: Array) -> tuple[Array, Array]:
        """Sync and semantic tokens of a video."""
        return self.video.apply(weights["video"], video_BFHW3)

    def read(self, weights: Params, caption_BL: Array) -> tuple[Array, Array]:
        """Caption tokens and their mask."""
        return self.text.apply(weights["text"], caption_BL)

    def conditions(
        self,
        weights: Params,
        video_BFHW3: Array,
        caption_BL: Array,
        transcript_BM: Array,
        use_video: Array,
    ) -> Conditions:
        """All conditions of a batch; captions and transcripts of padding alone count as absent."""
        sync, semantic = self.see(weights, video_BFHW3)
        text, text_mask = self.read(weights, caption_BL)
        return Conditions(
            sync=sync,
            semantic=semantic,
            text=text,
            text_mask=text_mask,
            transcript=transcript_BM,
            use_video=use_video,
            use_text=jnp.any(caption_BL != 0, axis=1),
            use_transcript=jnp.any(transcript_BM != 0, axis=1),
        )

    def at_frames(self, frames: int, latents: int) -> Array:
        """[F,T]: a sequence of so many latents read at each frame's time."""
        seconds_F = jnp.arange(frames) / self.video_config.fps
        rate = self.codec_config.latent_rate
        return linear_weights(seconds_F - 0.5 / rate, latents, rate)

    def agreement(
        self,
        weights: Params,
        latents_BTL: Array,
        sync_BFD: Array,
        shown_B: Array,
        prompt_BL: Array,
    ) -> Array:
        """How well sounds suit their pictures and prompts, float32[B], as perception was trained.

        The logarithm of a probability, that each of the first `shown` frames is told to be of its
        own time, plus where there is a prompt that of its contrast with clips, but for a constant:
        the cosine times its trained scale. Thus neither needs a weight that nobody has measured.
        """
        local_BTE, whole_BE = self.tower.apply(weights["tower"], latents_BTL)
        seen_BFE = self.heads.apply(weights["heads"], sync_BFD, method="embed_sync")
        at_frame_FT = self.at_frames(sync_BFD.shape[1], latents_BTL.shape[1])
        heard_BFE = jnp.einsum("ft,bte->bfe", at_frame_FT, local_BTE)
        scales = self.heads.apply(weights["heads"], method="scales")
        summary_BD = self.text.apply(weights["text"], prompt_BL, method="summary")
        words_BE = self.heads.apply(weights["heads"], summary_BD, method="embed_text")
        cosine_B = jnp.sum(unit(words_BE) * unit(whole_BE), axis=-1)
        asked_B = jnp.any(prompt_BL != 0, axis=1)
        in_time_B = timing(seen_BFE, heard_BFE, scales[0], shown_B)
        return in_time_B + jnp.where(asked_B, scales[1] * cosine_B, 0)
