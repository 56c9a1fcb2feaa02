"""Two scenes at once, each in its half of the frame; their sounds add up."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from data_pipelines.world import scenes
from data_pipelines.world.curves import Curve
from data_pipelines.world.draws import Draws
from data_pipelines.world.scenes import NOTHING_SAID, Scene, Spoken, Wording
from v2a_jax.types import Event

PARTS = ("bounce", "engine", "impact", "music", "rain", "roll", "scrape", "speech")
LABELS = PARTS
SIDES = ("left", "right")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair(Scene):
    """The scenes on the left and on the right."""

    parts: tuple[Scene, Scene]
    wording: Wording

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label for part in self.parts for label in part.labels)

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(
            dataclasses.replace(event, x=(side + event.x) / 2)
            for side, part in enumerate(self.parts)
            for event in part.events
        )

    @property
    def curves(self) -> Mapping[str, Curve]:
        """Those of both, as in `left.speed`."""
        return self._of_both("curves")

    @property
    def marks(self) -> Mapping[str, np.ndarray]:
        """Those of both, as in `left.drops`."""
        return self._of_both("marks")

    def _of_both(self, what: str) -> dict[str, Any]:
        return {
            f"{side}.{name}": value
            for side, part in zip(SIDES, self.parts, strict=True)
            for name, value in getattr(part, what).items()
        }

    @property
    def alone(self) -> Mapping[str, str]:
        return dict(zip(SIDES, (part.wording.full for part in self.parts), strict=True))

    @property
    def spoken(self) -> Spoken:
        return next((p.spoken for p in self.parts if p.spoken.transcript), NOTHING_SAID)

    def sound(self, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        return sum(self._sounds(sample_rate, noise))

    def stems(self, sample_rate: int, noise: np.random.Generator) -> dict[str, np.ndarray]:
        sounds = zip(self.parts, self._sounds(sample_rate, noise), strict=True)
        return {label: sound_N for part, sound_N in sounds for label in part.labels}

    def _sounds(self, sample_rate: int, noise: np.random.Generator) -> list[np.ndarray]:
        # Seeds first: what one part draws changes nothing for the other.
        seeds = noise.integers(2**63, size=2)
        return [
            part.sound(sample_rate, np.random.Generator(np.random.Philox(int(seed))))
            for part, seed in zip(self.parts, seeds, strict=True)
        ]

    def picture(self, fps: int, size: int) -> np.ndarray:
        widths = size // 2, size - size // 2
        halves = [
            _narrowed(part.picture(fps, size), width)
            for part, width in zip(self.parts, widths, strict=True)
        ]
        return np.concatenate(halves, axis=2)


def _narrowed(video: np.ndarray, width: int) -> np.ndarray:
    """uint8[F,S,width,3]: means of neighbouring columns."""
    odd = max(0, 2 * width - video.shape[2])
    whole = np.pad(video, ((0, 0), (0, 0), (0, odd), (0, 0)), mode="edge") if odd else video
    tall = Image.fromarray(whole[:, :, : 2 * width].reshape(-1, 2 * width, 3))  # all frames as one
    return np.asarray(tall.reduce((2, 1))).reshape(len(video), -1, width, 3)


def draw(draws: Draws, seconds: float) -> Pair:
    """Two scenes of different classes, whose factors are called `left.` and `right.` so and so."""
    left = draws.choice("left", PARTS)
    right = draws.choice("right", tuple(name for name in PARTS if name != left))
    parts = tuple(
        scenes.draw(name, draws.part(side), seconds)
        for side, name in zip(SIDES, (left, right), strict=True)
    )
    a, b = (part.wording for part in parts)
    full = (f"{a.full}, and {b.full}", f"on the left, {a.full}; on the right, {b.full}")
    return Pair(
        parts=parts,
        wording=Wording(
            full=draws.choice("caption", full),
            short=f"{a.short}, {b.short}",
            sound_only=f"{a.sound_only}, and {b.sound_only}",
        ),
    )
