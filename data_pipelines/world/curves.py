"""Quantities that change all through a clip: linear between 100 values a second."""

import dataclasses

import numpy as np

HZ = 100.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """`values[K]` at k / HZ seconds; constant outside them."""

    values: np.ndarray

    def at(self, time: np.ndarray) -> np.ndarray:
        """float64: the value at each time."""
        return np.interp(np.asarray(time) * HZ, np.arange(len(self.values)), self.values)

    def integral(self, time: np.ndarray) -> np.ndarray:
        """float64: the exact integral from 0 to each time, which must lie within the values."""
        whole_K = np.cumsum(np.append(0.0, 0.5 * (self.values[1:] + self.values[:-1]) / HZ))
        place = np.clip(np.asarray(time) * HZ, 0, len(self.values) - 1)
        first = np.minimum(place.astype(int), len(self.values) - 2)
        part = place - first
        slope = self.values[first + 1] - self.values[first]
        return whole_K[first] + (self.values[first] + 0.5 * slope * part) * part / HZ

    def stored(self) -> tuple[float, tuple[float, ...]]:
        """As a record holds it: six digits after the point."""
        return HZ, tuple(np.round(self.values, 6).tolist())


def times(seconds: float) -> np.ndarray:
    """float64[K]: when a clip's curves have their values, both ends included."""
    return np.arange(int(np.ceil(seconds * HZ)) + 1) / HZ


def through(seconds: float, knots: np.ndarray, levels: np.ndarray) -> Curve:
    """Smooth from level to level at `knots` (s): a raised cosine between neighbours."""
    time_K = times(seconds)
    first = np.clip(np.searchsorted(knots, time_K, side="right") - 1, 0, len(knots) - 2)
    part = np.clip((time_K - knots[first]) / (knots[first + 1] - knots[first]), 0, 1)
    ease = 0.5 - 0.5 * np.cos(np.pi * part)
    return Curve(values=levels[first] + ease * (levels[first + 1] - levels[first]))
