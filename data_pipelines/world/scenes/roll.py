"""A ball rolls down a ramp, or to and fro in a trough; the rumble follows its speed."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from data_pipelines.world import curves, friction, paint, stage, surfaces
from data_pipelines.world.curves import Curve
from data_pipelines.world.draws import Draws
from data_pipelines.world.materials import MATERIALS
from data_pipelines.world.scenes import Scene, Wording
from v2a_jax.types import Event

LABELS = ("roll",)
BALLS = ("wood", "metal", "glass", "plastic", "rubber")
GROUND = 0.9
RADIUS = 0.1  # of the frame, at size 1
RAMP = (0.5, 0.42)  # height of its left end from the top, and how far it falls over the frame
TROUGH = (0.02, 0.74)  # height of its centre from the top, and its radius, of the frame
_TRACK = (146, 104, 62)
_EDGE = (70, 44, 24)
_BOARD = dataclasses.replace(MATERIALS["wood"], fundamental=140)
_REST = 40.0  # 1/s: the track damps what lies on it
_ROUGH = 0.7
_BOARD_SHARE, _GAIN = 0.7, 0.04


@dataclasses.dataclass(frozen=True, kw_only=True)
class Roll(Scene):
    """A ball let go at `start`: down the ramp in `pace` s, or with swings of `pace` s.

    `swing` is its first angle in the trough; `texture` is the seed of the track's.
    """

    seconds: float
    stage: stage.Stage
    material: str
    size: float
    jitter: np.ndarray
    grain: float
    texture: int
    track: str
    start: float
    pace: float
    swing: float
    wording: Wording
    labels: ClassVar[tuple[str, ...]] = LABELS

    @property
    def events(self) -> tuple[Event, ...]:
        on_ramp = self.start + self.pace if self.track == "ramp" else self.seconds
        x, y = (float(place[0]) for place in self.ball(np.array([self.start]))[:2])
        return (
            Event(
                time=self.start,
                end=min(on_ramp, self.seconds),
                kind="roll",
                material=self.material,
                f1=float(MATERIALS[self.material].modes(self.size, self.jitter)[0][0]),
                x=x,
                y=y,
            ),
        )

    @property
    def curves(self) -> Mapping[str, Curve]:
        """`speed` of the ball, frame widths a second."""
        return {"speed": Curve(values=np.abs(self.along(curves.times(self.seconds))[1]))}

    @property
    def _radius(self) -> float:
        return RADIUS * self.size

    @property
    def _arc(self) -> float:
        """Radius of the ball's path in the trough."""
        return TROUGH[1] - self._radius

    def along(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Way along the track (frame widths) and velocity (1/s); out of sight the ball lies still.

        On the ramp the way is a t^2 / 2; in the trough it is that of a damped pendulum.
        """
        age = np.maximum(time - self.start, 0)
        if self.track == "ramp":
            whole = np.hypot(1, RAMP[1])
            pull, rolling = 2 * whole / self.pace**2, age < self.pace
            return np.where(rolling, pull * age**2 / 2, whole), np.where(rolling, pull * age, 0)
        turn, loss = 2 * np.pi / self.pace, 0.12
        size = self._arc * self.swing * np.exp(-loss * age)
        way = -size * (np.cos(turn * age) + loss / turn * np.sin(turn * age))
        return way, size * (turn + loss**2 / turn) * np.sin(turn * age)

    def ball(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x and y of its middle (fractions of the frame), and how far it has turned (rad)."""
        way, _ = self.along(time)
        if self.track == "ramp":
            length = np.hypot(1, RAMP[1])
            x = self._radius + way / length
            up = self._radius * length
            return x, RAMP[0] + RAMP[1] * x - up, way / self._radius
        angle = way / self._arc
        x = 0.5 + self._arc * np.sin(angle)
        return x, TROUGH[0] + self._arc * np.cos(angle), way / self._radius

    def sound(self, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        time_N = np.arange(round(self.seconds * sample_rate)) / sample_rate
        place_N, speed_N = self.along(time_N)
        bank = MATERIALS[self.material].modes(self.size, self.jitter)
        board = _BOARD.modes(1.0, np.ones(8))
        texture = friction.texture(np.random.default_rng(self.texture), _ROUGH)
        ball_N, board_N = (
            friction.rubbed(texture, place_N, speed_N, _damped(modes), sample_rate)
            for modes in (bank, board)
        )
        return _GAIN * (ball_N + _BOARD_SHARE * board_N)

    def picture(self, fps: int, size: int) -> np.ndarray:
        time_F = stage.frame_times(self.seconds, fps)
        room = self.stage.frames(1, size)
        paint.stamp(room, np.array([size / 2]), np.array([size / 2]), (size, size), self._ground)
        video = np.repeat(room, len(time_F), axis=0)
        x_F, y_F, turn_F = self.ball(time_F)
        radius = self._radius * size
        cos, sin = (f(turn_F)[:, None, None].astype(np.float32) / radius for f in (np.cos, np.sin))

        def brush(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            u, v = dx * cos + dy * sin, dy * cos - dx * sin
            rgb, opacity = surfaces.surface(self.material, u, v, self.grain)
            stripe = np.clip(3 - 14 * np.abs(v), 0, 1)[..., None]
            return rgb * (1 - 0.85 * stripe), opacity * paint.cover(paint.disc(dx, dy, radius))

        paint.stamp(video, x_F * size, y_F * size, (radius, radius), brush)
        return paint.lit(video, self.stage.light)

    def _ground(self, dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The track on a patch around the middle of a frame as wide as the patch."""
        size = dx.shape[-1]
        x, y = dx / size + 0.5, dy / size + 0.5
        if self.track == "ramp":
            above = (RAMP[0] + RAMP[1] * x - y) / np.hypot(1, RAMP[1])
        else:
            above = TROUGH[1] - np.hypot(x - 0.5, y - TROUGH[0])
            above = np.maximum(above, 0.36 - y)
        edge = paint.cover((-above - 0.03) * size)[..., None].astype(np.float32)
        rgb = np.float32(_TRACK) + edge * (np.float32(_EDGE) - np.float32(_TRACK))
        return rgb, paint.cover(above * size)


def _damped(
    modes: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return modes[0], modes[1] + _REST, modes[2]


def draw(draws: Draws, seconds: float) -> Roll:
    """A ball, its track, and how fast it goes."""
    room = stage.draw(draws, GROUND)
    material = draws.choice("material", BALLS)
    track = draws.choice("track", ("ramp", "trough"))
    start = draws.uniform("start", 0.0, 0.3)
    ramp = draws.uniform("ramp", 0.55, 0.95) * (seconds - start)
    swing = draws.uniform("swing.time", 1.1, 2.0)
    return Roll(
        seconds=seconds,
        stage=room,
        material=material,
        size=draws.uniform("size", 0.7, 1.3, beyond=(1.4, 1.6)),
        jitter=draws.stream("jitter").uniform(0.99, 1.01, 8),
        grain=draws.uniform("grain", 0, 2 * np.pi),
        texture=int(draws.stream("texture").integers(2**31)),
        track=track,
        start=start,
        pace=ramp if track == "ramp" else swing,
        swing=draws.uniform("swing", 0.45, 0.75),
        wording=_wording(draws, draws.told("material", material, BALLS), track),
    )


def _wording(draws: Draws, material: str, track: str) -> Wording:
    ball = MATERIALS[material].adjective + " ball"
    how = "down a ramp" if track == "ramp" else "to and fro in a trough"
    full = (f"a {ball} rolls {how}", f"a {ball} is rolling {how}", f"the rumble of a {ball}, {how}")
    rumble = "a rumble that grows" if track == "ramp" else "a rumble that comes and goes"
    return Wording(
        full=draws.choice("caption", full),
        short=f"{ball} rolling",
        sound_only=f"{rumble}, {material} on wood",
    )
