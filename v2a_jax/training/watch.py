"""Watching a run: every step's metrics are guarded and logged.

They are fetched one step late, so that the host never waits for the step it has just started. An
update that was skipped, because its loss or gradient is not finite, is counted; too many in a row
end the run.
"""

import math
import pathlib
from collections.abc import Mapping
from typing import Protocol

import jax
import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.training.metrics import MetricsWriter
from v2a_jax.training.progress import Progress
from v2a_jax.training.throughput import shown
from v2a_jax.types import Array


class Intervals(Protocol):
    """The part of the run's configuration that matters here."""

    steps: int
    log_every: int
    max_skips: int


class Watch:
    """Guards and logs the metrics of every step; only the first host writes."""

    def __init__(
        self, name: str, run: Intervals, workdir: pathlib.Path, start: int, sample_rate: int
    ):
        self._name, self._run = name, run
        self._pending: tuple[int, dict[str, Array]] | None = None
        self._skips = self._in_a_row = 0
        self._writer = self._progress = None
        if jax.process_index() == 0:
            self._writer = MetricsWriter(workdir, start, sample_rate)
            self._progress = Progress(name, start, run.steps)

    def push(self, step: int, metrics: dict[str, Array]) -> None:
        """Takes a step's metrics, still being computed, and settles those of the step before."""
        self.flush()
        self._pending = (step, metrics)

    def flush(self) -> None:
        """Settles what is pending.

        UserError names the metrics that are not finite, and the step, when too many updates were
        skipped or when the update was not.
        """
        if self._pending is None:
            return
        (step, metrics), self._pending = self._pending, None
        values = {name: float(value) for name, value in jax.device_get(metrics).items()}
        wrong = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
        skipped = bool(values["skipped"])
        self._skips, self._in_a_row = self._skips + skipped, (self._in_a_row + 1) * skipped
        if wrong and (not skipped or self._in_a_row >= self._run.max_skips):
            skips = f", {self._in_a_row} update(s) skipped in a row" if skipped else ""
            raise UserError(
                f"{self._name}: {', '.join(wrong)}{skips} at step {step}; no state after the last "
                "checkpoint is kept (a lower optimizer.learning_rate or clip_norm may help)"
            )
        if skipped:
            self.say(
                f"step {step}: {', '.join(wrong)}; update skipped ({self._in_a_row} in a row, "
                f"{self._skips} since the start of this process)"
            )
        if self._progress is not None:
            self._progress.update(step, values["loss"])
        if step % self._run.log_every == 0 or step == self._run.steps:
            self.scalars("metrics", step, values)

    def scalars(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        """Logs a step's numbers."""
        if self._writer is not None:
            self._writer.scalars(kind, step, values)

    def board(self, step: int, values: Mapping[str, float]) -> None:
        """Shows numbers that depend on the machine, so that the logs of equal runs stay equal."""
        if self._writer is not None:
            self._writer.board(step, values)

    def speed(self, step: int, rates: Mapping[str, float]) -> None:
        """Shows how fast the run is."""
        self.board(step, {f"speed/{name}": value for name, value in rates.items()})
        if self._progress is not None and rates:
            self._progress.rates(shown(rates))

    def samples(self, step: int, audio: Mapping[str, np.ndarray]) -> None:
        """Logs audio float32[K,N,C] by name."""
        if self._writer is not None:
            self._writer.samples(step, audio)

    def say(self, text: str) -> None:
        """Tells the user one line."""
        if self._progress is not None:
            self._progress.say(text)

    def close(self) -> None:
        """Closes files and bar; what is pending is dropped."""
        if self._writer is not None:
            self._writer.close()
            self._progress.close()
