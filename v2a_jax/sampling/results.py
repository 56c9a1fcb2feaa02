"""Where results lie: a file for each variation, and a manifest beside each of them."""

import json
import os
import pathlib
from collections.abc import Sequence

from v2a_jax.errors import UserError

OURS = {"bundle_sha256", "output"}  # no other JSON file is likely to have both


def results(out: pathlib.Path, variations: int) -> tuple[pathlib.Path, ...]:
    """The file of each variation: NAME.mp4, or NAME-0.mp4, NAME-1.mp4, .. of several."""
    if variations == 1:
        return (out,)
    return tuple(out.with_stem(f"{out.stem}-{v}") for v in range(variations))


def manifest_of(out: pathlib.Path) -> pathlib.Path:
    """The manifest of a result: NAME.json beside it."""
    return out.with_suffix(".json")


def check_results(video: pathlib.Path, outs: Sequence[pathlib.Path]) -> None:
    """UserError where a result or its manifest would take the place of something of the user's."""
    for out in outs:
        if out.exists() and os.path.samefile(video, out):
            raise UserError(f"{out} is the source itself: choose another name for the result")
        if not _replaceable(manifest_of(out)):
            raise UserError(
                f"{manifest_of(out)} is not of a result of ours, and would be replaced by the "
                f"manifest of {out.name}: choose another name for the result"
            )


def _replaceable(path: pathlib.Path) -> bool:
    """Whether nothing is there, or a manifest."""
    try:
        told = json.loads(path.read_bytes())
    except FileNotFoundError:
        return True
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.keys() >= OURS
