"""Damage to where things are in the frame: a shaking camera, warped pictures, bars, a logo."""

import numpy as np

from data_pipelines.world import paint

_SHAKE = 0.08  # of the frame, at severity 1
_WARP = 0.06
_BARS = 0.35  # of the height that bars take
_WAVES = 4  # sines that a warp is the sum of


def shake(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """The whole picture moves about; its edges are drawn out."""
    frames, height, width, _ = video.shape
    time_F = np.arange(frames)[:, None]
    pace, phase = rng.uniform(0.4, 1.6, (2, 3)), rng.uniform(0, 2 * np.pi, (2, 3))
    across_F, down_F = (
        np.sin(time_F * pace[k] + phase[k]).mean(axis=1) * _SHAKE * severity for k in (0, 1)
    )
    rows = np.arange(height) + np.rint(down_F * height).astype(int)[:, None]
    columns = np.arange(width) + np.rint(across_F * width).astype(int)[:, None]
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    return video[np.arange(frames)[:, None, None], rows[:, :, None], columns[:, None, :]]


def warp(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Shapes flow and bend slowly, as in generated video: a smooth field of displacements."""
    frames, height, width, _ = video.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    time_F = np.arange(frames, dtype=np.float32)[:, None, None]
    moved = []
    for place in (y, x):
        shift = np.zeros((frames, height, width), np.float32)
        for _ in range(_WAVES):
            turns, pace = rng.uniform(0.5, 2.0, 2), rng.uniform(0.05, 0.25)
            wave = 2 * np.pi * (turns[0] * x / width + turns[1] * y / height + rng.uniform())
            # sin(a + b) by its parts: the field is as costly as two products
            shift += np.sin(wave) * np.cos(pace * time_F) + np.cos(wave) * np.sin(pace * time_F)
        shift *= _WARP * severity * height / _WAVES
        limit = (height if place is y else width) - 1
        moved.append(np.clip(np.rint(place + shift), 0, limit).astype(np.intp))
    return video[np.arange(frames)[:, None, None], *moved]


def letterbox(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Squeezed between black bars that take .35 severity of the height."""
    height = video.shape[1]
    inner = round(height * (1 - _BARS * severity))
    top = (height - inner) // 2
    place = (np.arange(inner) + 0.5) * height / inner - 0.5
    first = np.clip(np.floor(place).astype(int), 0, height - 2)
    part = np.clip(place - first, 0, 1).astype(np.float32)[:, None, None]
    out = np.zeros_like(video)
    out[:, top : top + inner] = (
        video[:, first] * (1 - part) + video[:, first + 1] * part + 0.5
    ).astype(np.uint8)
    return out


def logo(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """A mark as stations and stock libraries lay over a picture: a ring around a bar."""
    size = video.shape[1]
    x, y = rng.uniform(0.25, 0.75, 2) * (video.shape[2], size)
    dy, dx = np.mgrid[:size, : video.shape[2]] + 0.5 - np.array([y, x])[:, None, None]
    ring = np.abs(np.hypot(dx, dy) - 0.2 * size) - 0.03 * size
    bar = paint.box(dx, dy, 0.15 * size, 0.035 * size)
    weight = (0.85 * severity * paint.cover(np.minimum(ring, bar)))[..., None].astype(np.float32)
    return (video + weight * (255 - video.astype(np.float32)) + 0.5 * (weight > 0)).astype(np.uint8)
