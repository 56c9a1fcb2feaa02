"""Damage done to video on its way: what a tokenizer should see through.

Shape, dtype and the time of what happens never change; severity 0 changes nothing. Blur and loss of
resolution are linear along each axis, so they are one matrix product per axis.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from data_pipelines.world import coding, distortion

_NOISE_FRAMES = 8
_SHEET_PIXELS = 2**25


def degrade(video: np.ndarray, kind: str, severity: float, rng: np.random.Generator) -> np.ndarray:
    """uint8[F,H,W,3], a new array: `video` with one of `KINDS` at `severity` 0..1."""
    return _DAMAGE[kind](video, float(severity), rng)


def _noise(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian of deviation 60 severity; a few frames of it, moved about, pass for many."""
    frames, height, width, channels = video.shape
    pool = rng.standard_normal((_NOISE_FRAMES, height * width * channels), np.float32)
    pool = (pool * (60 * severity)).astype(np.int16)
    out = video.reshape(frames, -1).astype(np.int16)
    shifts = rng.integers(pool.shape[1], size=frames)
    for frame, which in enumerate(rng.integers(_NOISE_FRAMES, size=frames)):
        split = shifts[frame]
        out[frame, : len(out[frame]) - split] += pool[which, split:]
        out[frame, len(out[frame]) - split :] += pool[which, :split]
    return np.clip(out, 0, 255).astype(np.uint8).reshape(video.shape)


def _blur(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian of deviation 4 severity pixels."""

    def kernel(size: int) -> np.ndarray:
        apart = np.arange(size)[:, None] - np.arange(size)
        weights = np.exp(-0.5 * np.square(apart / max(4 * severity, 1e-3)))
        weights[weights < 1e-4] = 0  # denormal numbers would be ten times slower
        return weights / weights.sum(axis=1, keepdims=True)

    return _separable(video, kernel)


def _low_resolution(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Means over square cells of side 1 + 7 severity."""

    def kernel(size: int) -> np.ndarray:
        cell = (np.arange(size) // (1 + 7 * severity)).astype(int)
        same = (cell[:, None] == cell).astype(np.float64)
        return same / same.sum(axis=1, keepdims=True)

    return _separable(video, kernel)


def _separable(video: np.ndarray, kernel: Callable[[int], np.ndarray]) -> np.ndarray:
    """Both axes of each frame times `kernel(size)` float[size,size]."""
    frames, height, width, channels = video.shape
    rows = kernel(height).astype(np.float32)
    columns = np.kron(kernel(width).T, np.eye(channels)).astype(np.float32)
    flat = video.reshape(frames * height, width * channels).astype(np.float32) @ columns
    out = rows @ flat.reshape(frames, height, width * channels)
    return np.clip(out + 0.5, 0, 255).astype(np.uint8).reshape(video.shape)


def _jpeg(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Quality 40 - 38 severity; frames are coded side by side, padded to whole blocks."""
    if severity == 0:
        return video.copy()
    frames, height, width, channels = video.shape
    tall, wide = -height % 16, -width % 16
    padded = np.pad(video, ((0, 0), (0, tall), (0, wide), (0, 0)), mode="edge")
    limit = max(1, min(_SHEET_PIXELS // padded[0].size, 65000 // padded.shape[1]))
    out = np.empty_like(padded)
    for first in range(0, frames, limit):
        part = padded[first : first + limit]
        sheet, file = Image.fromarray(part.reshape(-1, *part.shape[2:])), io.BytesIO()
        sheet.save(file, "JPEG", quality=round(40 - 38 * severity))
        out[first : first + limit] = np.asarray(Image.open(file)).reshape(part.shape)
    return np.ascontiguousarray(out[:, :height, :width, :channels])


def _frame_drop(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Each frame but the first repeats the one shown before it with probability .7 severity."""
    kept = rng.uniform(size=len(video)) >= 0.7 * severity
    kept[0] = True
    return video[np.maximum.accumulate(np.where(kept, np.arange(len(video)), 0))]


def _freeze(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """A run of half the clip times severity stands still."""
    length = round(0.5 * severity * len(video))
    first = int(rng.integers(len(video) - length + 1))
    shown = np.arange(len(video))
    shown[first : first + length] = first
    return video[shown]


def _slow_frames(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """As if of 25 / (1 + 2.125 severity) frames a second: 8 at the end."""
    step = 1 + 2.125 * severity
    frame_F = np.arange(len(video))
    return video[(np.floor(frame_F / step) * step).astype(int)]


def _interlacing(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Every other row is of the frame before, the more so the severer."""
    out = video.copy()
    weight = np.float32(severity)
    before, now = (rows.astype(np.float32) for rows in (video[:-1, 1::2], video[1:, 1::2]))
    out[1:, 1::2] = now + weight * (before - now) + 0.49
    return out


def _exposure(video: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Too bright or too dark: gamma 2^(+-1.5 severity)."""
    sign = rng.choice((-1, 1))
    levels = 255 * (np.arange(256) / 255) ** (2.0 ** (sign * 1.5 * severity))
    return np.rint(levels).astype(np.uint8)[video]


_DAMAGE = {
    "noise": _noise,
    "blur": _blur,
    "low_resolution": _low_resolution,
    "jpeg": _jpeg,
    "frame_drop": _frame_drop,
    "freeze": _freeze,
    "slow_frames": _slow_frames,
    "interlacing": _interlacing,
    "exposure": _exposure,
    "letterbox": distortion.letterbox,
    "logo": distortion.logo,
    "shake": distortion.shake,
    "warp": distortion.warp,
    "compression": coding.compression,
    "starvation": coding.starvation,
    "packet_loss": coding.packet_loss,
}
KINDS = tuple(_DAMAGE)
