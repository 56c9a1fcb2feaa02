"""The four models of one configuration, and how conditions are made from pixels and words."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from v2a_jax.config import build
from v2a_jax.diffusion.path import FlowPath
from v2a_jax.models.audio_codec import AudioCodec, CodecConfig
from v2a_jax.models.audio_dit import AudioDiT, DiTConfig
from v2a_jax.models.functional import Functional, cast
from v2a_jax.models.layers import StackConfig
from v2a_jax.models.text_encoder import TextConfig, TextEncoder
from v2a_jax.models.video_tokenizer import VideoConfig, VideoTokenizer
from v2a_jax.types import Array, Conditions, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class System:
    """Configurations and functional models; weights are handled apart, as a dict by part name."""

    codec_config: CodecConfig
    video_config: VideoConfig
    text_config: TextConfig
    dit_config: DiTConfig
    path: FlowPath
    codec: Functional
    video: Functional
    text: Functional
    dit: Functional

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> "System":
        """The system that `config.model` and `config.path` describe."""
        model = config["model"]
        stack = build(StackConfig, model["stack"])
        codec = build(CodecConfig, model["codec"], stack=stack)
        video = build(VideoConfig, model["video"], stack=stack)
        text = build(TextConfig, model["text"], stack=stack)
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
            dit_config=dit,
            path=build(FlowPath, config["path"]),
            codec=Functional(lambda rngs: AudioCodec(codec, rngs=rngs)),
            video=Functional(lambda rngs: VideoTokenizer(video, rngs=rngs)),
            text=Functional(lambda rngs: TextEncoder(text, rngs=rngs)),
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
