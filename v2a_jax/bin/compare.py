"""`v2a compare FIRST SECOND`: two folders of `v2a evaluate`, clip by clip, with a paired test."""

import dataclasses
import json
import pathlib

from absl import flags

from v2a_jax.bin.main import launch
from v2a_jax.errors import UserError
from v2a_jax.evaluation.comparison import (
    ANSWERS,
    PROTOCOL,
    compare,
    format_comparison,
    read_answers,
)
from v2a_jax.evaluation.scores import Sampling

JSON = flags.DEFINE_bool("json", False, "Print JSON.")


def run(argv: list[str]) -> None:
    """Compares and prints; UserError where the two were not measured alike."""
    if len(argv) != 3:
        raise UserError("compare needs two folders: v2a compare FIRST SECOND")
    folders = [pathlib.Path(name) for name in argv[1:]]
    first, second = map(_protocol, folders)
    if first["hash"] != second["hash"]:
        unlike = sorted(name for name in first if first[name] != second.get(name))
        raise UserError(f"{argv[1]} and {argv[2]} were not measured alike: {', '.join(unlike)}")
    settings = first["config"]
    sampling = Sampling(
        resamples=settings["resamples"], confidence=settings["confidence"], seed=settings["seed"]
    )
    results = compare(*(read_answers(folder / ANSWERS) for folder in folders), sampling)
    if JSON.value:
        print(
            json.dumps({name: dataclasses.asdict(one) for name, one in results.items()}, indent=2)
        )
    else:
        print(format_comparison(results, sampling.confidence))


def _protocol(folder: pathlib.Path) -> dict:
    try:
        told = json.loads((folder / PROTOCOL).read_text(encoding="utf-8"))
        return told | {name: told[name] for name in ("hash", "config")}  # it has both, or is none
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}: not a folder of `v2a evaluate`") from error


if __name__ == "__main__":
    launch(run)
