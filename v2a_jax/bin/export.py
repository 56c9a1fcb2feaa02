"""`v2a export --workdir=DIR --out=BUNDLE`: the averaged weights of all stages in one folder."""

import importlib.metadata
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from absl import flags
from ml_collections import ConfigDict

from configs.base import QUALITY
from data_pipelines.loader import Numbered
from data_pipelines.open import WORLD, open_source
from data_pipelines.world.degrade import degrade
from v2a_jax.bin.main import launch, no_more
from v2a_jax.config import build
from v2a_jax.errors import UserError
from v2a_jax.models.system import System
from v2a_jax.models.tokenizer import Tokenizer
from v2a_jax.sampling.bundle import (
    DTYPES,
    PARTS,
    check_replaceable,
    is_bundle,
    read_clean,
    read_provenance,
    save_bundle,
)
from v2a_jax.sampling.card import model_card
from v2a_jax.sampling.quality import Clean, QualityConfig, measure
from v2a_jax.training.earlier import TRAINED_BY, load_parts
from v2a_jax.training.workdir import read_config

WORKDIR = flags.DEFINE_string("workdir", None, "Folder in which all stages were trained.")
OUT = flags.DEFINE_string("out", None, "Folder of the bundle; a bundle there is replaced.")
DTYPE = flags.DEFINE_enum("dtype", "float32", DTYPES, "What weights are stored in.")
SCORES = flags.DEFINE_string(
    "scores", None, "Folder of an earlier `v2a evaluate`, whose scores.md the model card gets."
)

MILD = 1e-6  # the least severity at which compression codes at all
PLACES = ("train", "validation", "ledger", "earlier", "weights")  # fields of configs
PACKAGES = ("v2a-jax", "jax", "flax", "optax", "orbax-checkpoint", "numpy")


def run(argv: list[str]) -> None:
    """Exports the bundle and says where it is, and what it lacks."""
    no_more(argv)
    if WORKDIR.value is None or OUT.value is None:
        raise UserError("export needs --workdir=DIR and --out=BUNDLE")
    check_replaceable(pathlib.Path(OUT.value))
    scores = _scores(pathlib.Path(SCORES.value)) if SCORES.value is not None else ""
    export(pathlib.Path(WORKDIR.value), pathlib.Path(OUT.value), DTYPE.value, scores)
    print(f"bundle: {OUT.value}")


def export(workdir: pathlib.Path, out: pathlib.Path, dtype: str, scores: str) -> None:
    """Writes the bundle of a finished run; UserError when a stage or the tokenizer is missing."""
    if not (config := _config(workdir, "diffusion")):
        raise UserError(f"{workdir} does not tell with which config it was trained")
    origin = pathlib.Path(config["earlier"]) if config["earlier"] else workdir
    system, sigma = System.from_config(config), config["ema"]["sigma_rel"][0]
    weights = load_parts(workdir, ("dit",), system, sigma)
    weights |= load_parts(origin, [part for part in PARTS if part != "dit"], system, sigma)
    tokenizer = origin / "tokenizer.model"
    if not tokenizer.is_file():
        raise UserError(f"no {tokenizer}: train stage 'perception' first")
    stages = {
        name: _config(workdir if name == "diffusion" else origin, name)
        for name in dict.fromkeys(TRAINED_BY.values())
    }
    # What has pixels: the last stage may have read what the others made of them.
    clips = stages["perception"].get("data", config["data"])
    provenance = {
        "stages": {name: without_places(stage) for name, stage in stages.items()},
        "data": _data(clips),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    clean = _clean(ConfigDict({"data": clips, "model": config["model"]}), workdir)
    read = {split: clips[split] for split in ("train", "validation")}
    config = without_places({**config, "earlier": "", "data": config["data"] | read})
    save_bundle(
        out,
        config=config,
        weights=weights,
        tokenizer=Tokenizer(tokenizer.read_bytes()),
        provenance=provenance,
        card=model_card(config, weights, provenance, dtype=dtype, clean=clean, scores=scores),
        clean=clean,
        dtype=dtype,
    )


def without_places(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with folders by their names alone: where they lie is told to nobody."""

    def value(name: str, held: Any) -> Any:
        if isinstance(held, Mapping):
            return without_places(held)
        return pathlib.PurePath(held).name if name in PLACES and isinstance(held, str) else held

    return {name: value(name, held) for name, held in config.items()}


def _scores(folder: pathlib.Path) -> str:
    """The table in the folder of an evaluation; UserError where there is none."""
    try:
        table = (folder / "scores.md").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"--scores={folder}: no scores.md can be read there ({error})") from error
    if not table.strip():
        raise UserError(f"--scores={folder}: its scores.md is empty")
    return table


def _clean(config: ConfigDict, workdir: pathlib.Path) -> Clean | None:
    """What some of the training clips look like, or what a bundle that is exported anew says of it.

    None, and the reason told, where none can tell.
    """
    quality, loader = build(QualityConfig, QUALITY), config.data.loader
    frames = round(loader.seconds * config.model.video.fps)
    try:
        return measure(_videos(config, quality.clips, frames), frames, quality.warn_below)
    except UserError as error:
        if (known := read_clean(workdir)) is not None:
            return known
        print(f"no estimate of how good a video is: {error}")
        return None


def _videos(config: ConfigDict, count: int, frames: int) -> Iterator[np.ndarray]:
    """The beginnings of so many training clips, of those that are long enough.

    Half of them are coded as files usually are: training clips may be pixels that no codec has
    touched, a user's video never is.
    """
    source, model = Numbered(open_source(config, "train")), config.model.video
    rng = np.random.default_rng(0)
    for index in sorted(rng.permutation(len(source))[:count].tolist()):
        _, record = source[index]
        fits = record.video is not None and record.video.shape[1:3] == (model.size, model.size)
        if fits and record.fps == model.fps and len(record.video) >= frames:
            video, coded = record.video[:frames], rng.random() < 0.5
            yield degrade(video, "compression", MILD, rng) if coded else video


def _config(place: pathlib.Path, stage: str) -> dict[str, Any]:
    """The config with which a stage was trained, in this folder or before it was a bundle."""
    if is_bundle(place):
        return read_provenance(place).get("stages", {}).get(stage, {})
    if not (config := read_config(place / stage)):
        raise UserError(f"stage '{stage}' was not trained in {place}: no {stage}/config.json")
    return config


def _data(clips: dict[str, Any]) -> dict[str, Any]:
    """What it was trained on: source, size, licence."""
    place = clips["train"]
    if place == WORLD:
        return {"source": "procedural world", "licence": "procedural", **clips["world"]}
    described = pathlib.Path(place) / "dataset.json"
    told = json.loads(described.read_text()) if described.is_file() else {}
    return {"source": pathlib.PurePath(place).name, **told}


if __name__ == "__main__":
    launch(run)
