"""Measures a chunk of clips, and notes what was found: a line of JSON for each clip.

A note has few hundred bytes of numbers and about 2 kB of fingerprint, whatever the clip's size.
"""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.audit import alignment, content, picture, sound
from data_pipelines.audit.config import AuditConfig
from data_pipelines.audit.finding import Finding, judged
from data_pipelines.audit.fingerprint import Fingerprint, fingerprint
from data_pipelines.audit.subjects import Collection, Subject
from v2a_jax.evaluation.spectral import mono
from v2a_jax.media.files import atomic_output


@dataclasses.dataclass(frozen=True, kw_only=True)
class Note:
    """What is kept of a clip; a record that could not be read has findings alone."""

    name: str
    chunk: int
    clip: str = ""
    asset: str = ""
    start: float = 0.0
    seconds: float = 0.0
    captions: tuple[str, ...] = ()
    transcript: str = ""
    measures: dict[str, float] = dataclasses.field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    fingerprint: Fingerprint | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON values from which `from_json` makes the note again."""
        told = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        told["findings"] = [vars(finding) for finding in self.findings]
        told["fingerprint"] = self.fingerprint and self.fingerprint.to_json()
        return told

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Note":
        """The inverse of `to_json`."""
        known = told["fingerprint"]
        told["fingerprint"] = known and Fingerprint.from_json(known)
        told["findings"] = tuple(Finding(**values) for values in told["findings"])
        return cls(**{**told, "captions": tuple(told["captions"])})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examiner:
    """Examines chunks of a collection and notes them in `folder`. Picklable."""

    collection: Collection
    folder: Path
    config: AuditConfig

    def __call__(self, chunk: int) -> int:
        """Examines one chunk, and returns its number."""
        with atomic_output(self._path(chunk)) as file:
            for one in self.collection.read(chunk):
                file.write(json.dumps(self._note(one, chunk).to_json()).encode() + b"\n")
        return chunk

    def notes(self) -> Iterator[Note]:
        """The notes of all chunks, in order, read anew each time."""
        for chunk in range(len(self.collection.sizes())):
            with open(self._path(chunk), encoding="utf-8") as file:
                for line in file:
                    yield Note.from_json(json.loads(line))

    def _path(self, chunk: int) -> Path:
        return self.folder / f"notes-{chunk:06d}.jsonl"

    def _note(self, one: Subject | Finding, chunk: int) -> Note:
        if isinstance(one, Finding):
            return Note(name=one.clip, chunk=chunk, findings=(one,))
        subject, damage = _sound_numbers(one)
        grey_FYX = picture.small_grey(subject.video) if _has(subject.video) else None
        measures = _measures(subject, grey_FYX, self.config)
        lacking = [name for name in self.collection.require if not _has(getattr(subject, name))]
        incomplete = (
            Finding(clip=one.name, kind="incomplete", detail=f"no {name}") for name in lacking
        )
        audio_NC = subject.audio if _has(subject.audio) else None
        return Note(
            name=one.name,
            chunk=chunk,
            clip=one.clip,
            asset=one.asset,
            start=one.start,
            seconds=measures.get("seconds", 0.0),
            captions=one.captions,
            transcript=one.transcript,
            measures=measures,
            findings=(*damage, *incomplete, *judged(one.name, measures, self.config)),
            fingerprint=fingerprint(grey_FYX, audio_NC, subject.sample_rate),
        )


def _has(array: np.ndarray | None) -> bool:
    return array is not None and array.size > 0


def _sound_numbers(subject: Subject) -> tuple[Subject, tuple[Finding, ...]]:
    """The clip with zeros for samples that are no numbers, and the finding of them."""
    if subject.audio is None or np.isfinite(subject.audio).all():
        return subject, ()
    share = 1.0 - float(np.isfinite(subject.audio).mean())
    found = Finding(
        clip=subject.name,
        kind="undecodable",
        detail=f"{share:.2g} of the samples are no numbers",
        value=share,
        threshold=0.0,
    )
    audio_NC = np.nan_to_num(subject.audio, nan=0.0, posinf=0.0, neginf=0.0)
    return dataclasses.replace(subject, audio=audio_NC), (found,)


def _measures(
    subject: Subject, grey_FYX: np.ndarray | None, config: AuditConfig
) -> dict[str, float]:
    """All that is measured of a clip, by name; what cannot be measured is left out."""
    found: dict[str, float] = {}
    if grey_FYX is not None:
        found["seconds"] = len(grey_FYX) / subject.fps
        found["black"] = picture.black_share(grey_FYX, config.black_level)
        if len(grey_FYX) > 1:
            found["still"] = picture.still_share(grey_FYX, config.stillness)
    if _has(subject.audio):
        found["seconds"] = len(subject.audio) / subject.sample_rate
        found |= _sound_measures(subject.audio, subject.sample_rate, config)
    heard = found.get("silent", 1.0) < config.silent_share
    if heard and found.get("still", 1.0) < config.still_share:
        moved_F = picture.motion(grey_FYX)
        told = alignment.offset(moved_F, subject.fps, subject.audio, subject.sample_rate)
        found["offset_confidence"] = told[1]
        if told[1] >= config.offset_confidence:
            found["offset"] = told[0]
    return found


def _sound_measures(
    audio_NC: np.ndarray, sample_rate: int, config: AuditConfig
) -> dict[str, float]:
    found = {
        "level_db": sound.level(audio_NC),
        "peak_db": sound.decibels(float(np.abs(audio_NC).max())),
        "silent": sound.silent_share(audio_NC, sample_rate, config.silence_db),
        "clipped": sound.clipped_share(audio_NC),
        "constant": sound.constant_part(audio_NC),
    }
    if found["silent"] < config.silent_share:
        found["bandwidth"] = sound.bandwidth(audio_NC, sample_rate)
        speech, music = content.speech_and_music(mono(audio_NC), sample_rate)
        found |= {"speech": speech, "music": music}
    return found
