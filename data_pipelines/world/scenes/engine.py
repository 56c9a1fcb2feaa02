"""An engine: a wheel with one red spoke of three turns as fast as the engine sounds.

Its pitch is 40 times the turns a second: harmonics as 1 / h^.8, every second firing a little
stronger, and a burst of noise with each firing.
"""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from scipy import signal

from data_pipelines.world import curves, paint, stage
from data_pipelines.world.curves import Curve
from data_pipelines.world.draws import Draws
from data_pipelines.world.scenes import Scene, Wording
from v2a_jax.types import Event

LABELS = ("engine",)
COURSES = ("idles", "revs up", "slows down", "revs up and slows down")
FIRINGS = 40  # a turn
TURNS = (0.8, 4.5)  # a second: a spoke stays below half the frame rate
GROUND = 0.84
WHEEL = (0.5, 0.5, 0.36)  # x, y and radius, of the frame
_BODIES = ((92, 104, 122), (122, 92, 72), (84, 110, 88), (116, 116, 80))
_TYRE, _DISC = np.float32((34, 34, 40)), np.float32((196, 196, 190))
_RED, _GREY = np.float32((228, 24, 30)), np.float32((74, 78, 88))
_HARMONICS = 15
_UNEVEN = 0.1  # by how much every second firing differs
_BURST = 0.05
_TABLE = 2**14
_GAIN = 0.15


@dataclasses.dataclass(frozen=True, kw_only=True)
class Engine(Scene):
    """Turns a second as a curve; `angle` of the red spoke at time 0, `way` it turns (+1, -1)."""

    seconds: float
    stage: stage.Stage
    body: tuple[int, int, int]
    turns: Curve
    angle: float
    way: int
    phases: np.ndarray
    wording: Wording
    labels: ClassVar[tuple[str, ...]] = LABELS

    @property
    def events(self) -> tuple[Event, ...]:
        return (
            Event(
                time=0.0,
                end=self.seconds,
                kind="engine",
                strength=float(np.mean(self.turns.values) / TURNS[1]),
                f1=float(FIRINGS * self.turns.values[0]),
                x=WHEEL[0] + self.stage.shift[0],
                y=WHEEL[1] + self.stage.shift[1],
            ),
        )

    @property
    def curves(self) -> Mapping[str, Curve]:
        """`f_rot`, turns a second, and `f0`, the pitch in Hz."""
        return {"f_rot": self.turns, "f0": Curve(values=FIRINGS * self.turns.values)}

    def spoke(self, time: np.ndarray) -> np.ndarray:
        """Angle (rad, clockwise from the right) of the red spoke."""
        return self.angle + self.way * 2 * np.pi * self.turns.integral(time)

    def sound(self, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        time_N = np.arange(round(self.seconds * sample_rate)) / sample_rate
        firing_N = FIRINGS * self.turns.integral(time_N)
        place_N = ((firing_N / 2) % 1 * _TABLE).astype(int)
        tone_P, burst_P = self._two_firings()
        level_N = np.sqrt(self.turns.at(time_N) / TURNS[1])
        band = signal.butter(1, (300, 3000), "bandpass", fs=sample_rate, output="sos")
        hiss_N = signal.sosfilt(band, noise.standard_normal(len(time_N)))
        hiss_N *= np.sqrt(sample_rate / 16000)
        return _GAIN * level_N * (tone_P[place_N] + _BURST * burst_P[place_N] * hiss_N)

    def _two_firings(self) -> tuple[np.ndarray, np.ndarray]:
        """float64[P] each: the tone, of RMS 1, and the noise's level, over two firings."""
        phase_P = 4 * np.pi * np.arange(_TABLE) / _TABLE
        h = np.arange(1, _HARMONICS + 1)[:, None]
        tone_P = np.sum(np.sin(h * phase_P + self.phases[:, None]) / h**0.8, axis=0)
        tone_P *= 1 + _UNEVEN * np.cos(phase_P / 2)
        return tone_P / tone_P.std(), 8 * np.exp(-8 * (phase_P / (2 * np.pi) % 1))

    def picture(self, fps: int, size: int) -> np.ndarray:
        time_F = stage.frame_times(self.seconds, fps)
        room = self.stage.frames(1, size)
        x, y = ((WHEEL[k] + self.stage.shift[k]) * size for k in (0, 1))
        radius = WHEEL[2] * size
        at = np.array([x]), np.array([y])
        paint.stamp(room, *at, (0.45 * size, 0.45 * size), self._still(radius, size))
        video = np.repeat(room, len(time_F), axis=0)
        self._paint_spokes(video, (x, y), 0.84 * radius, self.spoke(time_F))
        return paint.lit(video, self.stage.light)

    def _still(self, radius: float, size: int) -> paint.Brush:
        """The engine's body, and the wheel without its spokes."""

        def brush(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            body = paint.cover(paint.box(dx, dy - 0.16 * size, 0.44 * size, 0.2 * size))
            tyre = paint.cover(paint.disc(dx, dy, radius))[..., None]
            disc = paint.cover(paint.disc(dx, dy, 0.84 * radius))[..., None]
            rgb = np.float32(self.body) + tyre * (_TYRE - np.float32(self.body))
            return rgb + disc * (_DISC - rgb), np.maximum(body, tyre[..., 0])

        return brush

    def _paint_spokes(
        self, video: np.ndarray, at: tuple[float, float], radius: float, angle_F: np.ndarray
    ) -> None:
        size = video.shape[1]
        x, y = np.meshgrid(np.arange(size) + 0.5 - at[0], np.arange(size) + 0.5 - at[1])
        away, direction = np.hypot(x, y).ravel(), np.arctan2(y, x).ravel()
        within = np.flatnonzero(away < radius)
        angle_F = (angle_F % (2 * np.pi)).astype(np.float32)
        turned = direction[within].astype(np.float32) - angle_F[:, None]
        third = np.float32(2 * np.pi / 3)
        which = np.rint(turned / third)
        red = (which == 0) | (which == -3)
        across = away[within].astype(np.float32) * np.abs(turned - which * third)
        half = np.float32(0.085 * radius)
        inside = paint.cover(across - np.where(red, 2 * half, half))
        frame_P, place_P = np.nonzero(inside)
        rgb = np.where(red[frame_P, place_P, None], _RED, _GREY)
        paint.dab(video, frame_P, within[place_P], rgb, inside[frame_P, place_P])


def draw(draws: Draws, seconds: float) -> Engine:
    """How the engine runs, and its looks."""
    room = stage.draw(draws, GROUND)
    course = draws.choice("course", COURSES)
    return Engine(
        seconds=seconds,
        stage=room,
        body=_BODIES[draws.choice("body", range(len(_BODIES)))],
        turns=_turns(draws, course, seconds),
        angle=draws.uniform("angle", 0, 2 * np.pi),
        way=draws.choice("way", (1, -1)),
        phases=draws.stream("phases").uniform(0, 2 * np.pi, _HARMONICS),
        wording=_wording(draws, course),
    )


def _turns(draws: Draws, course: str, seconds: float) -> Curve:
    """Smooth between slow and fast; an idle engine keeps one speed, but for a slight unrest."""
    slow, fast = TURNS
    even = draws.uniform("speed", slow, 3.0, beyond=(3.2, 4.0))
    low = draws.uniform("slow", slow, 1.6)
    high = draws.uniform("fast", 2.6, fast, beyond=(fast, 5.0))
    shape = {
        "idles": even * np.array([1, 1.02, 0.98, 1.01, 1]),
        "revs up": np.array([low, low, high, high]),
        "slows down": np.array([high, high, low, low]),
        "revs up and slows down": np.array([low, high, high, low]),
    }[course]
    inner = np.sort(draws.stream("knots").uniform(0.15, 0.85, len(shape) - 2)) * seconds
    gap = 0.25 * seconds / len(shape)  # a change takes its time
    inner += gap * (np.arange(len(inner)) - (len(inner) - 1) / 2)
    return curves.through(seconds, np.concatenate([[0], inner, [seconds]]), shape)


def _wording(draws: Draws, course: str) -> Wording:
    full = (f"an engine {course}", f"the wheel turns as an engine {course}")
    return Wording(
        full=draws.choice("caption", full),
        short=f"engine {course}",
        sound_only={
            "idles": "a steady engine hum",
            "revs up": "a rising engine drone",
            "slows down": "a falling engine drone",
            "revs up and slows down": "an engine drone that rises and falls",
        }[course],
    )
