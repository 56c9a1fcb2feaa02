"""Batches of fixed shapes from clip records: what comes is a function of (seed, step) alone.

Global batch s is positions s B .. (s + 1) B - 1 of the shuffled and repeated source, and the
draws of an example are keyed by its position. Threads, restarts and the number of hosts change
nothing; the only state of an iterator is the step.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import grain
import jax
import numpy as np

from data_pipelines.damaged import by_policy
from data_pipelines.schema import ClipRecord
from data_pipelines.transforms import Example, LoaderConfig
from v2a_jax.errors import UserError
from v2a_jax.types import Batch, Encoded

Examples = Batch | Encoded

EPOCHS = 2**31  # endless for every purpose, and still countable


class Source(Protocol):
    """Clip records with random access, from several threads at once."""

    def __len__(self) -> int:
        """Number of records."""

    def __getitem__(self, index: int) -> ClipRecord:
        """One record."""


class Numbered:
    """A source whose items know their index, and whose errors name it."""

    def __init__(self, source: Source):
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> tuple[int, ClipRecord]:
        try:
            return index, self._source[index]
        except Exception as error:
            raise UserError(
                f"record {index} of {self._source!r} cannot be read: {error}"
            ) from error


class Stream:
    """Batches of the examples that `example`, a random map, makes of what `source` holds.

    This host reads part `part` of `parts` of each batch. What cannot be read raises UserError, or
    is replaced, as the policy `damaged` says.
    """

    def __init__(
        self,
        source: Source,
        example: Callable[[tuple[int, Any], np.random.Generator], Examples],
        *,
        batch_size: int,
        seed: int,
        reading: grain.ReadOptions,
        part: int = 0,
        parts: int = 1,
        damaged: str = "fail",
    ):
        if not len(source):
            raise UserError(f"{source!r} has no records")
        if batch_size % parts:
            raise UserError(f"a batch of {batch_size} does not divide over {parts} hosts")
        examples = (
            grain.MapDataset.source(by_policy(damaged, Numbered(source)))
            .seed(seed)
            .shuffle()
            .repeat(EPOCHS)
            .random_map(example)
        )
        self._batches = examples.batch(batch_size // parts, batch_fn=stack)[part::parts]
        self._reading = reading

    def batches(self, start_step: int) -> Iterator[Examples]:
        """This host's rows of batch `start_step` and of all after it, read ahead by threads."""
        return iter(self._batches[start_step:].to_iter_dataset(self._reading))


class Loader(Stream):
    """The stream of clip records; `encode` turns a caption into token ids.

    Records that do not suit the configuration raise UserError.
    """

    def __init__(
        self,
        source: Source,
        config: LoaderConfig,
        *,
        encode: Callable[[str], list[int]],
        batch_size: int,
        seed: int,
        part: int = 0,
        parts: int = 1,
        damaged: str = "fail",
    ):
        super().__init__(
            source,
            Example(config=config, encode=encode),
            batch_size=batch_size,
            seed=seed,
            reading=read_ahead(config),
            part=part,
            parts=parts,
            damaged=damaged,
        )


def read_ahead(config: LoaderConfig) -> grain.ReadOptions:
    """How many threads read, and how far ahead."""
    return grain.ReadOptions(num_threads=config.threads, prefetch_buffer_size=config.prefetch)


def stack(examples: Sequence[Examples]) -> Examples:
    """One batch of several examples."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *examples)
