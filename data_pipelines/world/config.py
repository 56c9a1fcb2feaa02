"""What a procedural dataset is made of, and the bounds that keep a clip renderable."""

import dataclasses
import math

from data_pipelines.world import scenes
from data_pipelines.world.draws import CONFLICT
from v2a_jax.errors import UserError

_MATERIAL = ("bounce", "impact", "roll", "scrape")  # classes whose captions name one

_BOUNDS = {
    "clips": (1, 2**32 - 1),
    "seconds": (0.5, 60.0),
    "fps": (1, 120),
    "size": (32, 512),
    "sample_rate": (8000, 96000),
    "offscreen_probability": (0.0, 1.0),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """A set of procedural clips.

    seed, split             choose the clips: other values give other clips. The split `ood` takes
                            factors from outside the others' ranges; the captions of `conflict`
                            name another material than is seen and heard
    clips                   how many there are
    seconds, fps, size      of the video; `size` is its width and height in pixels
    sample_rate             of the audio, in Hz
    classes                 scenes to draw from, in equal shares
    offscreen_probability   chance that a clip has a sound nothing visible makes
    """

    seed: int
    split: str
    clips: int
    seconds: float
    fps: int
    size: int
    sample_rate: int
    classes: tuple[str, ...]
    offscreen_probability: float


def validate(config: WorldConfig) -> None:
    """UserError that names the first field out of bounds."""
    for name, (low, high) in _BOUNDS.items():
        value = getattr(config, name)
        if not (math.isfinite(value) and low <= value <= high):
            raise UserError(f"world: {name} is {value}; it must lie in [{low}, {high}]")
    if round(config.seconds * config.fps) < 1:
        raise UserError(f"world: {config.seconds} s at {config.fps} fps is not one frame")
    if not 0 <= config.seed < 2**64:
        raise UserError(f"world: seed is {config.seed}; it must lie in [0, 2**64)")
    known = scenes.names()
    unknown = [name for name in config.classes if name not in known]
    if unknown or not config.classes:
        wrong = f"unknown class {', '.join(unknown)}" if unknown else "no class chosen"
        raise UserError(f"world: {wrong}; there are {', '.join(known)}")
    without = [name for name in config.classes if name not in _MATERIAL]
    if config.split == CONFLICT and without:
        raise UserError(
            f"world: the split {CONFLICT} is about materials; {', '.join(without)} has none to "
            f"name: choose among {', '.join(_MATERIAL)}"
        )
    if not config.split:
        raise UserError("world: split is empty")
