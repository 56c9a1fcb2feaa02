"""A warm start: a stage begins with the weights of a bundle or another run, and nothing silently.

Weights are matched by name. What is missing, left over or of another shape is an error, unless its
name matches a pattern of the config; then the stage's own random weights stay, and it is told.
"""

import dataclasses
import fnmatch
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from v2a_jax.config import build, require
from v2a_jax.errors import UserError
from v2a_jax.leaves import differences, listed
from v2a_jax.models.functional import flatten
from v2a_jax.sampling.bundle import is_bundle, read_provenance
from v2a_jax.sharding import param_shardings
from v2a_jax.training.earlier import has_weights, placed, stage_weights, weights_sha256
from v2a_jax.training.lora import BASE, LoraConfig, LoraStage
from v2a_jax.training.stages import Stage
from v2a_jax.training.workdir import read_config, started
from v2a_jax.types import Array, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class InitConfig:
    """`weights` is a bundle or a run's --workdir, "" for a random start.

    `differ` are patterns (fnmatch) of names such as `dit/alone/*` that may differ.
    """

    weights: str
    differ: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start:
    """What a stage begins with: given `weights` by name, which `lora.rank` > 0 keeps as they are.

    `told` is what a run says of them.
    """

    lora: LoraConfig
    weights: Mapping[str, np.ndarray]
    told: Mapping[str, Any]

    def of(self, stage: Stage) -> Stage:
        """The stage that is trained: `stage`, or factors of it."""
        return LoraStage(stage, self.lora) if self.lora.rank else stage

    @property
    def initial(self) -> Mapping[str, np.ndarray]:
        """Weights that a fresh state begins with."""
        return {} if self.lora.rank else self.weights

    @property
    def description(self) -> dict[str, Any]:
        """What the run's folder is bound to."""
        return {"base": self.told} if self.told else {}

    def frozen(self, stage: Stage, mesh: Mesh) -> Params:
        """What the trained stage finds in the frozen tree: all weights of `stage`, or nothing."""
        if not self.lora.rank:
            return {}
        shapes = jax.eval_shape(stage.init, jax.random.key(0))
        leaves = [self.weights[name] for name in flatten(shapes)]
        tree = jax.tree.unflatten(jax.tree.structure(shapes), leaves)
        return {BASE: jax.tree.map(placed, tree, param_shardings(mesh, stage.axes()))}


def begin_with(
    config: Mapping[str, Any], stage: Stage, run: pathlib.Path, say: Callable[[str], None]
) -> Start:
    """What `stage` begins with in the folder of its run, by the sections `init` and `lora`.

    A run that trains its weights themselves needs those it began with no more once it has started.
    UserError where factors are asked for without weights to tune.
    """
    init, lora = build(InitConfig, config["init"]), build(LoraConfig, config["lora"])
    require(not lora.rank or bool(init.weights), "lora.rank tunes given weights: set init.weights")
    require(not (lora.rank and init.differ), "lora.rank tunes whole weights: no init.differ")
    if not lora.rank and started(run):
        return Start(lora=lora, weights={}, told=read_config(run).get("base", {}))
    weights = warm_weights(init, stage, config["ema"]["sigma_rel"][0], say)
    told = _statement(init.weights, stage.name, weights) if weights else {}
    return Start(lora=lora, weights=weights, told=told)


def warm_weights(
    config: InitConfig, stage: Stage, sigma_rel: float, say: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """The weights, by name, that `stage` begins with instead of its random ones.

    Averaged ones, of the profile `sigma_rel`. UserError lists what differs and may not, and names
    a pattern of `config.differ` that no weight matches.
    """
    if not config.weights:
        return {}
    place = pathlib.Path(config.weights)
    if not has_weights(place, stage.name):
        raise UserError(
            f"init.weights={place} is neither a bundle nor has it a run of {stage.name}"
        )
    wanted = flatten(jax.eval_shape(lambda: stage.init(jax.random.key(0))))
    parts = {name.split("/")[0] for name in wanted}
    found = {
        name: leaf
        for name, leaf in flatten(stage_weights(place, (stage.name,), sigma_rel)).items()
        if name.split("/")[0] in parts
    }
    differing, may = differences(found, wanted), _matching(config.differ, {**found, **wanted})
    refused = {name: what for name, what in differing.items() if name not in may}
    if refused:
        raise UserError(
            f"init.weights={config.weights}: weights are not those of this stage "
            f"(init.differ would allow them): {listed(refused)}"
        )
    taken = {name: np.asarray(found[name]) for name in wanted if name not in differing}
    if not taken:
        raise UserError(f"init.weights={config.weights}: it has none of this stage's weights")
    told = f"; not taken: {listed(differing)}" if differing else ""
    say(f"begins with {len(taken)} of {len(wanted)} weights of {config.weights}{told}")
    return taken


def _matching(patterns: Iterable[str], names: Iterable[str]) -> set[str]:
    """The names that a pattern of `init.differ` matches; UserError for a pattern without any."""
    matching: set[str] = set()
    for pattern in patterns:
        matched = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
        if not matched:
            raise UserError(f"init.differ: no weight there or of this stage matches '{pattern}'")
        matching.update(matched)
    return matching


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


def _statement(place: str, stage: str, weights: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What a run keeps of the weights it began with, and of what made them: JSON values."""
    folder = pathlib.Path(place)
    if is_bundle(folder):
        trained = read_provenance(folder)
    else:
        trained = {"stages": {stage: read_config(folder / stage)}}
    return {
        "weights": place,
        "sha256": weights_sha256(weights),
        "parts": sorted({name.split("/")[0] for name in weights}),
        "trained": trained,
    }
