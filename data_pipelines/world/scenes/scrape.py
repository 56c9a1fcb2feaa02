"""A stick is drawn to and fro over a board: x = A sin, louder and brighter the faster it goes."""

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

LABELS = ("scrape",)
BOARDS = ("wood", "metal", "glass", "ceramic", "plastic", "stone")
GROUND = 0.86
TOP = 0.64  # of the board, from the top of the frame
BOARD = (0.44, 0.09)  # half width and half height, of the frame
FAST, SLOW = 0.9, 1.5  # s: periods below and above which a caption says so
_REST = 60.0  # 1/s: the stick that lies on it damps the board
_ROUGH = 0.4
_GAIN = 0.06


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scrape(Scene):
    """A stick that swings by `reach` (frame widths) within `period` s from `start` on.

    `texture` is the seed of the board's.
    """

    seconds: float
    stage: stage.Stage
    material: str
    size: float
    jitter: np.ndarray
    grain: float
    texture: int
    start: float
    period: float
    reach: float
    wording: Wording
    labels: ClassVar[tuple[str, ...]] = LABELS

    @property
    def events(self) -> tuple[Event, ...]:
        return (
            Event(
                time=self.start,
                end=self.seconds,
                kind="scrape",
                material=self.material,
                f1=float(self._modes()[0][0]),
                x=0.5 + self.stage.shift[0],
                y=TOP + self.stage.shift[1],
            ),
        )

    @property
    def curves(self) -> Mapping[str, Curve]:
        """`speed` of the stick, frame widths a second."""
        return {"speed": Curve(values=np.abs(self.tip(curves.times(self.seconds))[1]))}

    @property
    def marks(self) -> Mapping[str, np.ndarray]:
        """`reversals`: when the stick turns."""
        return {"reversals": np.arange(self.start + self.period / 2, self.seconds, self.period / 2)}

    def tip(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Place (frame widths from the board's middle) and velocity (1/s) of the stick's tip."""
        turn = 2 * np.pi / self.period
        phase = turn * np.maximum(time - self.start, 0)
        return -self.reach * np.cos(phase), self.reach * turn * np.sin(phase)

    def sound(self, sample_rate: int, noise: np.random.Generator) -> np.ndarray:
        time_N = np.arange(round(self.seconds * sample_rate)) / sample_rate
        place_N, speed_N = self.tip(time_N)
        texture = friction.texture(np.random.default_rng(self.texture), _ROUGH)
        return _GAIN * friction.rubbed(texture, place_N, speed_N, self._modes(), sample_rate)

    def _modes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        frequency, decay, amplitude = MATERIALS[self.material].modes(self.size, self.jitter)
        return frequency, decay + _REST, amplitude

    def picture(self, fps: int, size: int) -> np.ndarray:
        time_F = stage.frame_times(self.seconds, fps)
        room = self.stage.frames(1, size)
        x, top = 0.5 + self.stage.shift[0], TOP + self.stage.shift[1]
        half_x, half_y = BOARD[0] * size, BOARD[1] * self.size * size

        def board(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            rgb, opacity = surfaces.surface(self.material, dx / half_x, dy / half_y, self.grain)
            return rgb, opacity * paint.cover(paint.box(dx, dy, half_x, half_y))

        at = np.array([x * size]), np.array([top * size + half_y])
        paint.stamp(room, *at, (half_x, half_y), board)
        video = np.repeat(room, len(time_F), axis=0)
        self._paint_stick(video, (x + self.tip(time_F)[0]) * size, top * size)
        return paint.lit(video, self.stage.light)

    def _paint_stick(self, video: np.ndarray, x_F: np.ndarray, top: float) -> None:
        size = video.shape[1]
        end_x, end_y, radius = 0.16 * size, -0.4 * size, 0.028 * size

        def stick(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            dx, dy = dx + end_x / 2, dy + end_y / 2
            near_tip = paint.cover(-dy - 0.1 * size)[..., None].astype(np.float32)
            red, dark = np.float32((226, 30, 36)), np.float32((60, 40, 30))
            return dark + near_tip * (red - dark), paint.cover(
                paint.capsule(dx, dy, end_x, end_y, radius)
            )

        y_F = np.full(len(video), top - radius)
        reach = end_x / 2 + radius + 1, -end_y / 2 + radius + 1
        paint.stamp(video, x_F + end_x / 2, y_F + end_y / 2, reach, stick)


def draw(draws: Draws, seconds: float) -> Scrape:
    """A board, and how far and how fast the stick goes."""
    room = stage.draw(draws, GROUND)
    material = draws.choice("material", BOARDS)
    period = draws.uniform("period", 0.7, 2.2, beyond=(0.5, 0.65))
    return Scrape(
        seconds=seconds,
        stage=room,
        material=material,
        size=draws.uniform("size", 0.7, 1.4),
        jitter=draws.stream("jitter").uniform(0.99, 1.01, 8),
        grain=draws.uniform("grain", 0, 2 * np.pi),
        texture=int(draws.stream("texture").integers(2**31)),
        start=draws.uniform("start", 0.0, 0.3),
        period=period,
        reach=draws.uniform("reach", 0.2, 0.36),
        wording=_wording(draws, draws.told("material", material, BOARDS), period),
    )


def _wording(draws: Draws, material: str, period: float) -> Wording:
    board = MATERIALS[material].adjective + " board"
    pace = " fast" if period < FAST else " slowly" if period > SLOW else ""
    full = (
        f"a stick scrapes a {board}{pace}",
        f"a stick is drawn{pace} over a {board}",
        f"scraping{pace} to and fro on a {board}",
    )
    return Wording(
        full=draws.choice("caption", full),
        short=f"scraped {board}",
        sound_only=f"a{pace.removesuffix('ly')} scraping sound on {material}",
    )
