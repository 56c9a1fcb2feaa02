"""Faces: drawn once, but for the mouth, which moves, and the eyes, which blink."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from data_pipelines.world import paint
from data_pipelines.world.curves import Curve
from data_pipelines.world.speech.voices import Voice

_DARK, _TEETH, _TONGUE = (
    np.float32((38, 10, 16)),
    np.float32((250, 250, 244)),
    np.float32((206, 96, 96)),
)
_EYE = np.float32((30, 28, 40))
_MOUTH_Y = 0.2  # below the middle of the head, of a face of size 1 as all that follows
_MOUTH = (0.115, 0.022, 0.085)  # half width, half height of closed lips, and what opening adds
_EYES = (0.105, 0.07)  # from the middle of the head: to the side, and up


@dataclasses.dataclass(frozen=True, kw_only=True)
class Face:
    """The face of a voice, its head's middle at `x`, `y` (fractions of the frame)."""

    voice: Voice
    x: float
    y: float
    size: float

    def paint_still(self, room: np.ndarray) -> None:
        """The head on `room` uint8[1,S,S,3], mouth and eyes left out."""
        unit = self.size * room.shape[1]
        at = np.array([self.x * room.shape[2]]), np.array([self.y * room.shape[1]])
        paint.stamp(room, *at, (0.46 * unit, 0.75 * unit), self._head(unit))

    def _head(self, unit: float) -> paint.Brush:
        skin, hair, shirt = (
            np.float32(getattr(self.voice, name)) for name in ("skin", "hair", "shirt")
        )

        def brush(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            u, v = dx / unit, dy / unit
            down = 0.34 if self.voice.long else -0.06
            mane = (np.hypot(u, (v + 0.06) * 0.86) - 0.31) * unit
            fall = paint.box(u, v - down / 2, 0.31, 0.06 + down / 2) * unit
            layers = (
                (shirt, np.hypot(u / 1.1, v - 0.78) - 0.37),
                (hair, np.minimum(mane, fall) / unit),
                (skin, paint.box(u, v - 0.36, 0.08, 0.12)),
                (skin, np.hypot(u, v * 0.8) - 0.27),
                (hair, np.maximum(np.hypot(u, v * 0.8) - 0.27, v + 0.16)),
            )
            if self.voice.beard:
                layers += ((hair, np.maximum(np.hypot(u, v * 0.8) - 0.275, 0.1 - v)),)
            rgb, covered = np.zeros((*np.broadcast(u, v).shape, 3), np.float32), 0
            for colour, distance in layers:
                weight = paint.cover(distance * unit)[..., None]
                rgb, covered = rgb + weight * (colour - rgb), np.maximum(covered, weight[..., 0])
            return rgb, covered

        return brush

    def paint_moving(
        self, video: np.ndarray, time_F: np.ndarray, mouth: Mapping[str, Curve], blinks: np.ndarray
    ) -> None:
        """Mouth and eyes; `blinks` are the times (s) at which the eyes close for a moment."""
        height, width = video.shape[1:3]
        unit = self.size * height
        for side in (-1, 1):
            x = self.x * width + side * _EYES[0] * unit
            self._paint_eye(video, x, self.y * height - _EYES[1] * unit, time_F, blinks)
        shape = {name: curve.at(time_F)[:, None, None] for name, curve in mouth.items()}
        at = np.full(len(video), self.x * width), np.full(len(video), self.y * height)
        half_x, closed, opening = (unit * part for part in _MOUTH)
        reach = 1.2 * half_x + 1, closed + opening + 1
        paint.stamp(video, at[0], at[1] + _MOUTH_Y * unit, reach, self._lips(shape, unit))

    def _lips(self, shape: Mapping[str, np.ndarray], unit: float) -> paint.Brush:
        half_x, closed, opening = (unit * part for part in _MOUTH)
        wide = (half_x * (1 + 0.18 * shape["width"] - 0.06 * shape["aperture"])).astype(np.float32)
        inner = (opening * shape["aperture"]).astype(np.float32)
        outer = closed + inner
        lips = np.float32(self.voice.lips)
        teeth = (0.7 * shape["teeth"]).astype(np.float32)[..., None]
        tongue = (0.9 * shape["tongue"]).astype(np.float32)[..., None]

        def brush(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            hole = paint.cover(_ellipse(dx, dy, 0.84 * wide, np.maximum(inner, 0.05)))
            hole = (hole * np.minimum(1, 2 * inner))[..., None]
            upper = paint.cover(dy + 0.35 * inner)[..., None]
            lower = paint.cover(0.3 * inner - dy)[..., None]
            inside = _DARK + teeth * upper * (_TEETH - _DARK)
            inside = inside + tongue * lower * (_TONGUE - inside)
            return lips + hole * (inside - lips), paint.cover(_ellipse(dx, dy, wide, outer))

        return brush

    def _paint_eye(
        self, video: np.ndarray, x: float, y: float, time_F: np.ndarray, blinks: np.ndarray
    ) -> None:
        unit = self.size * video.shape[1]
        age_FB = np.abs(time_F[:, None] - blinks)
        open_F = np.clip(age_FB.min(axis=1, initial=1.0) / 0.07, 0.12, 1)[:, None, None]

        def brush(dx: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return _EYE, paint.cover(_ellipse(dx, dy, 0.034 * unit, 0.045 * unit * open_F))

        at = np.full(len(video), x), np.full(len(video), y)
        paint.stamp(video, *at, (0.04 * unit, 0.05 * unit), brush)


def _ellipse(
    dx: np.ndarray, dy: np.ndarray, half_x: np.ndarray | float, half_y: np.ndarray | float
) -> np.ndarray:
    """Distance to an ellipse, exact on its axes."""
    away = np.hypot(dx / half_x, dy / half_y)
    steep = np.hypot(dx / half_x**2, dy / half_y**2)
    return away * (away - 1) / np.maximum(steep, 1e-6)
