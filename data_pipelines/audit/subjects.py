"""What is audited: clips in memory, and the collections that give them."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from data_pipelines.audit.finding import Finding


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """One clip as a model would be trained on it.

    name         its provenance, unique in the collection; `clip` is its row of the ledger
    asset        SHA-256 of the file it is from, '' where there is none; `start` seconds into it
    video        uint8[F,H,W,3] at `fps`; audio float32[N,C] at `sample_rate`; None for none
    captions     wordings of what is heard
    """

    name: str
    clip: str
    asset: str
    start: float
    video: np.ndarray | None
    fps: float
    audio: np.ndarray | None
    sample_rate: int
    captions: tuple[str, ...]
    transcript: str


class Collection(Protocol):
    """Clips in chunks that workers share; picklable.

    `title` names it to people; `require` are the modalities that every clip must have.
    """

    title: str
    require: tuple[str, ...]

    def sizes(self) -> list[int]:
        """How many clips each chunk has."""

    def read(self, chunk: int) -> Iterator[Subject | Finding]:
        """The clips of a chunk, in a fixed order; what cannot be read is a finding."""

    def again(self, chunk: int, name: str) -> Subject | None:
        """One clip of a chunk, without reading the others; None when it is not there any more."""

    def faults(self, clips: Iterable[str]) -> Iterator[Finding]:
        """What is wrong with the whole; `clips` are those of all subjects in order, '' unread."""

    def rights(self) -> Mapping[str, Mapping[str, Any]] | None:
        """Rows of the ledger by clip; None for procedural clips, which are free."""

    def dropped(self) -> Mapping[str, int]:
        """How many clips a preparation left out, by stage and reason."""
