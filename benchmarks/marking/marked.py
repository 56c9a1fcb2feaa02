"""A clip before and after it was marked, and what it carries."""

import dataclasses

import numpy as np

from marking import ours
from marking.clips import Clip
from marking.ours import DepthConfig, Key


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What is the same for all clips of a run."""

    seconds: float
    depth: DepthConfig
    bundle: str | None = None
    only: str = ""  # regular expression of the attacks to make


@dataclasses.dataclass(frozen=True, kw_only=True)
class Marked:
    """float32[N,C] with and without the mark, which starts at cell `start` of the pattern."""

    wave: np.ndarray
    plain: np.ndarray
    key: Key
    payload: int
    start: int


def mark(
    settings: Settings,
    clip: Clip,
    rate: int,
    number: int,
    *,
    key: Key | None = None,
    payload: int | None = None,
) -> Marked:
    """The clip with a start, and unless they are given a key and payload, that follow `number`."""
    rng = np.random.default_rng(number)
    key = key or ours.throwaway_key("clip", number)
    payload = int(rng.integers(1 << ours.PAYLOAD_BITS)) if payload is None else payload
    start, plain = int(rng.integers(ours.PERIOD)), clip.render(settings.seconds, rate)
    options = dict(sample_rate=rate, depth=settings.depth, offset=start)
    wave = ours.mark(plain, key, payload, **options)
    return Marked(wave=wave, plain=plain, key=key, payload=payload, start=start)
