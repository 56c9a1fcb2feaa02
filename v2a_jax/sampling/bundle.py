"""A bundle: weights of all parts, tokenizer, config, provenance and model card in one folder.

With them, where the training data were at hand, what clean clips look like (`quality.py`).
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import warnings
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from orbax.checkpoint import v1 as ocp

from v2a_jax.errors import UserError
from v2a_jax.leaves import differences, listed
from v2a_jax.media.files import file_sha256
from v2a_jax.models.functional import cast, flatten
from v2a_jax.models.system import System
from v2a_jax.models.tokenizer import Tokenizer
from v2a_jax.sampling.quality import Clean
from v2a_jax.types import Params

FORMAT = 2  # 1 had no tower and heads
CONFIG, WEIGHTS, TOKENIZER = "bundle.json", "weights", "tokenizer.model"
CARD, PROVENANCE, CLEAN = "MODEL_CARD.md", "provenance.json", "clean.npz"
PARTS = ("codec", "video", "text", "tower", "heads", "dit")
DTYPES = ("float32", "bfloat16")
COMMITTED = "commit_success.txt"  # Orbax writes into it where the weights were saved


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bundle:
    """A loaded bundle: weights are float32; `clean` is None where clean clips were not measured.

    `digest` is a SHA-256 over all of its files.
    """

    config: Mapping[str, Any]
    system: System
    weights: Params
    tokenizer: Tokenizer
    provenance: Mapping[str, Any]
    clean: Clean | None
    digest: str


def save_bundle(
    directory: pathlib.Path,
    *,
    config: Mapping[str, Any],
    weights: Params,
    tokenizer: Tokenizer,
    provenance: Mapping[str, Any],
    card: str,
    clean: Clean | None = None,
    dtype: str = "float32",
) -> None:
    """Writes the folder whole or not at all; UserError when something is in its place.

    `dtype`, one of `DTYPES`, is what weights are stored in.
    """
    check_replaceable(directory)
    draft = directory.with_name(f".{directory.name}.{os.getpid()}")
    aside = draft.with_suffix(".old")
    try:
        draft.mkdir(parents=True)
        ocp.save_pytree(draft.absolute() / WEIGHTS, cast(weights, dtype))
        for note in (draft / WEIGHTS).rglob(COMMITTED):
            note.write_text("")  # that it is there says enough: a bundle tells no place
        (draft / TOKENIZER).write_bytes(tokenizer.model)
        (draft / PROVENANCE).write_text(json.dumps(provenance, indent=2, sort_keys=True))
        (draft / CARD).write_text(card)
        if clean is not None:
            (draft / CLEAN).write_bytes(clean.to_bytes())
        content = {"format": FORMAT, "dtype": dtype, "config": config}
        (draft / CONFIG).write_text(json.dumps(content, indent=2, sort_keys=True))
        if directory.exists():
            directory.rename(aside)
        draft.rename(directory)
        shutil.rmtree(aside, ignore_errors=True)  # not before the new one is in its place
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_replaceable(directory: pathlib.Path) -> None:
    """UserError for what is neither a bundle nor an empty folder: nothing else is replaced."""
    if not directory.exists() or is_bundle(directory):
        return
    if not directory.is_dir() or any(directory.iterdir()):
        raise UserError(f"{directory} exists and is not a bundle: choose another --out")


def is_bundle(folder: pathlib.Path) -> bool:
    """Whether there is a bundle, sound or not."""
    return (folder / CONFIG).is_file()


def read_provenance(folder: pathlib.Path) -> dict[str, Any]:
    """What a bundle says that it was made of; UserError for damage."""
    try:
        told = json.loads((folder / PROVENANCE).read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"bundle {folder} is damaged: {error}") from error
    if not isinstance(told, dict):
        raise UserError(f"bundle {folder} is damaged: its {PROVENANCE} is no JSON object")
    return told


def read_clean(folder: pathlib.Path) -> Clean | None:
    """What a bundle knows of clean clips, None for nothing; UserError for damage."""
    if not (folder / CLEAN).is_file():
        return None
    try:
        return Clean.from_bytes((folder / CLEAN).read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"bundle {folder} is damaged: {error}") from error


def load_bundle(directory: str | os.PathLike) -> Bundle:
    """The bundle in a folder; UserError with a line for whatever is wrong with it."""
    folder = pathlib.Path(directory)
    if not is_bundle(folder):
        raise UserError(f"{folder} is not a bundle: it has no {CONFIG}")
    try:
        content = json.loads((folder / CONFIG).read_text())
        tokenizer = Tokenizer((folder / TOKENIZER).read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"bundle {folder} is damaged: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(
            f"bundle {folder} is not of format {FORMAT} (see its {CONFIG}): export it anew"
        )
    if content.get("dtype") not in DTYPES:
        raise UserError(f"bundle {folder} is damaged: its dtype is not one of {', '.join(DTYPES)}")
    try:
        system = System.from_config(content["config"])
    except KeyError as error:
        raise UserError(f"bundle {folder} is damaged: its config has no {error}") from error
    return Bundle(
        config=content["config"],
        system=system,
        weights=_load_weights(folder, system, content["dtype"]),
        tokenizer=tokenizer,
        provenance=read_provenance(folder),
        clean=read_clean(folder),
        digest=folder_digest(folder),
    )


def _load_weights(folder: pathlib.Path, system: System, dtype: str) -> Params:
    """Weights of every part, float32, compared leaf by leaf with what the config says."""
    shapes = {name: getattr(system, name).shapes for name in PARTS}
    wanted = jax.tree.map(lambda leaf: leaf.update(dtype=jnp.dtype(dtype)), shapes)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of shardings, which the caller decides
            loaded = ocp.load_pytree(folder.absolute() / WEIGHTS)
    except Exception as error:  # Orbax raises many kinds for a damaged folder
        raise UserError(f"bundle {folder}: its weights cannot be read ({error})") from error
    expected, found = flatten(wanted), flatten(loaded)
    if differing := differences(found, expected):
        raise UserError(
            f"bundle {folder}: its weights are not those of its config ({listed(differing)})"
        )
    ordered = [np.asarray(found[name], np.float32) for name in expected]
    return jax.tree.unflatten(jax.tree.structure(wanted), ordered)


def folder_digest(folder: pathlib.Path) -> str:
    """SHA-256 over the names and contents of all files of a folder, in order."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()} {file_sha256(path)}\n".encode())
    return total.hexdigest()
