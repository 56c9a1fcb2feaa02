"""Annotators: what is told of a window's sound, each statement with its origin and confidence.

Captions, transcript and labels are fields of their own. The first annotator that tells a field
has it; later ones fill what is left open.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np

from data_pipelines.prepare.windows import Window, events_in, words_in
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
    """What one annotator tells; empty fields tell nothing. `confidence` lies in 0..1."""

    origin: str
    confidence: float
    captions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    labels: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    transcript: str = ""
    words: tuple[tuple[str, float, float], ...] = ()


class Annotator(Protocol):
    """Tells something of a window; it must be picklable, and the same for the same window."""

    def annotate(self, view: View) -> Annotation:
        """The annotation; UserError when it cannot be made."""


@dataclasses.dataclass(frozen=True)
class Sidecar:
    """What the dataset itself says, moved into the window."""

    def annotate(self, view: View) -> Annotation:
        """See `Annotator`. Of a transcript without word times, a part of a clip gets nothing."""
        clip, seconds = view.clip, view.seconds
        words = words_in(clip, view.window, seconds)
        whole = view.window.offset == 0 and (clip.end is None or seconds >= clip.end - clip.start)
        said = " ".join(word for word, *_ in words) if clip.words else clip.transcript * whole
        return Annotation(
            origin=clip.dataset,
            confidence=1.0,
            captions={_name(k): text for k, text in enumerate(clip.captions)},
            labels=clip.labels,
            events=events_in(clip, view.window, seconds),
            transcript=said,
            words=words,
        )


@dataclasses.dataclass(frozen=True)
class LabelCaption:
    """A caption made of the labels, where the dataset has no better one."""

    def annotate(self, view: View) -> Annotation:
        """See `Annotator`."""
        told = ", ".join(view.clip.labels)
        captions = {"full": told, "short": told} if told else {}
        return Annotation(origin="labels", confidence=0.5, captions=captions)


FIELDS = ("captions", "labels", "events", "transcript", "words")


def annotations(view: View, annotators: Iterable[Annotator]) -> dict[str, Any]:
    """Fields of a record, and under `told` the origin and confidence of each that is not empty."""
    fields: dict[str, Any] = dict(captions={}, labels=(), events=(), transcript="", words=())
    told = {}
    for annotator in annotators:
        annotation = annotator.annotate(view)
        for name in FIELDS:
            if not fields[name] and getattr(annotation, name):
                fields[name] = getattr(annotation, name)
                told[name] = {"origin": annotation.origin, "confidence": annotation.confidence}
    return fields | {"caption": fields["captions"].get("full", ""), "told": told}


def _name(index: int) -> str:
    return "full" if index == 0 else f"caption_{index + 1}"
