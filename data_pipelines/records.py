"""Shards of clip records on disk: ArrayRecord files with a `dataset.json` that describes them.

A dataset appears whole or not at all: it is written beside its place and renamed into it.
Records are single-record groups (random access) under zstd level 1; `benchmarks/world.py`
compares the choices.
"""

import collections
import contextlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from array_record.python import array_record_data_source, array_record_module

from data_pipelines import schema
from v2a_jax.errors import UserError

DESCRIPTION = "dataset.json"
WRITER_OPTIONS = "group_size:1,zstd:1"
_READER_OPTIONS = {"index_storage_option": "in_memory"}


def check_new(directory: str | os.PathLike) -> None:
    """UserError when something is there that is not an empty folder."""
    place = Path(directory)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UserError(f"{directory}: exists already and is not an empty folder")


@contextlib.contextmanager
def staged(directory: str | os.PathLike) -> Iterator[Path]:
    """A temporary folder that becomes `directory` on success and vanishes on any failure.

    UserError when `directory` is not a new or empty folder, or cannot be written.
    """
    check_new(directory)
    target = Path(directory).absolute()
    try:
        made = _make_parents(target)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise UserError(f"{directory}: cannot be written ({error.strerror})") from error
    try:
        yield staging
        staging.chmod(0o777 & ~_umask())
        staging.rename(target)
    except BaseException as error:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            raise UserError(f"{directory}: cannot be written ({error.strerror})") from error
        raise


def publish(data: Path, directory: Path) -> None:
    """Moves a finished dataset to its place, a new or empty folder.

    A kill leaves the draft of the file that was being written; it is no part of the dataset.
    """
    for draft in data.glob(".*"):
        draft.unlink()
    if directory.exists():
        directory.rmdir()
    data.rename(directory)


def _make_parents(target: Path) -> list[Path]:
    """Creates what is missing above `target`; returns the new folders, deepest first."""
    missing = list(itertools.takewhile(lambda folder: not folder.exists(), target.parents))
    target.parent.mkdir(parents=True, exist_ok=True)
    return missing


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def shard_path(directory: Path, shard: int, shards: int) -> Path:
    """Path of one shard."""
    return directory / f"clips-{shard:05d}-of-{shards:05d}.array_record"


def shard_range(shard: int, shards: int, count: int) -> range:
    """Indices of the records in one shard: contiguous, sizes differing by one at most."""
    return range(shard * count // shards, (shard + 1) * count // shards)


def write_shard(
    records: Iterable[schema.ClipRecord], path: Path, options: str = WRITER_OPTIONS
) -> dict[str, Any]:
    """Writes one file; returns the summary of its records, for `describe`."""
    summary = {"count": 0, "sources": collections.Counter(), "licences": collections.Counter()}

    def encoded() -> Iterator[bytes]:
        for record in records:
            yield schema.encode(record)
            summary["count"] += 1
            summary["sources"][record.provenance.split("/")[0]] += 1
            summary["licences"][str(record.meta.get("licence", "unknown"))] += 1
            summary.setdefault("form", _form(record))

    write_file(encoded(), path, options)
    return summary


def write_file(data: Iterable[bytes], path: Path, options: str) -> None:
    """Writes one ArrayRecord file; UserError when it cannot be written."""
    writer = array_record_module.ArrayRecordWriter(str(path), options)
    try:
        for record in data:
            writer.write(record)
    except BaseException:
        with contextlib.suppress(RuntimeError):
            writer.close()
        raise
    try:
        writer.close()  # a write that failed earlier is reported here too
    except RuntimeError as error:
        raise UserError(f"{path.name}: cannot be written ({str(error).split(';')[0]})") from error


def _form(record: schema.ClipRecord) -> dict[str, Any]:
    """What the clips of a dataset have in common, read off one of them."""
    form = {"fps": record.fps, "sample_rate": record.sample_rate}
    form["split"] = str(record.meta.get("split", ""))
    form["size"] = None if record.video is None else list(record.video.shape[1:3])
    if record.audio is not None:
        form["seconds"] = record.audio.shape[0] / record.sample_rate
    elif record.video is not None:
        form["seconds"] = record.video.shape[0] / record.fps
    return form


def describe(directory: Path, summaries: Iterable[Mapping[str, Any]], **extra: Any) -> None:
    """Writes `dataset.json` for the shards in `directory`."""
    summaries = list(summaries)
    totals = {
        name: dict(sum((summary[name] for summary in summaries), collections.Counter()))
        for name in ("sources", "licences")
    }
    form = next((summary["form"] for summary in summaries if "form" in summary), {})
    description = {
        "count": sum(summary["count"] for summary in summaries),
        "schema_version": schema.SCHEMA_VERSION,
        "shards": len(summaries),
        **form,
        "provenance": totals,
        **extra,
    }
    (directory / DESCRIPTION).write_text(json.dumps(description, indent=1, sort_keys=True) + "\n")


def write_shards(
    records: Iterable[schema.ClipRecord],
    directory: str | os.PathLike,
    *,
    count: int,
    shards: int,
) -> None:
    """Writes `count` records, in order, into a new dataset; UserError if there are fewer."""
    with staged(directory) as staging:
        fill(staging, records, count=count, shards=shards)


def fill(
    staging: Path, records: Iterable[schema.ClipRecord], *, count: int, shards: int, **extra: Any
) -> None:
    """As `write_shards`, into a folder that is there; `extra` goes into `dataset.json`."""
    records, shards = iter(records), max(1, min(shards, count))
    summaries = [
        write_shard(
            itertools.islice(records, len(shard_range(shard, shards, count))),
            shard_path(staging, shard, shards),
        )
        for shard in range(shards)
    ]
    written = sum(summary["count"] for summary in summaries)
    if written != count or not count:
        raise UserError(f"dataset: {written} records where {count} were announced")
    describe(staging, summaries, **extra)


def read_description(directory: str | os.PathLike) -> dict[str, Any]:
    """The contents of `dataset.json`; UserError when there is none or it is of another version.

    Its `shards` and `count` are whole numbers.
    """
    path = Path(directory) / DESCRIPTION
    try:
        description = json.loads(path.read_text())
        version, *numbers = (description[name] for name in ("schema_version", "shards", "count"))
        if not all(isinstance(number, int) for number in numbers):
            raise ValueError("shards and count are whole numbers")
    except OSError as error:
        raise UserError(
            f"{directory}: no dataset there ({DESCRIPTION}: {error.strerror})"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: damaged ({error})") from error
    if version not in schema.READABLE:
        raise UserError(f"{path}: schema version {version}; this is {schema.SCHEMA_VERSION}")
    return description


class RecordSource:
    """Random access to a dataset; safe to share between threads, pickled as its directory."""

    def __init__(self, directory: str | os.PathLike) -> None:
        """Opens `directory`; UserError when it is missing, incomplete or damaged."""
        self.directory = os.fspath(directory)
        self.description = read_description(directory)
        shards = self.description["shards"]
        paths = [str(shard_path(Path(directory), shard, shards)) for shard in range(shards)]
        missing = [path for path in paths if not Path(path).is_file()]
        if missing:
            raise UserError(f"{self.directory}: shard {Path(missing[0]).name} is missing")
        try:
            self._shards = array_record_data_source.ArrayRecordDataSource(paths, _READER_OPTIONS)
        except (ValueError, RuntimeError, OSError, IndexError) as error:
            raise UserError(f"{self.directory}: a shard is damaged ({error})") from error
        if len(self._shards) != self.description["count"]:
            raise UserError(
                f"{self.directory}: {len(self._shards)} records where {DESCRIPTION} "
                f"says {self.description['count']}"
            )

    def __len__(self) -> int:
        return len(self._shards)

    def __getitem__(self, index: int) -> schema.ClipRecord:
        if not 0 <= index < len(self):
            raise IndexError(f"{index} is not in [0, {len(self)})")
        try:
            return self._decode(self._shards[index])
        except (ValueError, RuntimeError, OSError, UserError) as error:
            raise UserError(f"{self.directory}: record {index} is damaged ({error})") from error

    def _decode(self, data: bytes) -> schema.ClipRecord:
        """The record in `data`; UserError or ValueError when it is damaged."""
        return schema.decode(data)

    def __reduce__(self) -> tuple[type["RecordSource"], tuple[str]]:
        return type(self), (self.directory,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.directory!r})"
