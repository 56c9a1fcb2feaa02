"""What a stage is: what to train and how to judge it. One loop trains every stage.

`make_stage` builds the stage a config names; `frozen` holds the earlier stages' weights, passed to
every function as an argument so that they are never constants of a compiled program.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import jax

from v2a_jax.config import require
from v2a_jax.errors import UserError
from v2a_jax.models.system import System
from v2a_jax.training.codec_stage import CodecStage
from v2a_jax.training.diffusion_stage import DiffusionStage
from v2a_jax.training.perception_stage import PerceptionStage
from v2a_jax.types import Array, Batch, Params

DTYPES = ("float32", "bfloat16")
STAGES = {"codec": CodecStage, "perception": PerceptionStage, "diffusion": DiffusionStage}


class Stage(Protocol):
    """Functions of pytrees; `keys` is one PRNG key an example."""

    name: str
    needs: tuple[str, ...]  # parts of the system that earlier stages trained
    reads_text: bool
    marks: bool  # its samples are generated, and marked with `frozen["pattern"]`

    def init(self, key: Array) -> Params:
        """Random parameters."""

    def axes(self) -> Params:
        """Logical axes of the parameters."""

    def groups(self, params: Params) -> Params:
        """For each parameter, the optimizer group that trains it."""

    def decay_mask(self, params: Params) -> Params:
        """For each parameter, whether weight decay applies."""

    def loss(
        self, params: Params, frozen: Params, batch: Batch, keys: Array
    ) -> tuple[Array, dict[str, Array]]:
        """Scalar to minimise, and metrics."""

    def examples(self, batch: Batch) -> Array:
        """How many examples the loss is a mean over: what it weighs beside another batch's."""

    def tokens(self, batch: Batch) -> int:
        """How many tokens of its own each row of the batch is to the models; padding counts."""

    def evaluate(
        self, params: Params, frozen: Params, batch: Batch, keys: Array
    ) -> dict[str, Array]:
        """Metrics on held-out examples."""

    def samples(
        self, params: Params, frozen: Params, batch: Batch, keys: Array
    ) -> dict[str, Array]:
        """Named audio float32[B,N,C] to look at while training."""


def make_stage(name: str, config: Mapping[str, Any], system: System) -> Stage:
    """The stage of this name; UserError for another."""
    if name not in STAGES:
        raise UserError(f"unknown stage '{name}' (one of: {', '.join(STAGES)})")
    require(config["dtype"] in DTYPES, f"dtype must be one of {', '.join(DTYPES)}")
    return STAGES[name](config, system)


def example_keys(seed: Array, step: Array, index_B: Array) -> Array:
    """One key an example from (seed, step, dataset index): the same on any mesh, in any order."""
    at_step = jax.random.fold_in(jax.random.key(seed), step)
    return jax.vmap(lambda index: jax.random.fold_in(at_step, index))(index_B)
