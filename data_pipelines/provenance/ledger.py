"""The provenance ledger: JSON lines that are only ever appended to, one row an asset.

An asset is a clip of a dataset, named by its provenance id; `asset_id` is the SHA-256 of its bytes,
which other names may share. A later row of a name takes the place of the earlier one: so assets are
withdrawn. Every row has the SHA-256 of the row before it: a row that was changed, removed or put
between is found.
"""

import collections
import datetime
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_pipelines.provenance import licences, policy
from data_pipelines.sources.clip import SourceClip
from v2a_jax.errors import UserError
from v2a_jax.media.files import atomic_output

LEDGER = "ledger.jsonl"
Row = dict[str, Any]
REQUIRED = ("asset_id", "provenance_id", "licence", "licence_evidence", "gates", "status")


def asset_row(clip: SourceClip, asset: str, transforms: list[Row], *, root: str = "") -> Row:
    """The row of one asset: `asset` is the SHA-256 of its bytes; None where nothing is known.

    Files below the folder `root` are named by their place in it.
    """
    rights = clip.rights
    licence = licences.spdx(rights.licence) or "unknown"
    return {
        "asset_id": asset,
        "parent_ids": [],
        "provenance_id": clip.provenance_id,
        "dataset": clip.dataset,
        "media": clip.media.removeprefix(f"{root}/"),
        "source_url": clip.url,
        "start": clip.start,
        "end": clip.end,
        "retrieved_at": None,
        "rights_holder": rights.holder or None,
        "licence": licence,
        "licence_evidence": rights.evidence,
        "consent_basis": rights.consent,
        "tdm_opt_out_checked": None,
        "identifiable_faces": rights.faces,
        "identifiable_voices": rights.voices,
        "minors": None,
        "caption_origin": "human" if clip.captions else None,
        "transforms": transforms,
        "gates": vars(licences.gates(licence)),
        "status": "active",
    }


def ledger_path(place: str | os.PathLike) -> Path:
    """The ledger at `place`, a file or the folder of a dataset; UserError when there is none."""
    path = Path(place) / LEDGER if Path(place).is_dir() else Path(place)
    if not path.is_file():
        raise UserError(f"no ledger at '{path}'")
    return path


def read(path: Path) -> Iterator[Row]:
    """Rows in order, old ones of an asset too; UserError with file and line for a damaged one."""
    with open(path, "rb") as file:  # so that bytes that are no text are of one line
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                missing = [name for name in REQUIRED if name not in row]
            except (ValueError, TypeError, RecursionError) as error:
                raise UserError(f"{path}:{number}: damaged ({error})") from error
            if missing:
                raise UserError(f"{path}:{number}: no '{missing[0]}'")
            yield row


def digest(path: Path) -> str:
    """SHA-256 of the ledger: names all of its rows at once."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(path: Path, rows: Iterable[Row]) -> None:
    """A new ledger, whole or not at all."""
    previous = ""
    with atomic_output(path) as file:
        for row in rows:
            line = _line(row, previous)
            previous = _sha(line)
            file.write(line)


def withdraw(path: Path, names: Iterable[str], reason: str, date: datetime.date) -> int:
    """Withdraws assets by asset id (all of these bytes) or provenance id; returns how many are new.

    UserError, and nothing withdrawn, when a name is not in the ledger.
    """
    wanted = set(names)
    found = [row for row in latest(path).values() if wanted & set(names_of(row))]
    unknown = wanted.difference(*map(names_of, found))
    if unknown:
        raise UserError(f"{path}: no asset '{min(unknown)}'")
    told = {"status": policy.WITHDRAWN, "withdrawn": {"date": str(date), "reason": reason}}
    gone = [row | told for row in found if row["status"] != policy.WITHDRAWN]
    _append(path, gone)
    return len(gone)


def _append(path: Path, rows: Iterable[Row]) -> None:
    with open(path, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        previous = ""
        for line in file:
            previous = _sha(line)
        for row in rows:
            line = _line(row, previous)
            previous = _sha(line)
            file.write(line)
        file.flush()
        os.fsync(file.fileno())


def latest(path: Path) -> dict[str, Row]:
    """The last row of each asset, by provenance id."""
    return {row["provenance_id"]: row for row in read(path)}


def names_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """What an asset is called by: its bytes' digest, and its provenance id."""
    return row["asset_id"], row["provenance_id"]


def withdrawn_names(path: Path) -> set[str]:
    """Asset ids and provenance ids of everything withdrawn."""
    gone = (row for row in read(path) if row["status"] == policy.WITHDRAWN)
    return {name for row in gone for name in names_of(row)}


def verify(path: Path, media: Path | None) -> list[str]:
    """What is wrong with a ledger: broken chain and, with the folder `media`, altered files."""
    faults, previous = [], ""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                told = json.loads(line).get("previous")
            except (ValueError, AttributeError):
                faults.append(f"{path}:{number}: not a JSON object")
                told = previous
            if told != previous:
                faults.append(f"{path}:{number}: does not follow the row before it")
            previous = _sha(line)
    if faults or media is None:
        return faults
    return [fault for row in latest(path).values() for fault in _altered(row, media)]


def _altered(row: Mapping[str, Any], media: Path) -> list[str]:
    path = media / row["media"]
    if row["status"] == policy.WITHDRAWN:
        return []
    if not path.is_file():
        return [f"{path}: missing"]
    return [] if digest(path) == row["asset_id"] else [f"{path}: not the bytes of the ledger"]


def summary(path: Path) -> Row:
    """Digest, and how many assets there are by licence and by status."""
    rows = latest(path).values()
    return {
        "sha256": digest(path),
        "assets": len(rows),
        "licences": dict(sorted(collections.Counter(row["licence"] for row in rows).items())),
        "status": dict(sorted(collections.Counter(row["status"] for row in rows).items())),
    }


def _line(row: Row, previous: str) -> bytes:
    told = row | {"previous": previous}
    return json.dumps(told, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
