"""Things that make no sound, at rest or moving: not all that moves is heard."""

import dataclasses
from typing import ClassVar

import numpy as np

from data_pipelines.world import paint, stage, surfaces
from data_pipelines.world.draws import Draws
from data_pipelines.world.materials import MATERIALS
from data_pipelines.world.scenes import Scene, Wording
from v2a_jax.types import Event

LABELS = ()
GROUND = 0.84
PHRASES = {
    "balloon": "a balloon drifts by",
    "leaf": "a leaf floats down",
    "pendulum": "a pendulum swings without a sound",
    "ball": "a ball lies still",
    "cloud": "a cloud passes",
}
_REACH = {  # half width and half height of its patch, of the frame
    "balloon": (0.13, 0.27),
    "leaf": (0.1, 0.1),
    "pendulum": (0.13, 0.13),
    "ball": (0.13, 0.13),
    "cloud": (0.2, 0.14),
}
_COLOURS = ((214, 60, 60), (60, 120, 214), (230, 190, 60), (70, 160, 90))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Silence(Scene):
    """A silent thing; `phase` (rad), `pace` (rad/s) and `place` (0..1) tell how it moves."""

    seconds: float
    stage: stage.Stage
    thing: str
    colour: tuple[int, int, int]
    material: str
    phase: float
    pace: float
    place: float
    wording: Wording
    events: ClassVar[tuple[Event, ...]] = ()
    labels: ClassVar[tuple[str, ...]] = LABELS
    keeps_quiet: ClassVar[bool] = True

    def sound(self, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        return np.zeros(round(self.seconds * sample_rate))

    def path(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x and y of its middle (fractions of the frame), and how far it leans (rad)."""
        sway, still = np.sin(self.phase + self.pace * time), np.ones(len(time))
        part = time / self.seconds
        if self.thing == "balloon":
            return self.place + 0.05 * sway, 0.75 - 0.6 * part, 0.12 * sway
        if self.thing == "leaf":
            lean = 0.7 * np.sin(self.phase + self.pace * time + np.pi / 2)
            return self.place + 0.14 * sway, 0.05 + 0.75 * part, lean
        if self.thing == "pendulum":
            angle = 0.6 * sway
            return 0.5 + 0.6 * np.sin(angle), 0.6 * np.cos(angle), angle
        if self.thing == "cloud":
            return self.place + 0.5 * (part - 0.5), 0.25 * still, 0 * still
        return self.place * still, (GROUND + self.stage.shift[1] - 0.12) * still, 0 * still

    def picture(self, fps: int, size: int) -> np.ndarray:
        time_F = stage.frame_times(self.seconds, fps)
        video = self.stage.frames(len(time_F), size)
        x_F, y_F, lean_F = self.path(time_F)
        if self.thing == "pendulum":
            self._paint_thread(video, x_F * size, y_F * size)
        turn = lean_F[:, None, None].astype(np.float32)
        cos, sin = np.cos(turn) / size, np.sin(turn) / size

        def brush(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            u, v = dx * cos + dy * sin, dy * cos - dx * sin
            rgb, distance = self._body(u, v)
            return rgb, paint.cover(distance * size)

        reach = tuple(part * size + 1 for part in _REACH[self.thing])
        paint.stamp(video, x_F * size, y_F * size, reach, brush)
        return paint.lit(video, self.stage.light)

    def _body(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """RGB, and signed distance to the thing's edge; all in frame widths from its middle."""
        if self.thing in ("ball", "pendulum"):
            rgb, _ = surfaces.surface(self.material, u / 0.12, v / 0.12, self.phase)
            return rgb, paint.disc(u, v, 0.12)
        if self.thing == "cloud":
            lumps = [paint.disc(u - x, v + y, r) for x, y, r in _LUMPS]
            return np.float32((244, 246, 250)), np.minimum.reduce(lumps)
        if self.thing == "leaf":
            return np.float32(self.colour), (np.hypot(u / 2.4, v) - 0.035) * 1.5
        string = paint.box(u, v - 0.19, 0.006, 0.07)
        balloon = (np.hypot(u, v * 0.85) - 0.1) * 1.05
        glint = np.exp(-(np.square(u + 0.035) + np.square(v + 0.04)) / 8e-4)[..., None]
        return np.float32(self.colour) + 120 * glint, np.minimum(balloon, string)

    def _paint_thread(self, video: np.ndarray, x_F: np.ndarray, y_F: np.ndarray) -> None:
        size = video.shape[1]
        away_F = x_F - size / 2
        ends = away_F[:, None, None].astype(np.float32), y_F[:, None, None].astype(np.float32)

        def thread(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            edge = paint.capsule(dx + ends[0] / 2, dy + ends[1] / 2, *ends, 0.01 * size)
            return np.float32((50, 46, 44)), paint.cover(edge)

        reach = np.abs(away_F).max() / 2 + 2, y_F.max() / 2 + 2
        paint.stamp(video, size / 2 + away_F / 2, y_F / 2, reach, thread)


_LUMPS = ((0, 0, 0.1), (-0.11, -0.03, 0.07), (0.11, -0.03, 0.08))  # x, height and radius


def draw(draws: Draws, seconds: float) -> Silence:
    """A thing, and how it moves."""
    room = stage.draw(draws, GROUND)
    thing = draws.choice("thing", tuple(PHRASES))
    full = ("silence", "no sound", f"{PHRASES[thing]}, in silence")
    return Silence(
        seconds=seconds,
        stage=room,
        thing=thing,
        colour=_COLOURS[draws.choice("colour", range(len(_COLOURS)))],
        material=draws.choice("material", tuple(MATERIALS)),
        phase=draws.uniform("phase", 0, 2 * np.pi),
        pace=draws.uniform("pace", 1.5, 4.0),
        place=draws.uniform("place", 0.25, 0.75),
        wording=Wording(full=draws.choice("caption", full), short="silence", sound_only="silence"),
    )
