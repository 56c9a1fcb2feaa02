"""What copying gives: the sound of the training clip whose video is nearest.

Nearest in the mean square of small grey frames, the first of both, `RATE` a second: a model that
generalises must do better than such a memory.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from tqdm import tqdm

from v2a_jax.evaluation.clips import Clip

SIDE = 8  # pixels
RATE = 5.0  # frames a second


def thumbnails(video: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """Small grey frames, float32[V]: of a square part of uint8[F,H,W,3], from its middle."""
    times = np.round(np.arange(int(seconds * RATE)) / RATE * fps).astype(int)
    frames = video[np.minimum(times, len(video) - 1)]
    side = min(frames.shape[1:3]) // SIDE * SIDE
    top, left = (frames.shape[1] - side) // 2, (frames.shape[2] - side) // 2
    grey = frames[:, top : top + side, left : left + side].astype(np.float32).mean(axis=3)
    blocks = grey.reshape(len(grey), SIDE, side // SIDE, SIDE, side // SIDE)
    return blocks.mean(axis=(2, 4)).ravel()


def nearest(
    clips: Sequence[Clip], training: Iterable[Clip], seconds: float
) -> dict[int, np.ndarray]:
    """float32[N,C] for each position of `clips`: the sound of the nearest training clip.

    Of the training clips only those of at least `seconds` count; with none, nothing is returned.
    """
    wanted_CV = np.stack([thumbnails(clip.video, clip.fps, seconds) for clip in clips])
    samples = round(seconds * clips[0].sample_rate)
    best_C = np.full(len(clips), np.inf)
    sounds: dict[int, np.ndarray] = {}
    for clip in tqdm(training, desc="nearest video", leave=False):
        if clip.video is None or clip.audio is None or len(clip.audio) < samples:
            continue
        away_C = np.square(wanted_CV - thumbnails(clip.video, clip.fps, seconds)).mean(axis=1)
        for position in np.flatnonzero(away_C < best_C):
            sounds[int(position)] = clip.audio[:samples]
        best_C = np.minimum(best_C, away_C)
    return sounds
