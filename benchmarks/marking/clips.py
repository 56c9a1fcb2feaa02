"""The clips that are marked: at least half of them real where there are recordings, all named."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator

import numpy as np

from marking import recordings, sounds

REAL_SHARE = 2 / 3
CHECK_RATE = 16000
FRAME_SECONDS = 0.01
SILENT = 10 ** (-75 / 20)  # RMS of a frame below which nothing is heard
LEAST_SECONDS = 1.0  # of sound that a clip must have
MADE = {
    "world": sounds.world,
    "notes": sounds.notes,
    "noise": sounds.noise,
    "speech": sounds.speech,
    "ticks": sounds.ticks,
    "quiet": sounds.quiet,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clip:
    """`render(seconds, sample rate)` gives float32[N,C], always the same; picklable."""

    kind: str
    name: str
    render: Callable[[float, int], np.ndarray]


def choose(count: int, seconds: float) -> list[Clip]:
    """`count` clips that sound for at least a second, the kinds in turn."""
    real = _sounding(_in_turn(recordings.available(seconds)), seconds)
    chosen = list(itertools.islice(real, round(REAL_SHARE * count)))
    return chosen + list(itertools.islice(_sounding(_made(), seconds), count - len(chosen)))


def made(kind: str, seed: int) -> Clip:
    """A synthetic clip of a kind of MADE."""
    return Clip(kind=kind, name=f"{kind} {seed}", render=functools.partial(MADE[kind], seed=seed))


def heard_frames(wave_NC: np.ndarray, rate: int) -> np.ndarray:
    """bool[F]: whether anything is heard in each 10 ms."""
    frame = round(FRAME_SECONDS * rate)
    frames = wave_NC[: len(wave_NC) // frame * frame].reshape(-1, frame * wave_NC.shape[1])
    return np.sqrt(np.mean(frames.astype(np.float64) ** 2, axis=1)) > SILENT


def _sounding(clips: Iterator[Clip], seconds: float) -> Iterator[Clip]:
    for clip in clips:
        heard_F = heard_frames(clip.render(seconds, CHECK_RATE), CHECK_RATE)
        if heard_F.sum() * FRAME_SECONDS >= LEAST_SECONDS:
            yield clip


def _in_turn(kinds: dict[str, list]) -> Iterator[Clip]:
    for row in itertools.zip_longest(*kinds.values()):
        for kind, found in zip(kinds, row, strict=True):
            if found is not None:
                yield Clip(kind=kind, name=found[0], render=found[1])


def _made() -> Iterator[Clip]:
    return (made(kind, seed) for seed in itertools.count() for kind in MADE)
