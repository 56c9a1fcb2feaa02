"""Painting on frames: anti-aliased shapes given by signed distance, a whole clip at a time.

Positions are pixels, pixel (row, column) has its centre at (row + .5, column + .5). A shape covers
the part clip(.5 - distance, 0, 1) of a pixel, so that motion far below one pixel shows.
"""

from collections.abc import Callable

import numpy as np

# (dx, dy) in pixels from the middle of a patch -> RGB[..., 3], coverage[...]
Brush = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]  # coverage alone


def cover(distance: np.ndarray) -> np.ndarray:
    """Part of a pixel inside a shape whose edge is `distance` pixels away (negative inside)."""
    return np.clip(0.5 - distance, 0, 1)


def disc(dx: np.ndarray, dy: np.ndarray, radius: float) -> np.ndarray:
    """Signed distance to a disc."""
    return np.hypot(dx, dy) - radius


def box(dx: np.ndarray, dy: np.ndarray, half_x: float, half_y: float) -> np.ndarray:
    """Signed distance to a box (exact inside and beside its edges)."""
    return np.maximum(np.abs(dx) - half_x, np.abs(dy) - half_y)


def capsule(
    dx: np.ndarray, dy: np.ndarray, end_x: float, end_y: float, radius: float
) -> np.ndarray:
    """Signed distance to a thick stroke from the origin to (end_x, end_y)."""
    along = (dx * end_x + dy * end_y) / (end_x**2 + end_y**2)
    along = np.clip(along, 0, 1)
    return np.hypot(dx - along * end_x, dy - along * end_y) - radius


def stamp(
    video: np.ndarray, x_F: np.ndarray, y_F: np.ndarray, reach: tuple[float, float], brush: Brush
) -> None:
    """Paints on each frame of `video` uint8[F,H,W,3], in place.

    `brush` is called once, on patches around (x_F, y_F) that extend at least `reach` (x, y) pixels.
    """
    _, height, width, _ = video.shape
    cols_FP = _window(x_F, reach[0], width)
    rows_FP = _window(y_F, reach[1], height)
    dx = (cols_FP + 0.5 - x_F[:, None])[:, None, :].astype(np.float32)
    dy = (rows_FP + 0.5 - y_F[:, None])[:, :, None].astype(np.float32)
    rgb, alpha = brush(dx, dy)
    windows = [
        video[k, row : row + rows_FP.shape[1], col : col + cols_FP.shape[1]]
        for k, (row, col) in enumerate(zip(rows_FP[:, 0], cols_FP[:, 0], strict=True))
    ]
    patch = np.stack(windows)
    for channel in range(3):  # by itself: arrays whose last axis has length 3 are slow
        below = patch[..., channel].astype(np.float32)
        above = np.clip(rgb[..., channel], 0, 255)
        patch[..., channel] = below + alpha * (above - below) + 0.49
    for window, painted in zip(windows, patch, strict=True):
        window[:] = painted


def dab(
    video: np.ndarray,
    frame_P: np.ndarray,
    pixel_P: np.ndarray,
    rgb: np.ndarray,
    weight_P: np.ndarray,
) -> None:
    """Paints single pixels of `video` uint8[F,H,W,3], in place; `pixel_P` counts along the rows.

    Cheaper than a stamp where little of a patch is covered. No pixel may be named twice.
    """
    pixels = video.reshape(len(video), -1, 3)
    below = pixels[frame_P, pixel_P].astype(np.float32)
    pixels[frame_P, pixel_P] = below + weight_P[:, None] * (rgb - below) + 0.49


def _window(middle_F: np.ndarray, reach: float, limit: int) -> np.ndarray:
    """int[F,P]: pixels around each middle, moved inside the frame where they would leave it."""
    length = min(2 * int(np.ceil(reach)) + 3, limit)
    first_F = np.clip(np.floor(middle_F).astype(int) - length // 2, 0, limit - length)
    return first_F[:, None] + np.arange(length)


def lit(video: np.ndarray, light: float) -> np.ndarray:
    """uint8[...]: brightness times `light`."""
    table = np.clip(np.arange(256) * light + 0.5, 0, 255).astype(np.uint8)
    # Several times as quick as an index array.
    return np.frombuffer(bytearray(video.data).translate(table), np.uint8).reshape(video.shape)
