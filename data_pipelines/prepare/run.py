"""The whole of a preparation: plan, shards, and the dataset with all that is told of it.

Beside the new folder OUT, a folder `.OUT.prepare` holds what is done so far. It becomes OUT at the
end; a preparation that finds one goes on with it.
"""

import contextlib
import dataclasses
import fcntl
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tqdm

from data_pipelines import records, sources
from data_pipelines.annotate.chat import Service
from data_pipelines.annotate.choose import make_annotators
from data_pipelines.prepare.config import PrepareConfig, validate
from data_pipelines.prepare.plan import PLAN, Plan, make_plan
from data_pipelines.prepare.retention import Retention
from data_pipelines.prepare.shard import ShardMaker, note_path, read_note
from data_pipelines.provenance import ledger
from data_pipelines.provenance.allowed import INDEX
from data_pipelines.sources import Dropped, SourceClip
from v2a_jax.errors import UserError
from v2a_jax.media.files import atomic_output

DATA = "data"
ANSWERS = "answers"
DROPPED, UNTOLD, RETENTION = "dropped.jsonl", "untold.jsonl", "retention.json"
Runner = Callable[[Callable[[int], int], Sequence[int]], Iterator[int]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corpus:
    """What is prepared.

    source, path, media, split  as `sources.read` takes them
    rights                      of clips whose source gives no evidence of a licence
    ledger                      a ledger whose withdrawn assets are left out
    """

    source: str
    path: Path
    media: Path | None = None
    split: str = ""
    rights: sources.Rights | None = None
    ledger: Path | None = None

    @property
    def media_folder(self) -> Path:
        """The folder of the media."""
        return self.media or (self.path if self.path.is_dir() else self.path.parent)

    def absolute(self) -> "Corpus":
        """The same, wherever a worker runs."""
        media = self.media and self.media.absolute()
        return dataclasses.replace(self, path=self.path.absolute(), media=media)

    def clips(self) -> Iterator[sources.Found]:
        """What the source finds; what has texts that cannot be stored is dropped."""
        for one in sources.read(self.source, self.path, media=self.media, split=self.split):
            untold = isinstance(one, SourceClip) and not one.rights.evidence
            if untold and self.rights is not None:
                one = dataclasses.replace(one, rights=self.rights)
            yield _storable(one)


def _storable(one: sources.Found) -> sources.Found:
    """The same; the drop of a clip that has texts, such as a file's name, that are not Unicode."""
    if isinstance(one, SourceClip):
        try:
            one.to_json().encode()
        except UnicodeEncodeError as error:
            uid, detail = one.provenance_id, str(error)
            dropped = Dropped(
                stage="read", reason="not Unicode", uid=uid, where=one.media, detail=detail
            )
            return _storable(dropped)
        return one
    told = {name: text.encode(errors="backslashreplace") for name, text in vars(one).items()}
    return Dropped(**{name: data.decode() for name, data in told.items()})


def prepare(
    corpus: Corpus,
    out: Path,
    config: PrepareConfig,
    *,
    run: Runner,
    progress: bool,
    service: Service | None = None,
) -> list[dict[str, Any]]:
    """Makes the dataset `out`, or goes on with it; returns the stages of the retention table.

    `run` maps a function over the shards; `service` is how the annotator `endpoint` asks. UserError
    for a bad config or source, when `out` is there already, when another process prepares it, when
    the endpoint does not answer, or when no clip is left.
    """
    validate(config)
    out, corpus = out.absolute(), corpus.absolute()
    records.check_new(out)
    folder = out.with_name(f".{out.name}.prepare")
    make_annotators(config, service, folder / ANSWERS)  # refused before a long list is read
    with _held(folder):
        plan = _planned(corpus, folder, config)
        sizes = plan.sizes()
        todo = [k for k in range(len(sizes)) if not note_path(folder, k).is_file()]
        service = _shared(service, len(todo))
        make = ShardMaker(
            folder=folder,
            data=folder / DATA,
            config=config,
            annotators=make_annotators(config, service, folder / ANSWERS),
            shards=len(sizes),
            root=str(corpus.media_folder),
            withdrawn=_withdrawn(corpus),
        )
        make.data.mkdir(exist_ok=True)
        _make_shards(make, todo, sizes, run, progress)
        return _publish(plan, make, out)


def _make_shards(
    make: ShardMaker, todo: Sequence[int], sizes: Sequence[int], run: Runner, progress: bool
) -> None:
    done = sum(sizes) - sum(sizes[shard] for shard in todo)
    with tqdm.tqdm(total=sum(sizes), initial=done, unit="clip", disable=not progress) as bar:
        for shard in run(make, todo):
            bar.update(sizes[shard])


def _shared(service: Service | None, shards: int) -> Service | None:
    """The same, among no more workers than there are shards to be made: others ask nothing."""
    if service is None:
        return None
    return dataclasses.replace(service, workers=min(service.workers, max(1, shards)))


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Creates the folder, and keeps other processes out; what cannot be gone on with is removed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                yield
            finally:
                if not ((folder / PLAN).is_file() and (folder / DATA).is_dir()):
                    shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError as error:
        raise UserError(f"another process prepares {folder}") from error


def _planned(corpus: Corpus, folder: Path, config: PrepareConfig) -> Plan:
    """The plan in the folder, made when there is none."""
    options = dataclasses.asdict(config) | dataclasses.asdict(corpus)
    options |= {name: str(options[name]) for name in ("path", "media")}
    options["ledger"] = ledger.digest(corpus.ledger) if corpus.ledger else ""
    if not (folder / PLAN).is_file():
        found = corpus.clips()
        make_plan(folder, found, shard_clips=config.shard_clips, options=options)
    plan = Plan(folder)
    plan.check(options)
    return plan


def _withdrawn(corpus: Corpus) -> frozenset[str]:
    return frozenset(ledger.withdrawn_names(corpus.ledger) if corpus.ledger else ())


def _publish(plan: Plan, make: ShardMaker, out: Path) -> list[dict[str, Any]]:
    """Writes what describes the dataset, and moves it into its place."""
    notes = _Notes(make)
    stages = _retention(plan, notes)
    if not stages[-1]["out"]:
        shutil.rmtree(make.data)
        raise UserError(f"no clip is left: {_reasons(stages, _all_dropped(plan, notes))}")
    ledger.write(make.data / ledger.LEDGER, (row for note in notes for row in note.assets))
    _write_lines(make.data / INDEX, (entry for note in notes for entry in note.index))
    _write_lines(make.data / DROPPED, _all_dropped(plan, notes))
    _write_lines(make.data / UNTOLD, (row for note in notes for row in note.untold))
    with atomic_output(make.data / RETENTION) as file:
        file.write(json.dumps(stages, indent=1).encode() + b"\n")
    config = dataclasses.asdict(make.config)
    records.describe(
        make.data,
        [note.summary for note in notes],
        prepare=config,
        ledger_sha256=ledger.digest(make.data / ledger.LEDGER),
    )
    records.publish(make.data, out)
    return stages


@dataclasses.dataclass(frozen=True)
class _Notes:
    """The notes of all shards, read anew each time: they need not fit into memory."""

    make: ShardMaker

    def __iter__(self) -> Iterator[Any]:
        return (read_note(self.make.folder, shard) for shard in range(self.make.shards))


def _retention(plan: Plan, notes: _Notes) -> list[dict[str, Any]]:
    table = Retention()
    for note in notes:
        table.enter("read", note.clips)
        table.enter("cut", note.windows)
    for dropped in _all_dropped(plan, notes):
        table.drop(dropped["stage"], dropped["reason"])
    table.enter("read", sum(1 for _ in plan.dropped()))
    return table.stages()


def _all_dropped(plan: Plan, notes: _Notes) -> Iterator[dict[str, str]]:
    yield from (vars(dropped) for dropped in plan.dropped())
    for note in notes:
        yield from note.dropped


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with atomic_output(path) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, sort_keys=True).encode() + b"\n")


def _reasons(stages: list[dict[str, Any]], dropped: Iterable[dict[str, str]]) -> str:
    """All reasons with their counts, and the first case."""
    counts = [f"{count} {reason}" for row in stages for reason, count in row["dropped"].items()]
    first = next(iter(dropped), None)
    if first is None:
        return "the source has none"
    return f"{', '.join(counts)}; first {first['where'] or first['uid']}: {first['detail']}"
