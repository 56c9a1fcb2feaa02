"""From an encoded clip to one example of what diffusion trains on.

The draws are those of `transforms.Example`, from the same generator: of a clip that is one window
long, only the wording is left to chance.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from data_pipelines.features.schema import EncodedClip
from data_pipelines.transforms import Draw, LoaderConfig, choose_caption
from v2a_jax.models.tokenizer import padded
from v2a_jax.types import Conditions, Encoded


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureExample:
    """Grain's random map: (index, encoded clip) and a generator give one example.

    `shapes` and `dtype` are the store's; what a clip lacks, or has less of, is zeros.
    """

    config: LoaderConfig
    shapes: Mapping[str, tuple[int, ...]]
    dtype: np.dtype

    def __call__(self, item: tuple[int, EncodedClip], rng: np.random.Generator) -> Encoded:
        """One example, without batch axis; `rng` is keyed by its position in the stream."""
        index, clip = item
        wording = choose_caption(clip, self.config, Draw.from_rng(rng))
        tokens = clip.texts.get(wording)
        count = 0 if tokens is None else len(tokens)
        length, _ = self.shapes["text"]
        return Encoded(
            index=np.int32(index),
            latents=self._filled("latents", clip.latents),
            given=Conditions(
                sync=self._filled("sync", clip.sync),
                semantic=self._filled("semantic", clip.semantic),
                text=self._filled("text", tokens),
                text_mask=np.arange(length) < max(count, 1),
                transcript=padded(clip.transcript, *self.shapes["transcript"]),
                use_video=np.bool_(clip.sync is not None),
                use_text=np.bool_(count > 0),
                use_transcript=np.bool_(clip.transcript.any()),
            ),
            has_audio=np.bool_(clip.latents is not None),
        )

    def _filled(self, name: str, array: np.ndarray | None) -> np.ndarray:
        """The array at the beginning of zeros of the store's shape."""
        out = np.zeros(self.shapes[name], self.dtype)
        if array is not None:
            out[: len(array)] = array
        return out
