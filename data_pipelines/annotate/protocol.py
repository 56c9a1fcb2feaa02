"""What an annotator sees of a window, what it tells, and how several are asked.

Captions, transcript and labels are fields of their own. The first annotator that tells a field
has it; later ones fill what is left open.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np

from data_pipelines.prepare.windows import Window
from data_pipelines.sources import SourceClip
from v2a_jax.types import Event


@dataclasses.dataclass(frozen=True, kw_only=True)
class View:
    """What an annotator sees: a window of a clip, as it will be stored.

    video uint8[F,H,W,3] at `fps`, audio float32[N,C] at `sample_rate`; None where there is none.
    """

    clip: SourceClip
    window: Window
    video: np.ndarray | None
    fps: float
    audio: np.ndarray | None
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return self.window.frames / self.fps


@dataclasses.dataclass(frozen=True, kw_only=True)
class Annotation:
    """What one annotator tells; empty fields tell nothing.

    confidence  0..1, that all of it is true
    statements  what the captions are made of, each with a confidence of its own
    fault       why nothing is told of this window, where something should have been
    """

    origin: str
    confidence: float = 0.0
    captions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    statements: tuple[tuple[str, float], ...] = ()
    labels: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    transcript: str = ""
    words: tuple[tuple[str, float, float], ...] = ()
    fault: str = ""


class Annotator(Protocol):
    """Tells something of a window; it must be picklable, and the same for the same window."""

    def annotate(self, view: View) -> Annotation:
        """The annotation; UserError when none can be made of any window."""


FIELDS = ("captions", "labels", "events", "transcript", "words")


def annotations(view: View, annotators: Iterable[Annotator]) -> dict[str, Any]:
    """Fields of a record; under `told` the origin and confidence of each that is not empty, and
    under `faults` why an annotator failed, by its origin.
    """
    fields: dict[str, Any] = dict(captions={}, labels=(), events=(), transcript="", words=())
    told, faults = {}, {}
    for annotator in annotators:
        annotation = annotator.annotate(view)
        if annotation.fault:
            faults[annotation.origin] = annotation.fault
        for name in _news(annotation, fields):
            fields[name] = getattr(annotation, name)
            told[name] = {"origin": annotation.origin, "confidence": annotation.confidence}
            if name == "captions" and annotation.statements:
                told[name]["statements"] = [list(one) for one in annotation.statements]
    caption = fields["captions"].get("full", "")
    return fields | {"caption": caption, "told": told, "faults": faults}


def _news(annotation: Annotation, fields: Mapping[str, Any]) -> list[str]:
    """Names of the fields that were open; of one transcript are not the words of another."""
    new = [name for name in FIELDS if getattr(annotation, name) and not fields[name]]
    return [name for name in new if name != "words" or not fields["transcript"]]
