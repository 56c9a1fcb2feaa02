"""Captions and transcripts: missing ones, and those that very many clips share."""

import collections
from collections.abc import Callable, Iterator
from typing import Any

from data_pipelines.audit.config import AuditConfig
from data_pipelines.audit.examine import Note
from data_pipelines.audit.finding import Finding

FEWEST = 10  # clips with the same words; fewer tell nothing, whatever their share
FIELDS: dict[str, Callable[[Note], str]] = {
    "caption": lambda note: note.captions[0] if note.captions else "",
    "transcript": lambda note: note.transcript,
}


class Texts:
    """Counts the wordings of one of FIELDS; memory grows with how many there are."""

    def __init__(self, field: str) -> None:
        self.field, self._of = field, FIELDS[field]
        self._counts: collections.Counter[str] = collections.Counter()

    def add(self, note: Note) -> None:
        """Counts a clip."""
        self._counts[_plain(self._of(note))] += 1

    @property
    def clips(self) -> int:
        """How many were counted."""
        return self._counts.total()

    def summary(self) -> dict[str, Any]:
        """Clips with and without a text, how many texts are unlike, and the most common ones."""
        present = {text: count for text, count in self._counts.items() if text}
        common = collections.Counter(present).most_common(5)
        return {
            "with": sum(present.values()),
            "without": self._counts[""],
            "distinct": len(present),
            "repeated": sum(count for count in present.values() if count > 1),
            "most_common": [{"text": text, "clips": count} for text, count in common],
        }

    def findings(self, note: Note, config: AuditConfig) -> Iterator[Finding]:
        """What is wrong with a clip's text among all that were counted."""
        text = _plain(self._of(note))
        told = 1.0 - self._counts[""] / self.clips
        if not text and (self.field == "caption" or told >= config.transcript_share):
            yield Finding(clip=note.name, kind=self.field, detail="none")
        count = self._counts[text]
        if text and count >= max(FEWEST, config.repeated_share * self.clips):
            yield Finding(
                clip=note.name,
                kind=self.field,
                detail=f"{count} clips have '{text[:80]}'",
                value=count / self.clips,
                threshold=config.repeated_share,
            )


def _plain(text: str) -> str:
    """Wordings that differ in case or spaces alone are one."""
    return " ".join(text.lower().split())
