"""Sounds to mark: struck objects with silence between, as a generated clip has them."""

from collections.abc import Callable

import jax
import numpy as np
import pytest

from configs.base import get_config
from v2a_jax.config import build
from v2a_jax.watermark.embed import embed
from v2a_jax.watermark.key import Key
from v2a_jax.watermark.mask import DepthConfig
from v2a_jax.watermark.payload import to_bits

DEPTH = build(DepthConfig, get_config().watermark)


def _impacts(seed: int, seconds: float, sample_rate: int = 16000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    samples = int(seconds * sample_rate)
    sound = np.zeros(samples)
    for onset in rng.uniform(0, 0.8 * seconds, 2 + int(seconds)):
        first = int(onset * sample_rate)
        t = np.arange(samples - first) / sample_rate
        decay = rng.uniform(0.05, 0.3)
        for mode in rng.uniform(200, 5000, 5):
            sound[first:] += np.sin(2 * np.pi * mode * t) * np.exp(-t / decay) * rng.uniform(0.2, 1)
        sound[first:] += rng.standard_normal(t.size) * np.exp(-t / 0.006)
    sound *= rng.uniform(0.05, 0.5) / np.abs(sound).max()
    return (sound + 3e-4 * rng.standard_normal(samples)).astype(np.float32)[:, None]


@pytest.fixture(scope="session")
def impacts() -> Callable[..., np.ndarray]:
    return _impacts


@pytest.fixture(scope="session")
def depth() -> DepthConfig:
    return DEPTH


@pytest.fixture(scope="session")
def key() -> Key:
    return Key(bytes(range(32)))


@pytest.fixture(scope="session")
def mark(key: Key) -> Callable[..., np.ndarray]:
    """mark(wave, payload, offset, sample_rate): the wave marked with the key."""
    compiled = jax.jit(embed, static_argnames=("sample_rate", "depth"))
    pattern = key.pattern()

    def apply(wave, payload=0x1234, offset=77, sample_rate=16000) -> np.ndarray:
        bits = to_bits(payload)
        options = {"sample_rate": sample_rate, "depth": DEPTH, "offset": offset}
        return np.asarray(compiled(wave, pattern, bits, **options))

    return apply
