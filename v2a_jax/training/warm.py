"""A warm start: a stage begins with the weights of a bundle or another run, and nothing silently.

Weights are matched by name. What is missing, left over or of another shape is an error, unless its
name matches a pattern of the config; then the stage's own random weights stay, and it is told.
"""

import dataclasses
import fnmatch
import pathlib
from collections.abc import Callable, Mapping

import jax
import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.models.functional import flatten
from v2a_jax.sampling.bundle import CONFIG, load_bundle
from v2a_jax.training.checkpoint import restore_params
from v2a_jax.training.earlier import placed
from v2a_jax.training.ema import profile_name
from v2a_jax.training.stages import Stage
from v2a_jax.types import Array, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class InitConfig:
    """`weights` is a bundle or a run's --workdir, "" for a random start.

    `differ` are patterns (fnmatch) of names such as `dit/audio/mlp/*` that may differ.
    """

    weights: str
    differ: tuple[str, ...]


def warm_weights(
    config: InitConfig, stage: Stage, sigma_rel: float, say: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """The weights, by name, that `stage` begins with instead of its random ones.

    Averaged ones, of the profile `sigma_rel`. UserError lists what differs and may not.
    """
    if not config.weights:
        return {}
    wanted = flatten(jax.eval_shape(lambda: stage.init(jax.random.key(0))))
    parts = {name.split("/")[0] for name in wanted}
    found = {
        name: leaf
        for name, leaf in flatten(_load(config.weights, stage.name, sigma_rel)).items()
        if name.split("/")[0] in parts
    }
    differing = differences(found, wanted)
    refused = {
        name: what
        for name, what in differing.items()
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in config.differ)
    }
    if refused:
        raise UserError(
            f"init.weights={config.weights}: {len(refused)} weights are not those of this stage "
            f"(init.differ would allow them): {_listed(refused)}"
        )
    taken = {name: np.asarray(found[name]) for name in wanted if name not in differing}
    if not taken:
        raise UserError(f"init.weights={config.weights}: it has none of this stage's weights")
    told = f"; not taken: {_listed(differing)}" if differing else ""
    say(f"begins with {len(taken)} of {len(wanted)} weights of {config.weights}{told}")
    return taken


def differences(found: Mapping[str, Array], wanted: Mapping[str, Array]) -> dict[str, str]:
    """What is wrong with each leaf that is not in both with one shape and type."""
    told = dict.fromkeys(wanted.keys() - found.keys(), "missing")
    told |= dict.fromkeys(found.keys() - wanted.keys(), "left over")
    for name in found.keys() & wanted.keys():
        old, new = (f"{tree[name].dtype}{list(tree[name].shape)}" for tree in (found, wanted))
        if old != new:
            told[name] = f"{old} there, {new} here"
    return dict(sorted(told.items()))


def replaced(params: Params, weights: Mapping[str, Array]) -> Params:
    """`params` with those of `weights`, each where its namesake was, on the same devices."""
    names = list(flatten(params))
    leaves, structure = jax.tree.flatten(params)
    return jax.tree.unflatten(
        structure,
        [
            placed(weights[name], leaf.sharding) if name in weights else leaf
            for name, leaf in zip(names, leaves, strict=True)
        ],
    )


def _load(place: str, stage: str, sigma_rel: float) -> Params:
    folder = pathlib.Path(place)
    if (folder / CONFIG).is_file():
        return load_bundle(folder).weights
    if not (folder / stage / "checkpoints").is_dir():
        raise UserError(f"init.weights={place} is neither a bundle nor has it a run of {stage}")
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return restore_params(folder / stage / "checkpoints", profile_name(sigma_rel), device)


def _listed(differing: Mapping[str, str]) -> str:
    """Every one of them: a weight that silently stays random is found weeks later."""
    return ", ".join(f"{name} ({what})" for name, what in differing.items())
