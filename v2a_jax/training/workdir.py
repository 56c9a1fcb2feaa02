"""A run's folder: held by one process at a time, and bound to the configuration it began with."""

import contextlib
import fcntl
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax

from v2a_jax.errors import UserError

CONFIG = "config.json"
# Fields, or whole sections, that may change when a run resumes: they alter neither the model, the
# data nor the order of the examples, but for clips that are withdrawn or found damaged at any time;
# what was read until then is kept.
MAY_CHANGE = (
    "run.steps",
    "run.accumulate",
    "run.log_every",
    "run.evaluate_every",
    "run.evaluate_batches",
    "run.sample_every",
    "run.max_skips",
    "run.hang_seconds",
    "run.compile_seconds",
    "run.peer_seconds",
    "run.compile_cache",
    "model.stack",
    "checkpoint",
    "optimizer",
    "mesh",
    "data.damaged",
    "data.loader.threads",
    "data.loader.prefetch",
    "sampler",
    "watermark",
    "evaluation",
    "provenance",
    "read_before",
    "base.trained",
)


@contextlib.contextmanager
def held(workdir: pathlib.Path) -> Iterator[None]:
    """Creates the folder and keeps other runs out; UserError when one is in it.

    The first host holds the folder for all hosts of its run.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UserError(f"--workdir {workdir} is not a folder") from error
    with open(workdir / ".lock", "w") as lock:
        try:
            if jax.process_index() == 0:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"another process works in {workdir}") from error
        yield


def bind_config(workdir: pathlib.Path, config: Mapping[str, Any], started: bool) -> None:
    """Writes `config.json`; once training has started, UserError lists fields that now differ.

    Where other records are read than at the start before, `read_before` lists what was until then.
    """
    path = workdir / CONFIG
    if started and path.exists():
        before = read_config(workdir)
        config = {**config, "read_before": _read_before(workdir, before, config)}
        old, new = fields(before), fields(json.loads(json.dumps(config)))
        changes = [
            f"{name} {old.get(name)} -> {new.get(name)}"
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name) and not _may_change(name)
        ]
        if changes:
            raise UserError(
                f"{workdir} was started with another configuration ({'; '.join(changes)}): "
                "take another folder, or delete this one"
            )
    if jax.process_index() > 0:
        return
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    temporary.replace(path)


def _read_before(
    workdir: pathlib.Path, old: Mapping[str, Any], new: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What was read by the starts before, each until the step it came to at most."""
    told = old.get("read_before", [])
    if "provenance" not in old or old["provenance"] == new.get("provenance"):
        return told
    return [*told, {"until_step": max(_steps(workdir)), **old["provenance"]}]


def _steps(workdir: pathlib.Path) -> list[int]:
    """Those of the checkpoints."""
    names = [path.name for path in (workdir / "checkpoints").glob("*")]
    return [int(name) for name in names if name.isdigit()]


def started(workdir: pathlib.Path) -> bool:
    """Whether a run in this folder has a checkpoint to go on from."""
    return bool(_steps(workdir))


def read_config(workdir: pathlib.Path) -> dict[str, Any]:
    """What the folder of a run is bound to; empty when not written; UserError when damaged."""
    path = workdir / CONFIG
    try:
        return json.loads(path.read_text()) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged: {error}") from error


def fields(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of nested mappings by dotted name."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        nested = isinstance(value, Mapping)
        flat |= fields(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return flat


def _may_change(name: str) -> bool:
    return any(name == allowed or name.startswith(f"{allowed}.") for allowed in MAY_CHANGE)
