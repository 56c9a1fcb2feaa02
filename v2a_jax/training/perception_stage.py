"""Stage 2, perception: video tokens and caption tokens that know what sounds, and when.

- when and what: each frame's sync token is contrasted (InfoNCE) with the audio at its own time,
  against all other times of all clips of the batch; and it predicts the audio latent of its time;
- words: captions are contrasted with whole clips, equal captions counting as equal;
- reconstruction: a frame's tokens predict a small picture of it;
- robustness: tokens of degraded video land on the clean video's tokens.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from v2a_jax.config import build, require
from v2a_jax.models.functional import cast
from v2a_jax.models.layers import normalize
from v2a_jax.models.perception import unit
from v2a_jax.models.system import System
from v2a_jax.sharding import replicated, reshape_rows
from v2a_jax.training import present
from v2a_jax.training.decay import decay_kernels
from v2a_jax.types import Array, Batch, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerceptionLossConfig:
    """Weights of the terms; `every` frame in so many takes part in the contrast."""

    contrast: float
    sound: float
    words: float
    picture: float
    robust: float
    every: int


class PerceptionStage:
    """Trains VideoTokenizer and TextEncoder against the frozen codec's latents."""

    name = "perception"
    needs = ("codec",)
    reads_text = True
    marks = False

    def __init__(self, config: Mapping[str, Any], system: System):
        self.system = system
        self.weights = build(PerceptionLossConfig, config["perception_loss"])
        require(
            system.video_config.size % system.perception_config.picture == 0,
            "video.size must be a multiple of perception.picture",
        )
        self.dtype = config["dtype"]
        self.models = {name: getattr(system, name) for name in ("video", "text", "tower", "heads")}

    def init(self, key: Array) -> Params:
        """{"video", "text", "tower", "heads"}."""
        keys = jax.random.split(key, len(self.models))
        return {
            name: model.init(k) for (name, model), k in zip(self.models.items(), keys, strict=True)
        }

    def axes(self) -> Params:
        """Logical axes of the parameters."""
        return {name: model.axes for name, model in self.models.items()}

    def groups(self, params: Params) -> Params:
        """All in `model`."""
        return jax.tree.map(lambda _: "model", params)

    def decay_mask(self, params: Params) -> Params:
        """Kernels decay."""
        return decay_kernels(params)

    def loss(
        self, params: Params, frozen: Params, batch: Batch, keys: Array
    ) -> tuple[Array, dict[str, Array]]:
        """Weighted sum of the terms."""
        del keys
        terms, extra = self._terms(params, frozen, batch)
        total = sum(getattr(self.weights, name) * value for name, value in terms.items())
        return total, terms | extra

    def examples(self, batch: Batch) -> Array:
        """All."""
        return jnp.full((), batch.index.shape[0])

    def tokens(self, batch: Batch) -> int:
        """Those of the video and of the caption."""
        frames = batch.video.shape[1]
        semantic = math.ceil(frames / self.system.video_config.semantic_frames)
        return frames + semantic + batch.caption.shape[1]

    def evaluate(
        self, params: Params, frozen: Params, batch: Batch, keys: Array
    ) -> dict[str, Array]:
        """The terms, and how often the right time is the nearest."""
        return self.loss(params, frozen, batch, keys)[1]

    def samples(
        self, params: Params, frozen: Params, batch: Batch, keys: Array
    ) -> dict[str, Array]:
        """None: this stage makes no sound."""
        del params, frozen, batch, keys
        return {}

    def _terms(self, params: Params, frozen: Params, batch: Batch) -> tuple[dict, dict]:
        p, apply = cast(params, self.dtype), self._apply
        z_BTL = jax.lax.stop_gradient(self.system.hear(frozen["codec"], batch.audio, self.dtype))
        local_BTE, whole_BE = apply(p, "tower", z_BTL)
        sync_BFD, semantic_BSD = apply(p, "video", batch.video)
        both_B = batch.has_video & batch.has_audio
        at_frame_FT = self.system.at_frames(batch.video.shape[1], z_BTL.shape[1])
        at_frame_FT = at_frame_FT.astype(self.dtype)
        scales = apply(p, "heads", method="scales").astype(jnp.float32)

        contrast, right = self._contrast(
            apply(p, "heads", sync_BFD, method="embed_sync"),
            jnp.einsum("ft,bte->bfe", at_frame_FT, local_BTE),
            both_B,
            scales[0],
        )
        predicted_BFL = apply(p, "heads", sync_BFD, method="predict_sound")
        sound = (predicted_BFL - jnp.einsum("ft,btl->bfl", at_frame_FT, z_BTL)) ** 2
        summary_BD = self.system.text.apply(p["text"], batch.caption, method="summary")
        caption_BE = apply(p, "heads", summary_BD, method="embed_text")
        terms = {
            "contrast": contrast,
            "sound": present.mean(sound, both_B),
            "words": _words(caption_BE, whole_BE, batch, scales[1]),
            "picture": self._picture(p, batch, sync_BFD, semantic_BSD),
        }
        if self.weights.robust and batch.degraded is not None:
            terms["robust"] = self._robust(p, batch, sync_BFD, semantic_BSD)
        return terms, {"contrast_right": right}

    def _apply(self, params: Params, name: str, *args: Array, method: str = "__call__") -> Any:
        return self.models[name].apply(params[name], *args, method=method)

    def _contrast(
        self, seen_BFE: Array, heard_BFE: Array, both_B: Array, scale: Array
    ) -> tuple[Array, Array]:
        """InfoNCE between (clip, time) pairs, both ways, and the share ranked first."""
        every = self.weights.every

        def flat(x_BFE: Array) -> Array:
            return reshape_rows(x_BFE, (x_BFE.shape[0] * x_BFE.shape[1], x_BFE.shape[2]))

        seen, heard = (flat(unit(x[:, ::every])) for x in (seen_BFE, heard_BFE))
        shape = (both_B.shape[0], -(-seen_BFE.shape[1] // every))
        weight_BF = jnp.broadcast_to(both_B[:, None], shape).astype(jnp.float32)
        weight_P = reshape_rows(weight_BF, (shape[0] * shape[1],))
        logits_PP = _present(scale * seen @ replicated(heard).T, weight_P)
        own_P = jnp.sum(seen * heard, axis=-1) * scale
        forward = jax.nn.logsumexp(logits_PP, axis=1) - own_P
        reverse_PP = _present(scale * heard @ replicated(seen).T, weight_P)
        backward = jax.nn.logsumexp(reverse_PP, axis=1) - own_P
        total = jnp.maximum(weight_P.sum(), 1)
        right = own_P >= logits_PP.max(axis=1) - 1e-4
        loss = jnp.sum(weight_P * (forward + backward)) / (2 * total)
        return loss, jnp.sum(weight_P * right) / total

    def _picture(self, p: Params, batch: Batch, sync_BFD: Array, semantic_BSD: Array) -> Array:
        """Squared error of each frame's small picture."""
        side, (b, f, h, w, _) = self.system.perception_config.picture, batch.video.shape
        small = reshape_rows(batch.video, (b, f, side, h // side, side, w // side, 3))
        target = small.astype(jnp.float32).mean(axis=(3, 5)) / 128 - 1
        step = self.system.video_config.semantic_frames
        held = jnp.repeat(semantic_BSD, step, axis=1)[:, :f]
        made = self._apply(p, "heads", sync_BFD, held, method="predict_picture")
        target = reshape_rows(target, (b, f, side * side * 3))
        return present.mean((made - target) ** 2, batch.has_video)

    def _robust(self, p: Params, batch: Batch, sync_BFD: Array, semantic_BSD: Array) -> Array:
        """Squared distance of degraded tokens to the clean ones, which don't move for it."""
        degraded = self._apply(p, "video", batch.degraded)
        clean = jax.lax.stop_gradient((sync_BFD, semantic_BSD))
        return sum(
            present.mean((normalize(a) - normalize(b)) ** 2, batch.has_video)
            for a, b in zip(degraded, clean, strict=True)
        )


def _present(logits_PQ: Array, weight_Q: Array) -> Array:
    """Logits in which what is absent cannot be chosen."""
    return jnp.where(replicated(weight_Q)[None] > 0, logits_PQ, -1e30)


def _words(caption_BE: Array, whole_BE: Array, batch: Batch, scale: Array) -> Array:
    """InfoNCE between captions and clips; clips of one caption share the probability."""
    both_B = (batch.has_caption & batch.has_audio).astype(jnp.float32)
    text, sound = unit(caption_BE), unit(whole_BE)
    ids = batch.caption
    same_BB = jnp.all(ids[:, None] == replicated(ids)[None], axis=-1) * replicated(both_B)[None]
    logits_BB = _present(scale * text @ replicated(sound).T, both_B)
    backward_BB = _present(scale * sound @ replicated(text).T, both_B)
    share_BB = same_BB / jnp.maximum(same_BB.sum(axis=1, keepdims=True), 1)
    cross = sum(
        -jnp.sum(share_BB * jax.nn.log_softmax(logits, axis=1), axis=1)
        for logits in (logits_BB, backward_BB)
    )
    return jnp.sum(both_B * cross) / (2 * jnp.maximum(both_B.sum(), 1))
