"""Evaluation and samples on held-out examples while a stage trains, always with the same noise."""

import functools
import itertools
from collections.abc import Iterator
from typing import Protocol

import jax
import numpy as np
from jax.sharding import NamedSharding

from v2a_jax.sharding import replicated
from v2a_jax.training.feed import to_device
from v2a_jax.training.stages import Stage, example_keys
from v2a_jax.training.watch import Watch
from v2a_jax.types import Array, Batch, Encoded, Params

LISTENED = 4  # examples of a batch that are logged as sound


class Amounts(Protocol):
    """The part of the run's configuration that matters here."""

    batch_size: int
    evaluate_batches: int


class Data(Protocol):
    """Where batches come from, as numpy arrays."""

    def batches(self, start_step: int) -> Iterator[Batch | Encoded]:
        """This host's rows of global batch `start_step` and of all after it, without end."""


class Heldout:
    """A stage's held-out batches; they are read once and kept."""

    def __init__(
        self,
        stage: Stage,
        frozen: Params,
        data: Data,
        run: Amounts,
        sharding: NamedSharding,
        watch: Watch,
    ):
        self._frozen, self._data, self._run = frozen, data, run
        self._sharding, self._watch = sharding, watch

        def evaluate(params: Params, frozen: Params, batch: Batch) -> dict[str, Array]:
            metrics = stage.evaluate(params, frozen, batch, _keys(batch))
            return jax.tree.map(replicated, metrics)

        def samples(params: Params, frozen: Params, batch: Batch) -> dict[str, Array]:
            audio = stage.samples(params, frozen, batch, _keys(batch))
            return jax.tree.map(lambda x: replicated(x)[:LISTENED], audio)

        self._evaluate, self._samples = jax.jit(evaluate), jax.jit(samples)

    def evaluate(self, step: int, params: Params) -> None:
        """Logs the mean of the stage's metrics over the held-out batches."""
        rows = [
            jax.device_get(self._evaluate(params, self._frozen, self._on_device(batch)))
            for batch in self._batches
        ]
        means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        self._watch.scalars("evaluation", step, means)
        self._watch.say(
            f"step {step} evaluation: " + " ".join(f"{k} {v:.4g}" for k, v in means.items())
        )

    def listen(self, step: int, params: Params) -> None:
        """Logs the stage's samples of the first held-out batch."""
        audio = self._samples(params, self._frozen, self._on_device(self._batches[0]))
        self._watch.samples(step, jax.device_get(audio))

    @functools.cached_property
    def _batches(self) -> list[Batch]:
        return list(itertools.islice(self._data.batches(0), self._run.evaluate_batches))

    def _on_device(self, batch: Batch) -> Batch:
        return to_device(batch, self._sharding, self._run.batch_size)


def _keys(batch: Batch) -> Array:
    return example_keys(seed=0, step=0, index_B=batch.index)
