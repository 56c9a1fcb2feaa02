"""Earlier stages' weights: found by config, compared leaf by leaf, never taken on trust."""

import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from v2a_jax.errors import UserError
from v2a_jax.models.functional import flatten, shapes_by_path
from v2a_jax.models.system import System
from v2a_jax.sharding import param_shardings, require_even
from v2a_jax.training.checkpoint import restore_params
from v2a_jax.training.ema import profile_name
from v2a_jax.types import Array, Params

# Which stage trains which part of the system.
TRAINED_BY = {
    "codec": "codec",
    "video": "perception",
    "text": "perception",
    "dit": "diffusion",
}


def earlier_parts(
    config: Mapping[str, Any], workdir: pathlib.Path, parts: Sequence[str], system: System
) -> Params:
    """The parts that the stages before this one trained, checked."""
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
    weights = {}
    for stage in dict.fromkeys(TRAINED_BY[part] for part in parts):
        folder = workdir / stage / "checkpoints"
        if not folder.is_dir():
            raise UserError(
                f"no checkpoint of stage '{stage}' in {workdir}: train it first "
                f"(--config=..:{stage}), or set --config.earlier to the folder that has it"
            )
        place = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        trained = restore_params(folder, profile_name(sigma_rel), place)
        for part in (p for p in parts if TRAINED_BY[p] == stage):
            _compare(folder, part, trained.get(part, {}), getattr(system, part).shapes)
            weights[part] = trained[part]
    return weights


def _compare(folder: pathlib.Path, part: str, found: Params, wanted: Params) -> None:
    have, need = shapes_by_path(found), shapes_by_path(wanted)
    names = have.keys() | need.keys()
    differing = sorted(name for name in names if have.get(name) != need.get(name))
    if differing:
        first = differing[0]
        raise UserError(
            f"the {part} in {folder} is not the one this config describes: {len(differing)} "
            f"weights differ, first {first}: {have.get(first)} there, {need.get(first)} here"
        )
