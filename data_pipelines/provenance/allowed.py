"""The records of a dataset that a policy and its ledger let a run read."""

import collections
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data_pipelines.provenance import ledger
from data_pipelines.provenance.policy import WITHDRAWN, check_policy, refusal
from data_pipelines.records import RecordSource
from data_pipelines.schema import ClipRecord
from v2a_jax.errors import UserError

INDEX = "index.jsonl"  # of each record, in order: its clip, the digest of its bytes, and captions


class AllowedSource:
    """As the dataset, without the records whose asset is withdrawn or refused.

    `provenance` says what a run reads: the ledger's hash, the policy, records by licence, and how
    many were withheld and why.
    """

    def __init__(self, records: RecordSource, policy: str, place: str | os.PathLike) -> None:
        """`place` is the ledger; UserError when it leaves nothing, or the index is damaged."""
        path = ledger.ledger_path(place)
        verdicts = {
            row["provenance_id"]: (refusal(row, policy), row["licence"])
            for row in ledger.read(path)
        }
        gone, unlisted = ledger.withdrawn_names(path), (refusal(None, policy), "unknown")
        licences: collections.Counter[str] = collections.Counter()
        withheld: collections.Counter[str] = collections.Counter()
        indices = []
        for index, entry in enumerate(_entries(Path(records.directory) / INDEX, len(records))):
            why, licence = verdicts.get(entry["clip"], unlisted)
            if entry["asset"] in gone or entry["clip"] in gone:
                why = WITHDRAWN
            if why:
                withheld[why] += 1
            else:
                indices.append(index)
                licences[licence] += 1
        if not indices:
            told = ", ".join(f"{count} {why}" for why, count in withheld.items())
            raise UserError(f"{records.directory}: policy '{policy}' leaves no record ({told})")
        self._records, self._indices = records, np.array(indices)
        self.provenance: dict[str, Any] = {
            "ledger_sha256": ledger.digest(path),
            "policy": policy,
            "records": len(indices),
            "licences": dict(sorted(licences.items())),
            "withheld": dict(sorted(withheld.items())),
        }

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> ClipRecord:
        if not 0 <= index < len(self):
            raise IndexError(f"{index} is not in [0, {len(self)})")
        return self._records[int(self._indices[index])]

    def __repr__(self) -> str:
        return repr(self._records)


def allowed(records: RecordSource, policy: str, place: str) -> RecordSource | AllowedSource:
    """What `policy` lets a run read; `place` is the ledger, '' for the dataset's own.

    Procedural records have no assets and are free. UserError when there is no ledger, but for
    policy `any`.
    """
    check_policy(policy)
    own = Path(records.directory) / ledger.LEDGER
    if place or own.is_file():
        return AllowedSource(records, policy, place or own)
    if policy != "any" and "world" not in records.description:
        raise UserError(f"{records.directory}: no ledger there; policy '{policy}' needs one")
    return records


def _entries(path: Path, count: int) -> Iterator[dict[str, Any]]:
    """What the index tells of each record."""
    found = 0
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                found, entry = found + 1, json.loads(line)
                yield {name: entry[name] for name in ("clip", "asset")}
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: missing or damaged ({error})") from error
    if found != count:
        raise UserError(f"{path}: {found} entries for {count} records")
