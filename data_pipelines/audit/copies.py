"""Copies: clips that are twice in a set, or in the set and in another that it is kept apart from.

Same bytes are exact copies. Else the fingerprints of picture and sound must both agree, of those
that both clips have; where only one can tell, it must agree twice as well, for the sky is blue in
many a silent film.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from data_pipelines.audit.config import AuditConfig
from data_pipelines.audit.examine import Note
from data_pipelines.audit.finding import Finding
from data_pipelines.audit.fingerprint import Fingerprint, picture_distance, sound_distance
from data_pipelines.audit.neighbours import similar_pairs


def copies(
    notes: Iterable[Note], against: Mapping[str, Iterable[Note]], config: AuditConfig
) -> Iterator[Finding]:
    """Findings of duplicates among `notes`, and of leakage between them and the others by name."""
    kept = _Kept()
    kept.add(notes, "")
    for title, others in against.items():
        kept.add(others, title)
    exact = list(kept.exact())
    yield from exact
    told = {(finding.clip, finding.other) for finding in exact}
    for one, other in similar_pairs(*kept.codes()):
        finding = kept.similar(int(one), int(other), config)
        if finding is not None and (finding.clip, finding.other) not in told:
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

    def exact(self) -> Iterator[Finding]:
        """Same file and start within the set; same file, wherever it is cut, in another."""
        first: dict[tuple[str, float], str] = {}
        files: dict[str, list[int]] = {}
        for index, (asset, start) in enumerate(self._assets):
            if not asset:
                continue
            if self._sets[index]:
                yield from self._leaks(files.get(asset, ()), index)
                continue
            files.setdefault(asset, []).append(index)
            name = first.setdefault((asset, start), self._names[index])
            if name != self._names[index]:
                yield _copy("duplicate", name, self._names[index], "the same bytes", 0.0, None)

    def _leaks(self, ours: Sequence[int], theirs: int) -> Iterator[Finding]:
        for index in ours:
            where = "" if self._assets[index] == self._assets[theirs] else ", another part"
            detail = f"the same file{where}"
            yield _copy("leak", self._names[index], self._names[theirs], detail, 0.0, None)

    def codes(self) -> tuple[np.ndarray, np.ndarray]:
        """Codes of all fingerprints, and whose they are."""
        codes = [one.codes() for one in self._prints]
        owners_E = np.repeat(np.arange(len(codes)), [len(some) for some in codes])
        return np.concatenate([np.zeros(0, np.uint64), *codes]), owners_E

    def similar(self, one: int, other: int, config: AuditConfig) -> Finding | None:
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
        kind = "leak" if self._sets[other] else "duplicate"
        names = self._names[one], self._names[other]
        return _copy(kind, *names, f"bits that differ: {apart}", worst, strict * limit)


def _copy(
    kind: str, clip: str, other: str, detail: str, value: float, threshold: float | None
) -> Finding:
    return Finding(
        clip=clip, kind=kind, detail=detail, value=value, threshold=threshold, other=other
    )
