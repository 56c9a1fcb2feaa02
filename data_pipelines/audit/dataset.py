"""A prepared dataset as an audit's collection: its records, ledger, index and list of drops."""

import collections
import dataclasses
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.audit.finding import Finding
from data_pipelines.audit.subjects import Subject
from data_pipelines.prepare.run import DROPPED
from data_pipelines.provenance import ledger
from data_pipelines.provenance.allowed import INDEX
from data_pipelines.records import RecordSource, shard_range
from data_pipelines.schema import ClipRecord
from v2a_jax.errors import UserError

DEFAULT_REQUIRE = ("video", "audio")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """See `Collection`."""

    source: RecordSource
    chunk_clips: int

    @property
    def title(self) -> str:
        """The folder."""
        return self.source.directory

    @property
    def require(self) -> tuple[str, ...]:
        """What the preparation asked for."""
        asked = self.source.description.get("prepare", {})
        return tuple(asked.get("require", DEFAULT_REQUIRE))

    def sizes(self) -> list[int]:
        """See `Collection`."""
        return [len(self._part(chunk)) for chunk in range(self._chunks)]

    def read(self, chunk: int) -> Iterator[Subject | Finding]:
        """See `Collection`."""
        for index in self._part(chunk):
            try:
                yield _subject(self.source[index])
            except UserError as error:
                yield Finding(clip=f"record {index}", kind="undecodable", detail=str(error))

    def again(self, chunk: int, name: str) -> Subject | None:
        """See `Collection`."""
        found = (one for one in self.read(chunk) if isinstance(one, Subject) and one.name == name)
        return next(found, None)

    def faults(self, clips: Iterable[str]) -> Iterator[Finding]:
        """Entries of the index that name other clips than the records do."""
        path = Path(self.title) / INDEX
        if not path.is_file():
            return
        for index, (line, clip) in enumerate(itertools.zip_longest(_lines(path), clips)):
            if line is None or clip is None or clip not in ("", line.get("clip")):
                told = "nothing" if line is None else f"'{line.get('clip')}'"
                where = f"record {index}: {INDEX} tells of {told}"
                yield Finding(clip=clip or f"record {index}", kind="index", detail=where)

    def rights(self) -> Mapping[str, Mapping[str, Any]] | None:
        """See `Collection`."""
        path = Path(self.title) / ledger.LEDGER
        if path.is_file():
            return ledger.latest(path)
        return None if "world" in self.source.description else {}

    def dropped(self) -> Mapping[str, int]:
        """See `Collection`."""
        path = Path(self.title) / DROPPED
        told = _lines(path) if path.is_file() else ()
        return collections.Counter(f"{row.get('stage')}: {row.get('reason')}" for row in told)

    @property
    def _chunks(self) -> int:
        return -(-len(self.source) // self.chunk_clips)

    def _part(self, chunk: int) -> range:
        return shard_range(chunk, self._chunks, len(self.source))


def _subject(record: ClipRecord) -> Subject:
    wordings = dict.fromkeys(text for text in (record.caption, *record.captions.values()) if text)
    return Subject(
        name=record.provenance,
        clip=record.provenance.rpartition("@")[0] or record.provenance,
        asset=str(record.meta.get("asset", "")),
        start=float(record.meta.get("start", 0.0)),
        video=record.video,
        fps=record.fps,
        audio=record.audio,
        sample_rate=record.sample_rate,
        captions=tuple(wordings),
        transcript=record.transcript,
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a file of JSON lines; UserError for what is none."""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise UserError(f"{path}:{number}: damaged ({error})") from error
            if not isinstance(row, dict):
                raise UserError(f"{path}:{number}: not a JSON object")
            yield row
