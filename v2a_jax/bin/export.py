"""`v2a export --workdir=DIR --out=BUNDLE`: the averaged weights of all stages in one folder."""

import importlib.metadata
import json
import pathlib
from typing import Any

from absl import flags

from v2a_jax.bin.main import launch, no_more
from v2a_jax.errors import UserError
from v2a_jax.models.functional import count
from v2a_jax.models.system import System
from v2a_jax.models.tokenizer import Tokenizer
from v2a_jax.sampling.bundle import PARTS, PROVENANCE, is_bundle, save_bundle
from v2a_jax.training.earlier import TRAINED_BY, load_parts
from v2a_jax.training.workdir import read_config
from v2a_jax.types import Params

WORKDIR = flags.DEFINE_string("workdir", None, "Folder in which all stages were trained.")
OUT = flags.DEFINE_string("out", None, "Folder of the bundle; a bundle there is replaced.")

PACKAGES = ("v2a-jax", "jax", "flax", "optax", "orbax-checkpoint", "numpy")


def run(argv: list[str]) -> None:
    """Exports the bundle and says where it is."""
    no_more(argv)
    if WORKDIR.value is None or OUT.value is None:
        raise UserError("export needs --workdir=DIR and --out=BUNDLE")
    export(pathlib.Path(WORKDIR.value), pathlib.Path(OUT.value))
    print(f"bundle: {OUT.value}")


def export(workdir: pathlib.Path, out: pathlib.Path) -> None:
    """Writes the bundle of a finished run; UserError when a stage or the tokenizer is missing."""
    config = _config(workdir, "diffusion")
    origin = pathlib.Path(config["earlier"]) if config["earlier"] else workdir
    system, sigma = System.from_config(config), config["ema"]["sigma_rel"][0]
    weights = load_parts(workdir, ("dit",), system, sigma)
    weights |= load_parts(origin, [part for part in PARTS if part != "dit"], system, sigma)
    tokenizer = origin / "tokenizer.model"
    if not tokenizer.is_file():
        raise UserError(f"no {tokenizer}: train stage 'perception' first")
    provenance = {
        "stages": {
            name: _config(workdir if name == "diffusion" else origin, name)
            for name in dict.fromkeys(TRAINED_BY.values())
        },
        "data": _data(config),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    save_bundle(
        out,
        config=config,
        weights=weights,
        tokenizer=Tokenizer(tokenizer.read_bytes()),
        provenance=provenance,
        card=_card(config, weights, provenance),
    )


def _config(place: pathlib.Path, stage: str) -> dict[str, Any]:
    """The config with which a stage was trained, in this folder or before it was a bundle."""
    if is_bundle(place):
        stages = json.loads((place / PROVENANCE).read_text()).get("stages", {})
        return stages.get(stage, {})
    if not (config := read_config(place / stage)):
        raise UserError(f"stage '{stage}' was not trained in {place}: no {stage}/config.json")
    return config


def _data(config: dict[str, Any]) -> dict[str, Any]:
    """What it was trained on: source, size, licence."""
    place = config["data"]["train"]
    if place == "world":
        return {"source": "procedural world", "licence": "procedural", **config["data"]["world"]}
    described = pathlib.Path(place) / "dataset.json"
    told = json.loads(described.read_text()) if described.is_file() else {}
    return {"source": place, **told}


def _card(config: dict[str, Any], weights: Params, provenance: dict[str, Any]) -> str:
    model, data = config["model"], provenance["data"]
    sizes = "\n".join(f"| {name} | {count(weights[name]):,} |" for name in PARTS)
    told = "\n".join(f"- {name}: {value}" for name, value in sorted(data.items()))
    trained = "\n".join(
        f"- {name}: {stage['run']['steps']} steps of {stage['run']['batch_size']} clips"
        for name, stage in provenance["stages"].items()
        if "run" in stage
    )
    origins = "\n".join(
        f"- {name}: {_origin(stage.get('provenance', {}))}{_tuned(name, stage)}"
        for name, stage in provenance["stages"].items()
    )
    return f"""# Model card

A V2A-JAX bundle: silent video in, a watermarked soundtrack out.

Sound at {model["codec"]["sample_rate"]} Hz, {model["codec"]["channels"]} channel(s); video seen at
{model["video"]["size"]} px, {model["video"]["fps"]} frames a second.

| part | parameters |
|---|---|
{sizes}

## Trained on
{told}

## Provenance
{origins}

## Training
{trained}

## Limits
It knows the sounds of its training data and no others; on other videos it makes those sounds.
Every soundtrack it makes carries a watermark.
"""


def _origin(told: dict[str, Any]) -> str:
    """What a stage read, in one line."""
    if not told:
        return "not recorded"
    licences = ", ".join(f"{count} under {name}" for name, count in told["licences"].items())
    withheld = ", ".join(f"{count} {why}" for why, count in told.get("withheld", {}).items())
    return (
        f"{told['records']} records ({licences}), withheld: {withheld or 'none'}, "
        f"policy {told['policy']}, ledger {told.get('ledger_sha256', 'none')}"
    )


def _tuned(name: str, stage: dict[str, Any]) -> str:
    """What a stage began with and what that had read, in turn; nothing for a random start."""
    if not (base := stage.get("base")):
        return ""
    rank = stage["lora"]["rank"]
    how = f"factors of rank {rank} tuned on" if rank else "all weights tuned from"
    before = base["trained"].get("stages", {}).get(name, {})
    read = f"{_origin(before.get('provenance', {}))}{_tuned(name, before)}"
    place = pathlib.PurePath(base["weights"]).name
    return f"; {how} weights {base['sha256'][:16]} of {place}, made of: {read}"


if __name__ == "__main__":
    launch(run)
