"""Things timed in turns, so that whatever else the machine does meets all of them alike."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Spread:
    """Median and quartiles of what the rounds gave."""

    low: float
    median: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        """Of some values, one at least."""
        return Spread(*(float(q) for q in np.quantile(values, (0.25, 0.5, 0.75))))

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g}–{self.high:.3g})"


def in_turns(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds that each work takes in each round; every other round goes the other way round."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        order = list(works.items())
        for name, work in order if number % 2 == 0 else reversed(order):
            began = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def ratio(of: Sequence[float], to: Sequence[float]) -> Spread:
    """How many times longer `of` takes than `to`, round by round."""
    return Spread.of(np.divide(of, to))
