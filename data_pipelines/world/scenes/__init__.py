"""Classes of scenes: each module of this package is one, with `draw(draws, seconds) -> Scene`."""

import abc
import dataclasses
import importlib
import pkgutil

import numpy as np

from data_pipelines.world.draws import Draws
from v2a_jax.types import Event


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wording:
    """What a scene is called: in full, in few words, and by its sound alone; '' when silent."""

    full: str
    short: str
    sound_only: str


class Scene(abc.ABC):
    """One drawn scene: its events and wording are known before anything is rendered."""

    events: tuple[Event, ...]
    wording: Wording
    labels: tuple[str, ...]

    @abc.abstractmethod
    def sound(self, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        """float64[N]: what is seen, heard."""

    @abc.abstractmethod
    def picture(self, fps: int, size: int) -> np.ndarray:
        """uint8[F,S,S,3]: frame k shows time k / fps."""


def names() -> tuple[str, ...]:
    """Names of all classes, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def draw(name: str, draws: Draws, seconds: float) -> Scene:
    """A scene of class `name`."""
    return importlib.import_module(f"{__name__}.{name}").draw(draws, seconds)
