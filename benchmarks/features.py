"""Diffusion training from a store of features beside training from the records it was made of.

`python benchmarks/features.py --workdir=runs/demo` needs the records and earlier stages of the
demo. Both take turns; a step's time is what more steps take, so that the start drops out.
"""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import processes
from absl import app, flags

WORKDIR = flags.DEFINE_string("workdir", "runs/demo", "Folder of the demo.")
CONFIG = flags.DEFINE_string("config", "configs/demo.py:diffusion", "FILE:diffusion.")
RECORDS = flags.DEFINE_string("records", "data/val", "Records to train on, in the folder.")
STEPS = flags.DEFINE_integer("steps", 10, "Steps that are timed.", lower_bound=1)
TURNS = flags.DEFINE_integer("turns", 3, "How often each is timed.", lower_bound=1)
EARLIER = ("codec", "perception", "tokenizer.model")
FIRST = 2  # steps of the shorter run


def call(command: str, *arguments: str) -> float:
    """Seconds that a command of ours takes."""
    began = time.monotonic()
    process = processes.start(command, *arguments, stderr=subprocess.PIPE, text=True)
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"v2a {command} ended with status {process.returncode}: {errors[-500:]}")
    return time.monotonic() - began


def train(demo: Path, data: Path, steps: int) -> tuple[float, list[float]]:
    """Seconds that a new run of so many steps takes, and its losses."""
    with tempfile.TemporaryDirectory() as folder:
        for name in EARLIER:
            Path(folder, name).symlink_to(demo / name)
        seconds = call(
            "train",
            f"--config={CONFIG.value}",
            f"--workdir={folder}",
            f"--config.data.train={data}",
            f"--config.data.validation={demo / 'data/val'}",
            f"--config.run.steps={steps}",
            "--config.run.log_every=1",
            "--config.run.evaluate_every=1000000",
        )
        lines = Path(folder, "diffusion/metrics.jsonl").read_text().splitlines()
    return seconds, [json.loads(line)["loss"] for line in lines]


def stored(data: Path) -> float:
    """Bytes a clip takes."""
    count = json.loads((data / "dataset.json").read_text())["count"]
    return sum(file.stat().st_size for file in data.glob("*.array_record")) / count


def main(argv: list[str]) -> None:
    """Measures and prints."""
    del argv
    demo = Path(WORKDIR.value).absolute()
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(demo / "cache")
    with tempfile.TemporaryDirectory() as folder:
        records, store = demo / RECORDS.value, Path(folder, "store")
        wanted = [f"--config={CONFIG.value}", f"--workdir={demo}", f"--out={store}"]
        encoding = call("encode", *wanted, f"--config.data.train={records}")
        step: dict[Path, list[float]] = {records: [], store: []}
        losses = {}
        for data in step:
            train(demo, data, FIRST)  # compiles, for all runs after it
        for _ in range(TURNS.value):
            for data, found in step.items():
                short, _ = train(demo, data, FIRST)
                long, losses[data] = train(demo, data, FIRST + STEPS.value)
                found.append((long - short) / STEPS.value)
        raw, fast = (float(np.median(found)) for found in step.values())
        apart = np.abs(np.subtract(losses[records], losses[store])) / losses[records]
        count = json.loads((store / "dataset.json").read_text())["count"]
        print(f"a step from records  {raw:9.3f} s, {stored(records):9.0f} bytes a clip")
        print(f"a step from features {fast:9.3f} s, {stored(store):9.0f} bytes a clip")
        print(f"ratio                {raw / fast:9.2f}")
        print(f"encoding             {count / encoding:9.1f} clips/s, its start included")
        print(f"losses apart         {apart.max():9.1e} of their value at most")


if __name__ == "__main__":
    app.run(main)
