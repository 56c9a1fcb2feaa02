"""Annotators that pass on what the dataset says: its captions, labels, events and transcript."""

import dataclasses

from data_pipelines.annotate.protocol import Annotation, View
from data_pipelines.prepare.windows import events_in, words_in


@dataclasses.dataclass(frozen=True)
class Sidecar:
    """What the dataset itself says, moved into the window."""

    def annotate(self, view: View) -> Annotation:
        """See `Annotator`. Of a transcript without word times, a part of a clip gets nothing."""
        clip, seconds = view.clip, view.seconds
        words = words_in(clip, view.window, seconds)
        whole = clip.transcript if view.window.whole else ""
        return Annotation(
            origin=clip.dataset,
            confidence=1.0,
            captions={_name(k): text for k, text in enumerate(clip.captions)},
            labels=clip.labels,
            events=events_in(clip, view.window, seconds),
            transcript=" ".join(word for word, *_ in words) if clip.words else whole,
            words=words,
        )


def _name(index: int) -> str:
    return "full" if index == 0 else f"caption_{index + 1}"


@dataclasses.dataclass(frozen=True)
class LabelCaption:
    """A caption made of the labels, where the dataset has no better one."""

    def annotate(self, view: View) -> Annotation:
        """See `Annotator`."""
        told = ", ".join(view.clip.labels)
        captions = {"full": told, "short": told} if told else {}
        return Annotation(origin="labels", confidence=0.5, captions=captions)
