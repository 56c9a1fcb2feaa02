"""How materials look: RGB over a thing's own coordinates, told apart at 64 pixels."""

import numpy as np

from data_pipelines.world.materials import MATERIALS


def surface(name: str, u: np.ndarray, v: np.ndarray, grain: float) -> tuple[np.ndarray, np.ndarray]:
    """float32[...,3] RGB and opacity at (u, v) in -1..1, from left to right and top to bottom.

    `grain` shifts the pattern, so that two things of one material differ.
    """
    material = MATERIALS[name]
    u, v = np.broadcast_arrays(u, v)
    weight = np.clip(_PATTERNS[name](u, v, grain), 0, 1)[..., None]
    colour = np.array(material.colour, np.float32)
    rgb = colour + weight * (np.array(material.accent, np.float32) - colour)
    shade = 1.0 - 0.18 * np.clip(v, -1, 1)[..., None]
    opacity = np.full(u.shape, 0.72 if name == "glass" else 1.0, np.float32)
    return (rgb * shade).astype(np.float32), opacity


def _spot(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A highlight up on the left."""
    return np.exp(-((u + 0.4) ** 2 + (v + 0.45) ** 2) / 0.06)


def _wood(u: np.ndarray, v: np.ndarray, grain: float) -> np.ndarray:
    return 0.5 + 0.5 * np.sin(9 * v + 1.5 * np.sin(2.5 * u + grain) + grain)


def _metal(u: np.ndarray, v: np.ndarray, grain: float) -> np.ndarray:
    return np.exp(-((u + 0.7 * v + 0.3 * np.sin(grain)) ** 2) / 0.05)


def _rim(u: np.ndarray, v: np.ndarray, grain: float) -> np.ndarray:
    return np.clip(8 * (np.maximum(np.abs(v), np.hypot(u, v) * 0.95) - 0.7), 0, 1)


def _gloss(u: np.ndarray, v: np.ndarray, grain: float) -> np.ndarray:
    return 1.2 * _spot(u, v)


def _stone(u: np.ndarray, v: np.ndarray, grain: float) -> np.ndarray:
    blotches = np.sin(6 * u + grain) * np.sin(7 * v - 2 * grain) + np.sin(11 * u - 5 * v + grain)
    return 0.5 + 0.6 * blotches


def _rubber(u: np.ndarray, v: np.ndarray, grain: float) -> np.ndarray:
    return 0.5 + 0.5 * np.sign(np.sin(7 * u + grain))


_PATTERNS = {
    "wood": _wood,
    "metal": _metal,
    "glass": _gloss,
    "ceramic": _rim,
    "plastic": _gloss,
    "stone": _stone,
    "rubber": _rubber,
    "drum": _rim,
}
