"""The plan of a preparation: all clips by name, in shards; on disk, for a corpus may be large.

Listing a source that was interrupted begins again; a plan that is there is complete.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.sources import Dropped, Found, SourceClip
from v2a_jax.errors import UserError

PLAN = "plan.sqlite"
_TABLES = """
CREATE TABLE clip (name TEXT PRIMARY KEY, told TEXT) WITHOUT ROWID;
CREATE TABLE dropped (number INTEGER PRIMARY KEY, told TEXT);
CREATE TABLE shard (number INTEGER PRIMARY KEY, first TEXT, clips INTEGER);
CREATE TABLE option (name TEXT PRIMARY KEY, value TEXT);
"""


def make_plan(
    folder: Path, found: Iterable[Found], *, shard_clips: int, options: Mapping[str, Any]
) -> None:
    """Writes the plan into `folder`; `options` are what the result depends on."""
    draft = folder / f".{PLAN}"
    draft.unlink(missing_ok=True)
    base = sqlite3.connect(draft)
    try:
        # A draft is never read after a crash: it needs no journal.
        base.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _TABLES)
        for one in found:
            _insert(base, one)
        names = base.execute("SELECT name FROM clip ORDER BY name")
        _cut_shards(base, (name for (name,) in names), shard_clips)
        told = ((name, json.dumps(value)) for name, value in options.items())
        base.executemany("INSERT INTO option VALUES (?, ?)", told)
        base.commit()
    finally:
        base.close()
    draft.replace(folder / PLAN)


def _insert(base: sqlite3.Connection, one: Found) -> None:
    if isinstance(one, SourceClip):
        row = (one.provenance_id, one.to_json())
        if base.execute("INSERT OR IGNORE INTO clip VALUES (?, ?)", row).rowcount:
            return
        one = Dropped(stage="read", reason="name taken", uid=one.provenance_id, where=one.media)
    base.execute("INSERT INTO dropped (told) VALUES (?)", (json.dumps(vars(one)),))


def _cut_shards(base: sqlite3.Connection, names: Iterable[str], shard_clips: int) -> None:
    shards: list[list] = []
    for index, name in enumerate(names):
        if index % shard_clips == 0:
            shards.append([len(shards), name, 0])
        shards[-1][2] += 1
    base.executemany("INSERT INTO shard VALUES (?, ?, ?)", shards)


class Plan:
    """A plan to be read, from any process."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PLAN

    def check(self, options: Mapping[str, Any]) -> None:
        """UserError when the plan was made with other options; it names one."""
        made = {name: json.loads(value) for name, value in self._ask("SELECT * FROM option")}
        for name, value in options.items():
            if json.loads(json.dumps(value)) != made.get(name):
                raise UserError(
                    f"{self._path.parent} was begun with {name}={made.get(name)}, not {value}: "
                    "give the same again, or delete that folder"
                )

    def sizes(self) -> list[int]:
        """How many clips each shard has."""
        return [clips for (clips,) in self._ask("SELECT clips FROM shard ORDER BY number")]

    def clips(self, shard: int) -> Iterator[SourceClip]:
        """The clips of a shard, in order of name."""
        ((first, count),) = self._ask("SELECT first, clips FROM shard WHERE number=?", shard)
        wanted = "SELECT told FROM clip WHERE name >= ? ORDER BY name LIMIT ?"
        for (told,) in self._ask(wanted, first, count):
            yield SourceClip.from_json(told)

    def dropped(self) -> Iterator[Dropped]:
        """What the source could not use, in its order."""
        for (told,) in self._ask("SELECT told FROM dropped ORDER BY number"):
            yield Dropped(**json.loads(told))

    def _ask(self, query: str, *values: Any) -> Iterator[tuple]:
        base = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            yield from base.execute(query, values)
        except sqlite3.Error as error:
            raise UserError(f"{self._path}: damaged ({error}); delete its folder") from error
        finally:
            base.close()
