"""Copies: clips that are twice in a set, or in the set and in another that it is kept apart from.

Same bytes are exact copies. Else the fingerprints of picture and sound must both agree, of those
that both clips have; where only one can tell, it must agree twice as well, for the sky is blue in
many a silent film. Of many copies of one clip each is told once: the findings of a set are no more
than its clips, times the sets that it is compared with.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from data_pipelines.audit.config import AuditConfig
from data_pipelines.audit.examine import Note
from data_pipelines.audit.finding import Finding
from data_pipelines.audit.fingerprint import Fingerprint, picture_distance, sound_distance
from data_pipelines.audit.neighbours import similar_pairs

Copy = tuple[int, str]  # number of a clip, and the set in which it is again; '' for its own


def copies(
    notes: Iterable[Note], against: Mapping[str, Iterable[Note]], config: AuditConfig
) -> Iterator[Finding]:
    """Findings of duplicates among `notes`, and of leakage between them and the others by name."""
    kept = _Kept()
    kept.add(notes, "")
    for title, others in against.items():
        kept.add(others, title)
    told = set()
    for copy, finding in itertools.chain(kept.exact(), kept.all_similar(config)):
        if copy not in told:
            told.add(copy)
            yield finding


class _Kept:
    """What is kept of the clips of all sets: names, assets, fingerprints."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._sets: list[str] = []
        self._assets: list[tuple[str, float]] = []
        self._prints: list[Fingerprint] = []

    def add(self, notes: Iterable[Note], title: str) -> None:
        for note in notes:
            if note.fingerprint is not None:
                self._names.append(f"{title}: {note.name}" if title else note.name)
                self._sets.append(title)
                self._assets.append((note.asset, note.start))
                self._prints.append(note.fingerprint)

    def exact(self) -> Iterator[tuple[Copy, Finding]]:
        """Same file and start within the set; same file, wherever it is cut, in another."""
        first: dict[tuple[str, float], int] = {}
        theirs: dict[str, dict[str, list[int]]] = {}
        for index, (asset, start) in enumerate(self._assets):
            if self._sets[index]:
                theirs.setdefault(asset, {}).setdefault(self._sets[index], []).append(index)
            elif asset and (earlier := first.setdefault((asset, start), index)) != index:
                yield self._copy(earlier, index, "the same bytes", 0.0, None)
        for index, (asset, start) in enumerate(self._assets):
            if asset and not self._sets[index]:
                for others in theirs.get(asset, {}).values():
                    other = min(others, key=lambda k: abs(self._assets[k][1] - start))
                    where = "" if self._assets[other][1] == start else ", another part"
                    yield self._copy(index, other, f"the same file{where}", 0.0, None)

    def all_similar(self, config: AuditConfig) -> Iterator[tuple[Copy, Finding]]:
        """Pairs whose fingerprints agree."""
        for one, other in similar_pairs(*self.codes()):
            found = self._similar(int(one), int(other), config)
            if found is not None:
                yield found

    def codes(self) -> tuple[np.ndarray, np.ndarray]:
        """Codes of all fingerprints, and whose they are."""
        codes = [one.codes() for one in self._prints]
        owners_E = np.repeat(np.arange(len(codes)), [len(some) for some in codes])
        return np.concatenate([np.zeros(0, np.uint64), *codes]), owners_E

    def _similar(self, one: int, other: int, config: AuditConfig) -> tuple[Copy, Finding] | None:
        """The finding of two clips that agree; the lower index is in the set that is audited."""
        if self._sets[one]:
            return None
        pair = self._prints[one], self._prints[other]
        told = {
            "picture": (picture_distance(*pair), config.picture_bits),
            "sound": (sound_distance(*pair), config.sound_bits),
        }
        told = {name: values for name, values in told.items() if values[0] is not None}
        strict = 0.5 if len(told) == 1 else 1.0
        if not told or any(value > strict * limit for value, limit in told.values()):
            return None
        worst, limit = max(told.values(), key=lambda values: values[0] - values[1])
        apart = ", ".join(f"{name} {value:.1%}" for name, (value, _) in told.items())
        return self._copy(one, other, f"bits that differ: {apart}", worst, strict * limit)

    def _copy(
        self, one: int, other: int, detail: str, value: float, threshold: float | None
    ) -> tuple[Copy, Finding]:
        """A finding of `one`, and which clip is a copy in which set: the later, or our own."""
        leak = self._sets[other]
        finding = Finding(
            clip=self._names[one],
            kind="leak" if leak else "duplicate",
            detail=detail,
            value=value,
            threshold=threshold,
            other=self._names[other],
        )
        return (one if leak else other, leak), finding
