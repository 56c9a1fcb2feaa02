"""A still landscape that makes no sound: hills, a sky, and a sun."""

import dataclasses
from typing import ClassVar

import numpy as np

from data_pipelines.world import paint, stage
from data_pipelines.world.draws import Draws
from data_pipelines.world.scenes import Scene, Wording
from v2a_jax.types import Event

LABELS = ()
_SKIES = ((120, 178, 236), (238, 178, 132), (66, 74, 118))
_HILLS = ((88, 138, 76), (136, 120, 84), (96, 108, 126))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Landscape(Scene):
    """Hills as sums of sines, the nearer the darker."""

    seconds: float
    sky: tuple[int, int, int]
    hill: tuple[int, int, int]
    sun: tuple[float, float]
    waves: np.ndarray  # [ridge, sine, (amplitude, cycles, phase)]
    wording: Wording
    events: ClassVar[tuple[Event, ...]] = ()
    labels: ClassVar[tuple[str, ...]] = ()

    def sound(self, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        return np.zeros(round(self.seconds * sample_rate))

    def picture(self, fps: int, size: int) -> np.ndarray:
        x, y = np.meshgrid(*[(np.arange(size) + 0.5) / size] * 2)
        image = np.array(self.sky) * (0.75 + 0.4 * y[..., None])
        sun = paint.cover(paint.disc(x - self.sun[0], y - self.sun[1], 0.08) * size)[..., None]
        image += sun * ((255, 244, 200) - image)
        for depth, (amplitude, cycles, phase) in enumerate(self.waves.transpose(0, 2, 1)):
            sines = np.sin(2 * np.pi * cycles * x[..., None] + phase)
            ridge = 0.5 + 0.16 * depth + sines @ amplitude
            land = paint.cover((ridge - y) * size)[..., None]
            image += land * (np.array(self.hill) * (1.1 - 0.28 * depth) - image)
        frame = np.clip(image, 0, 255).astype(np.uint8)
        return np.tile(frame, (len(stage.frame_times(self.seconds, fps)), 1, 1, 1))


def draw(draws: Draws, seconds: float) -> Landscape:
    """A view; its wording is silence, since nothing in it sounds."""
    rng = draws.stream("ridges")
    low, high = (0.01, 0.5, 0.0), (0.05, 2.5, 2 * np.pi)
    full = ("silence", "a quiet landscape", "nothing is heard")
    return Landscape(
        seconds=seconds,
        sky=_SKIES[draws.choice("sky", range(len(_SKIES)))],
        hill=_HILLS[draws.choice("hill", range(len(_HILLS)))],
        sun=(draws.uniform("sun.x", 0.1, 0.9), draws.uniform("sun.y", 0.1, 0.35)),
        waves=rng.uniform(low, high, (3, 3, 3)),
        wording=Wording(full=draws.choice("caption", full), short="silence", sound_only="silence"),
    )
