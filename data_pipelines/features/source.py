"""Random access to a store of features: a dataset whose records are encoded clips."""

import os
from pathlib import Path

from data_pipelines.features import schema
from data_pipelines.records import DESCRIPTION, RecordSource, read_description
from v2a_jax.errors import UserError

FEATURES = "features"  # the part of the description that datasets of clips do not have


def is_store(place: str | os.PathLike) -> bool:
    """Whether `place` holds features, by its description; UserError when that is damaged."""
    return Path(place, DESCRIPTION).is_file() and FEATURES in read_description(place)


class FeatureSource(RecordSource):
    """The encoded clips of a store; safe to share between threads, pickled as its directory."""

    def __init__(self, directory: str | os.PathLike) -> None:
        """Opens `directory`; UserError when it is missing, incomplete or damaged."""
        super().__init__(directory)
        try:
            self.shapes = {k: tuple(v) for k, v in self.description["shapes"].items()}
            self.dtype = schema.FLOATS[self.description["dtype"]]
            self.origin = dict(self.description[FEATURES])
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            raise UserError(f"{self.directory}: {DESCRIPTION} is damaged ({error!r})") from error

    def _decode(self, data: bytes) -> schema.EncodedClip:
        clip = schema.decode(data)
        self._check(clip)
        return clip

    def _check(self, clip: schema.EncodedClip) -> None:
        """Arrays of the shapes that the description gives; texts and transcripts may be shorter."""
        for name in ("latents", "sync", "semantic"):
            array = getattr(clip, name)
            if array is not None and array.shape != self.shapes[name]:
                raise ValueError(f"{name} has shape {array.shape}, not {self.shapes[name]}")
        length, width = self.shapes["text"]
        for text, tokens_LD in clip.texts.items():
            if len(tokens_LD) > length or tokens_LD.shape[1:] != (width,):
                raise ValueError(f"the tokens of '{text}' have shape {tokens_LD.shape}")
        if clip.transcript.shape > self.shapes["transcript"]:
            raise ValueError(f"transcript has shape {clip.transcript.shape}")
