"""Classes of scenes: each module of this package is one, with `draw(draws, seconds) -> Scene`.

Its `LABELS` are the sounds that its scenes may have.
"""

import abc
import dataclasses
import importlib
import pkgutil
import types
from collections.abc import Iterable, Mapping
from typing import ClassVar

import numpy as np

from data_pipelines.world.curves import Curve
from data_pipelines.world.draws import Draws
from v2a_jax.types import Event


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wording:
    """What a scene is called: in full, in few words, and by its sound alone; '' when silent."""

    full: str
    short: str
    sound_only: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spoken:
    """What is said: (word, start, end) and (IPA, start, end) in seconds."""

    transcript: str
    words: tuple[tuple[str, float, float], ...]
    phonemes: tuple[tuple[str, float, float], ...]


NOTHING_SAID = Spoken(transcript="", words=(), phonemes=())


class Scene(abc.ABC):
    """One drawn scene: its events and wording are known before anything is rendered.

    keeps_quiet   a scene without a sound of its own that is about silence: off-screen sounds are
                  no more likely in it than elsewhere
    """

    events: tuple[Event, ...]
    wording: Wording
    labels: tuple[str, ...]
    keeps_quiet: ClassVar[bool] = False

    @property
    def curves(self) -> Mapping[str, Curve]:
        """What changes all the time, by name."""
        return {}

    @property
    def marks(self) -> Mapping[str, np.ndarray]:
        """Moments by name, in seconds."""
        return {}

    @property
    def alone(self) -> Mapping[str, str]:
        """What its parts would be called alone, by name, where there are several."""
        return {}

    @property
    def spoken(self) -> Spoken:
        """What is said."""
        return NOTHING_SAID

    def stems(self, sample_rate: int, noise: np.random.Generator) -> dict[str, np.ndarray]:
        """float64[N] of each label: they add up to `sound`."""
        return dict.fromkeys(self.labels, self.sound(sample_rate, noise))

    @abc.abstractmethod
    def sound(self, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        """float64[N]: what is seen, heard."""

    @abc.abstractmethod
    def picture(self, fps: int, size: int) -> np.ndarray:
        """uint8[F,S,S,3]: frame k shows time k / fps."""


def names() -> tuple[str, ...]:
    """Names of all classes, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def heard(classes: Iterable[str]) -> tuple[str, ...]:
    """The labels that scenes of `classes` may have, each once."""
    labels = [label for name in sorted(classes) for label in _module(name).LABELS]
    return tuple(dict.fromkeys(labels))


def draw(name: str, draws: Draws, seconds: float) -> Scene:
    """A scene of class `name`."""
    return _module(name).draw(draws, seconds)


def _module(name: str) -> types.ModuleType:
    return importlib.import_module(f"{__name__}.{name}")
