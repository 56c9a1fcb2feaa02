"""`v2a ledger`: shows, verifies and withdraws what a dataset's provenance ledger lists.

v2a ledger show data/train
v2a ledger verify data/train --media=videos
v2a ledger withdraw data/train folder/a.mp4 --reason='asked by its author'
"""

import datetime
import json
import pathlib

from absl import flags

from data_pipelines.provenance import ledger
from v2a_jax.bin.main import launch
from v2a_jax.errors import UserError

_REASON = flags.DEFINE_string("reason", None, "why assets are withdrawn")
_MEDIA = flags.DEFINE_string("media", None, "folder of the files, to verify their bytes as well")
_JSON = flags.DEFINE_bool("json", False, "show as JSON")

ACTIONS = ("show", "verify", "withdraw")


def run(argv: list[str]) -> int:
    """Does what the first word says with the ledger of the second; 1 when it has faults."""
    if len(argv) < 3 or argv[1] not in ACTIONS:
        raise UserError("usage: v2a ledger show|verify|withdraw DATASET_OR_FILE [ASSET ..]")
    action, path, names = argv[1], ledger.ledger_path(argv[2]), argv[3:]
    if action == "verify":
        return _verify(path, names)
    (_show if action == "show" else _withdraw)(path, names)
    return 0


def _show(path: pathlib.Path, names: list[str]) -> None:
    """A summary, or the rows of the assets named."""
    if names:
        rows = ledger.latest(path).values()
        found = [row for row in rows if {row["asset_id"], row["provenance_id"]} & set(names)]
        if not found:
            raise UserError(f"{path}: no asset '{names[0]}'")
        for row in found:
            print(json.dumps(row, ensure_ascii=False, indent=None if _JSON.value else 1))
        return
    told = ledger.summary(path)
    if _JSON.value:
        print(json.dumps(told))
        return
    print(f"{path}: {told['assets']} assets, sha256 {told['sha256']}")
    for name, count in told["licences"].items():
        print(f"{count:9,} {name}")
    print(", ".join(f"{count:,} {status}" for status, count in told["status"].items()))


def _verify(path: pathlib.Path, names: list[str]) -> int:
    if names:
        raise UserError(f"unexpected argument {names[0]!r}")
    faults = ledger.verify(path, pathlib.Path(_MEDIA.value) if _MEDIA.value else None)
    print("\n".join(faults) or f"{path}: sound")
    return 1 if faults else 0


def _withdraw(path: pathlib.Path, names: list[str]) -> None:
    if not names or not _REASON.value:
        raise UserError("withdraw needs the assets' names and --reason=TEXT")
    today = datetime.datetime.now(datetime.UTC).date()
    count = ledger.withdraw(path, names, _REASON.value, today)
    print(f"{path}: {count} asset(s) withdrawn")


if __name__ == "__main__":
    launch(run)
