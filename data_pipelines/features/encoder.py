"""From clip records to encoded clips, a batch at a time.

Clips become examples as in training, and every wording of theirs is read once a batch.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from data_pipelines.features.schema import EncodedClip
from data_pipelines.loader import stack
from data_pipelines.schema import ClipRecord
from data_pipelines.transforms import Example, clip_frames
from v2a_jax.errors import UserError
from v2a_jax.models.tokenizer import padded
from v2a_jax.types import Batch, Encoded

_META = ("licence", "asset", "start", "split")
Row = tuple[ClipRecord, Batch]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClipEncoder:
    """Encodes clips in batches of `size`; floats are stored as `dtype`.

    encode  Batch of `size` examples -> Encoded, numpy
    read    token ids int32[size,L] -> their tokens [size,L,D], numpy
    """

    example: Example
    encode: Callable[[Batch], Encoded]
    read: Callable[[np.ndarray], np.ndarray]
    size: int
    dtype: np.dtype

    def row(self, item: tuple[int, ClipRecord]) -> Row:
        """A clip without its buffers, and its example; UserError when it is over one window."""
        record, config = item[1], self.example.config
        frames = clip_frames(record, config)
        if frames > config.frames:
            raise UserError(
                f"clip {record.provenance} has {frames} frames, an example {config.frames}: "
                f"prepare it with --seconds={config.seconds:g}"
            )
        # A clip of one window leaves the example's draws nothing but the wording, unused here.
        example = self.example(item, np.random.default_rng(0))
        return dataclasses.replace(record, video=None, audio=None), example

    def __call__(self, rows: Sequence[Row]) -> list[EncodedClip]:
        """At most `size` clips, encoded."""
        records, examples = zip(*rows, strict=True)
        made = self.encode(stack(_filled(examples, self.size)))
        texts = dict.fromkeys(
            text for record in records for text in (record.caption, *record.captions.values())
        )
        tokens = dict(self._tokens([text for text in texts if text]))
        return [
            self._clip(record, example, jax.tree.map(lambda x, k=k: x[k], made), tokens)
            for k, (record, example) in enumerate(rows)
        ]

    def _tokens(self, texts: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
        """Each text with its tokens, as many as it has ids."""
        length = self.example.config.caption_length
        remaining = iter(texts)
        while some := list(itertools.islice(remaining, self.size)):
            ids = [padded(self.example.encode(text), length) for text in some]
            read = self.read(np.stack(_filled(ids, self.size)))
            for text, row, tokens_LD in zip(some, ids, read, strict=False):
                yield text, self._stored(tokens_LD[: np.count_nonzero(row)])

    def _clip(
        self, record: ClipRecord, example: Batch, made: Encoded, tokens: Mapping[str, np.ndarray]
    ) -> EncodedClip:
        given, spoken = made.given, example.transcript
        wordings = [text for text in (record.caption, *record.captions.values()) if text]
        return EncodedClip(
            latents=self._stored(made.latents) if example.has_audio else None,
            sync=self._stored(given.sync) if example.has_video else None,
            semantic=self._stored(given.semantic) if example.has_video else None,
            texts={text: tokens[text] for text in wordings},
            transcript=spoken[: np.count_nonzero(spoken)],
            caption=record.caption,
            captions=dict(record.captions),
            provenance=record.provenance,
            meta={name: record.meta[name] for name in _META if name in record.meta},
        )

    def _stored(self, array: np.ndarray) -> np.ndarray:
        return np.asarray(array).astype(self.dtype)


def _filled(rows: Sequence[Any], size: int) -> list[Any]:
    """As many rows as a batch has: the first stands in for those that are missing."""
    return [*rows, *[rows[0]] * (size - len(rows))]
