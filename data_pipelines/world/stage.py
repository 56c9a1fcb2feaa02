"""The room a scene plays in: wall, ground, light, and where the camera stands."""

import dataclasses

import numpy as np

from data_pipelines.world import paint
from data_pipelines.world.draws import Draws

_WALLS = ((142, 166, 196), (200, 184, 150), (150, 186, 156), (204, 170, 178), (112, 124, 150))
_GROUNDS = ((104, 78, 60), (70, 76, 92), (86, 104, 80), (128, 104, 120))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """Colours RGB; `shift` (x, y) in fractions of the frame; `horizon` where the ground begins."""

    wall: tuple[int, int, int]
    ground: tuple[int, int, int]
    light: float
    shift: tuple[float, float]
    horizon: float

    def frames(self, count: int, size: int) -> np.ndarray:
        """uint8[count,S,S,3]: the empty room, writable."""
        y = (np.arange(size, dtype=np.float32) + 0.5) / size
        wall = np.asarray(self.wall) * (1.06 - 0.16 * y[:, None])
        ground = np.asarray(self.ground) * (1.15 - 0.3 * np.clip(y - self.horizon, 0, 1)[:, None])
        edge = paint.cover((self.horizon - y) * size)[:, None]
        rows = (wall + edge * (ground - wall)).astype(np.uint8)
        return np.tile(rows[None, :, None, :], (count, 1, size, 1))


def draw(draws: Draws, horizon: float) -> Stage:
    """A room whose ground begins about `horizon` (fraction of the frame from the top)."""
    shift = (draws.uniform("camera.x", -0.03, 0.03), draws.uniform("camera.y", -0.02, 0.02))
    return Stage(
        wall=_WALLS[draws.choice("stage.wall", range(len(_WALLS)))],
        ground=_GROUNDS[draws.choice("stage.ground", range(len(_GROUNDS)))],
        light=draws.uniform("stage.light", 0.85, 1.1),
        shift=shift,
        horizon=horizon + shift[1],
    )


def frame_times(seconds: float, fps: int) -> np.ndarray:
    """float64[F]: the time each frame shows."""
    return np.arange(round(seconds * fps)) / fps
