"""Seconds from a process's start to its first step, with an empty and with a filled compile cache.

`python benchmarks/starting.py --out=runs/starting [--stage=codec]` starts `v2a train` on the config
again and again, in turns with an empty and a filled cache; its own ledger (`goodput.jsonl`) says
what the time went into.
"""

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import processes
from absl import app, flags
from marking.tables import table
from rounds import Spread, ratio

from v2a_jax.training.goodput import account, read

OUT = flags.DEFINE_string("out", "runs/starting", "Folder for the result.")
CONFIG = flags.DEFINE_string("config", "configs/demo.py", "The config's file.")
STAGE = flags.DEFINE_string("stage", "codec", "A stage that needs no earlier one.")
ROUNDS = flags.DEFINE_integer("rounds", 3, "Starts of each kind.", lower_bound=1)
SET = flags.DEFINE_multi_string("set", [], "FIELD=VALUE of the config, e.g. run.batch_size=4.")
PARTS = ("init", "data", "compile")
PAUSE = 0.05  # seconds between looks at the ledger; what it tells does not depend on them


def start(folder: Path, cache: Path) -> dict[str, float]:
    """Seconds of each phase of a new run until its first step is done; then it is ended."""
    fields = {"run.log_every": "1", "run.compile_cache": str(cache)}
    fields |= dict(field.split("=", 1) for field in SET.value)
    given = [f"--config.{name}={value}" for name, value in fields.items()]
    wanted = [f"--config={CONFIG.value}:{STAGE.value}", f"--workdir={folder}", *given]
    process = processes.start("train", *wanted, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            for line in read(folder / STAGE.value / "goodput.jsonl"):
                if line["step"]:
                    return {name: account([line])[name] for name in PARTS}
            time.sleep(PAUSE)
    finally:
        process.kill()
        process.wait()
    raise SystemExit(f"v2a train ended with status {process.returncode}")


def main(argv: list[str]) -> None:
    """Measures, prints, writes."""
    del argv
    found: dict[str, list[dict[str, float]]] = {"empty": [], "filled": []}
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder, "cache")
        for number in range(ROUNDS.value):
            for name in found:
                if name == "empty":
                    shutil.rmtree(cache, ignore_errors=True)
                found[name].append(start(Path(folder, f"{name}{number}"), cache))
    header, rows, totals = ("cache", *(f"{part}, s" for part in PARTS), "all, s"), [], {}
    for name, starts in found.items():
        totals[name] = [sum(one.values()) for one in starts]
        spreads = [Spread.of([one[part] for one in starts]) for part in PARTS]
        rows.append((name, *spreads, Spread.of(totals[name])))
    print(table(header, rows))
    print(f"empty / filled: {ratio(totals['empty'], totals['filled'])}")
    Path(OUT.value).mkdir(parents=True, exist_ok=True)
    Path(OUT.value, "starting.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    app.run(main)
