"""Trained weights: found in a run or a bundle, compared leaf by leaf, never taken on trust."""

import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from v2a_jax.config import build
from v2a_jax.errors import UserError
from v2a_jax.leaves import differences, listed
from v2a_jax.models.functional import flatten
from v2a_jax.models.system import System
from v2a_jax.sampling.bundle import is_bundle, load_bundle
from v2a_jax.sharding import param_shardings, require_even
from v2a_jax.training.checkpoint import restore_params
from v2a_jax.training.ema import profile_name
from v2a_jax.training.lora import LoraConfig, tuned
from v2a_jax.training.workdir import read_config
from v2a_jax.types import Array, Params

# Which stage trains which part of the system.
TRAINED_BY = {
    "codec": "codec",
    "video": "perception",
    "text": "perception",
    "tower": "perception",
    "heads": "perception",
    "dit": "diffusion",
}


def earlier_parts(
    config: Mapping[str, Any], workdir: pathlib.Path, parts: Sequence[str], system: System
) -> Params:
    """The parts that the stages before this one trained, checked: of a run, or of a bundle."""
    earlier = pathlib.Path(config["earlier"]) if config["earlier"] else workdir
    return load_parts(earlier, parts, system, config["ema"]["sigma_rel"][0])


def on_mesh(params: Params, system: System, mesh: Mesh) -> Params:
    """Parts' weights, each leaf split as its axes say; UserError where it does not divide."""
    axes = {part: getattr(system, part).axes for part in params}
    shardings = param_shardings(mesh, axes)
    require_even(params, shardings)
    return jax.tree.map(placed, params, shardings)


def placed(x: Array, sharding: jax.sharding.Sharding) -> Array:
    """An array that every host has whole, on devices of all hosts; nothing passes between them."""
    values = np.asarray(x)
    return jax.make_array_from_callback(values.shape, sharding, lambda part: values[part])


def weights_sha256(params: Params) -> str:
    """SHA-256 over the names, types, shapes and values of all weights."""
    total = hashlib.sha256()
    for name, leaf in sorted(flatten(params).items()):
        values = np.ascontiguousarray(leaf)
        total.update(f"{name} {values.dtype} {leaf.shape}\n".encode())
        total.update(values.data)
    return total.hexdigest()


def load_parts(
    workdir: pathlib.Path, parts: Sequence[str], system: System, sigma_rel: float
) -> Params:
    """Averaged weights of the named parts; UserError where one is missing or of another shape."""
    stages = list(dict.fromkeys(TRAINED_BY[part] for part in parts))
    for stage in stages:
        if not has_weights(workdir, stage):
            raise UserError(
                f"no checkpoint of stage '{stage}' in {workdir}: train it first "
                f"(--config=..:{stage}), or set --config.earlier to the folder that has it"
            )
    trained = stage_weights(workdir, stages, sigma_rel)
    for part in parts:
        found, wanted = trained.get(part, {}), getattr(system, part).shapes
        if differing := differences(flatten(found), flatten(wanted)):
            raise UserError(
                f"the {part} in {workdir} is not the one this config describes "
                f"({listed(differing)})"
            )
    return {part: trained[part] for part in parts}


def has_weights(place: pathlib.Path, stage: str) -> bool:
    """Whether `place` is a bundle, or the folder of a run of this stage."""
    return is_bundle(place) or (place / stage / "checkpoints").is_dir()


def stage_weights(place: pathlib.Path, stages: Sequence[str], sigma_rel: float) -> Params:
    """Averaged weights of all parts that these stages train, from a bundle or the folder of a run.

    What a run has tuned by factors comes merged with the weights it was tuned from; UserError when
    those are gone or are others.
    """
    if is_bundle(place):
        weights = load_bundle(place).weights
        return {part: weights[part] for part in weights if TRAINED_BY[part] in stages}
    parts: Params = {}
    for stage in stages:
        parts |= _of_run(place / stage, stage, sigma_rel)
    return parts


def _of_run(run: pathlib.Path, stage: str, sigma_rel: float) -> Params:
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    weights = restore_params(run / "checkpoints", profile_name(sigma_rel), device)
    config = read_config(run)
    if not config.get("lora", {}).get("rank"):
        return weights
    return tuned(_base(run, stage, config), weights, build(LoraConfig, config["lora"]).scale)


def _base(run: pathlib.Path, stage: str, config: Mapping[str, Any]) -> Params:
    """The weights that the run of this config began with, and no others."""
    told = config["base"]
    place = pathlib.Path(told["weights"])
    what = f"{run} was tuned from weights of {place}"
    if not has_weights(place, stage):
        raise UserError(f"{what}: they are not there any more")
    found = stage_weights(place, (stage,), config["ema"]["sigma_rel"][0])
    weights = {part: found[part] for part in told["parts"] if part in found}
    if weights_sha256(weights) != told["sha256"]:
        raise UserError(f"{what}: they are not the same any more")
    return weights
