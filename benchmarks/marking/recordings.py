"""Real sound of the folder that V2A_MEDIA_DIR names: samples, digits, recordings, films.

Each function that reads takes (seconds, sample rate) after what it reads, and gives float32[N,C]
with one or two channels.
"""

import functools
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.media.decode import read_audio
from v2a_jax.media.source import LIMITS

VARIABLE = "V2A_MEDIA_DIR"
CHANNELS = 2
SPEAKERS = 6
EXCERPTS = 4  # of a long file, at most
APART = 1.0  # seconds between the excerpts of a file

Render = Callable[[float, int], np.ndarray]


def available(seconds: float) -> dict[str, list[tuple[str, Render]]]:
    """Names and sounds by kind; none without the folder, or where a file has no sound."""
    if VARIABLE not in os.environ:
        return {}
    folder = Path(os.environ[VARIABLE])
    samples = sorted(folder.glob("audio/sonic-pi__*"))
    recordings = sorted(folder.glob("audio/shared-assets__*"))
    films = sorted(folder.glob("natural/*"))
    speakers = sorted({path.name.split("_")[1] for path in folder.glob("audio/fsdd/*.wav")})
    return {
        "digits": [
            (f"digits {name}", functools.partial(digits, folder, name))
            for name in speakers[:SPEAKERS]
        ],
        "film": _excerpts(films, seconds),
        "recording": _excerpts(recordings, seconds),
        "sample": _excerpts(samples, seconds),
    }


def _excerpts(paths: list[Path], seconds: float) -> list[tuple[str, Render]]:
    """Excerpts a little apart, the first ones of all files before the second ones of any."""
    found = []
    for path in paths:
        try:
            length = duration(path)
        except UserError:
            continue  # a silent film
        count = int(np.clip(length // (seconds + APART), 1, EXCERPTS))
        found += [(k, path, k * length / count) for k in range(count)]
    return [
        (f"{path.stem.split('__')[1]} {start:.0f} s", functools.partial(excerpt, path, start))
        for _, path, start in sorted(found, key=lambda one: one[:2])
    ]


@functools.lru_cache(maxsize=16)
def _read(path: Path, rate: int) -> np.ndarray:
    return read_audio(path, sample_rate=rate, limits=LIMITS)[0][:, :CHANNELS]


def duration(path: Path) -> float:
    """Seconds of sound in a file; UserError where there is none."""
    wave_NC, rate = read_audio(path, sample_rate=None, limits=LIMITS)
    return len(wave_NC) / rate


def excerpt(path: Path, start: float, seconds: float, rate: int) -> np.ndarray:
    """What is heard from `start` on; a file that ends too soon begins again after a rest."""
    piece_NC = _read(path, rate)[round(start * rate) :]
    rng = np.random.default_rng(0)
    return _string(itertools.repeat(piece_NC), rng, seconds, rate)


def digits(folder: Path, speaker: str, seconds: float, rate: int) -> np.ndarray:
    """One speaker's digits in random order, with rests between."""
    rng = np.random.default_rng(0)
    paths = sorted(folder.glob(f"audio/fsdd/*_{speaker}_*.wav"))
    words = (_read(paths[rng.integers(len(paths))], rate) for _ in itertools.count())
    return _string(words, rng, seconds, rate)


def _string(
    pieces: itertools.repeat, rng: np.random.Generator, seconds: float, rate: int
) -> np.ndarray:
    """Pieces one after the other, rests of 50 to 300 ms between, until the time is filled."""
    samples, strung, length = round(seconds * rate), [], 0
    for piece_NC in pieces:
        rest_NC = np.zeros((int(rng.uniform(0.05, 0.3) * rate), piece_NC.shape[1]), np.float32)
        strung += [piece_NC, rest_NC]
        length += len(piece_NC) + len(rest_NC)
        if length >= samples:
            return np.clip(np.concatenate(strung)[:samples], -1, 1)
    raise ValueError("the pieces end before the time is filled")
