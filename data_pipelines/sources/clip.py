"""What every source gives: clips by reference, with all that the dataset says of them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from v2a_jax.types import Event

LARGEST = 1e8  # of all numbers: three years in seconds, 100 MHz
BASES = ("licence", "contract", "release form", "statutory exception")  # of consent


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rights:
    """What is known of who may use a clip for what; empty or None where nothing is.

    licence         SPDX identifier, or text
    evidence        where that is written
    consent         one of BASES, or none: ValueError for another
    faces, voices   whether people can be recognised
    """

    licence: str = ""
    evidence: str = ""
    consent: str = "none"
    holder: str = ""
    faces: bool | None = None
    voices: bool | None = None

    def __post_init__(self) -> None:
        if self.consent not in (*BASES, "none"):
            raise ValueError(f"consent '{self.consent}' is not one of {', '.join(BASES)}, none")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceClip:
    """A clip of a dataset: where its media lie, and what is said of it.

    uid            unique within the dataset
    media          path of the file, or `tfds://..` for an example of a TFDS dataset
    url            where it was taken from
    start, end     seconds of the media that are the clip; a file that ends before `end`, and is no
                   longer than the clip, is taken for the clip itself, already cut
    captions       wordings of what is heard, the main one first
    events, words  times in seconds from the clip's beginning

    ValueError for a value of another type than its field's, and for a negative time.
    """

    uid: str
    dataset: str
    media: str
    url: str = ""
    start: float = 0.0
    end: float | None = None
    captions: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    transcript: str = ""
    words: tuple[tuple[str, float, float], ...] = ()
    split: str = ""
    rights: Rights = Rights()

    def __post_init__(self) -> None:
        for one in (self, self.rights, *self.events):
            _check_fields(one)
        for text in (*self.captions, *self.labels, *(word for word, _, _ in self.words)):
            _check_type("a caption, label or word", text, str)
        times = [self.start, self.start if self.end is None else self.end]
        times += [time for event in self.events for time in (event.time, event.end)]
        times += [time for _, *span in self.words for time in span]
        for time in times:
            _check_type("a time", time, float)
            if time < 0:
                raise ValueError(f"{time} is no time in seconds")

    @property
    def provenance_id(self) -> str:
        """The clip's name in ledgers and records."""
        return f"{self.dataset}/{self.uid}"

    def to_json(self) -> str:
        """One line, from which `from_json` makes the clip again."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "SourceClip":
        """The clip of a line."""
        values = json.loads(text)
        return cls(
            **{
                **values,
                "captions": tuple(values["captions"]),
                "labels": tuple(values["labels"]),
                "events": tuple(Event(**event) for event in values["events"]),
                "words": tuple((word, start, end) for word, start, end in values["words"]),
                "rights": Rights(**values["rights"]),
            }
        )


def _check_fields(one: Any) -> None:
    """ValueError for a field of a plain type that has a value of another, or no finite number."""
    for field in dataclasses.fields(one):
        if field.type in (str, float, int, bool):
            _check_type(field.name, getattr(one, field.name), field.type)


def _check_type(name: str, value: Any, kind: type) -> None:
    if not isinstance(value, (int, float) if kind is float else kind):
        raise ValueError(f"{name} is {value!r:.50}, not of type {kind.__name__}")
    if kind is float and not abs(value) < LARGEST:
        raise ValueError(f"{name} is {value!r:.50}, out of all bounds")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dropped:
    """What does not become a record, at which stage, and why.

    `reason` is one of few, to be counted; `detail` tells the case; `where` is file:line or a path.
    """

    stage: str
    reason: str
    uid: str = ""
    where: str = ""
    detail: str = ""


Found = SourceClip | Dropped


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What a reader is asked: the annotations at `path`, and the folder of their media."""

    path: Path
    media: Path | None = None
    argument: str = ""
    split: str = ""

    @property
    def folder(self) -> Path:
        """The folder that holds the annotations."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def media_folder(self) -> Path:
        """The folder that holds the media."""
        return self.media or self.folder


def fields_of(row: dict[str, Any], name: str) -> list[str]:
    """Values of `name`, `name_1`, `name_2`, .. in a row, in order, without empty ones."""
    keys = [key for key in row if key == name or key.rpartition("_")[0] == name]
    found = [(row[key] or "").strip() for key in keys if key == name or key[-1].isdigit()]
    return [value for value in found if value]
