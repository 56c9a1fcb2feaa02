"""How much a video looks like those that a model was trained on: 0..1, without a reference.

Statistics of the pixels that noise, blur, compression and lost frames change, and their distance
from a Gaussian of clean clips' (NIQE, Mittal et al. 2013). The quality is the share of clean clips
that lie as far out: of clean videos, one in fifty has less than 0.02.
"""

import dataclasses
import io
from collections.abc import Iterable

import numpy as np

from v2a_jax.errors import UserError

LEAST_CLIPS = 100
FLOOR = 0.3  # of differences, in grey levels: less than what 8 bits hold


@dataclasses.dataclass(frozen=True, kw_only=True)
class QualityConfig:
    """`clips` of the training data are measured; below the quality `warn_below` a video is told."""

    clips: int
    warn_below: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clean:
    """What clean clips look like.

    mean, deviation float[K] and precision float[K,K] of their statistics, the latter of what is
    left when the first two are taken out; distances float[N] of clips from a Gaussian of others,
    ascending; `frames` of each clip, and the quality below which a video is told.
    """

    mean: np.ndarray
    deviation: np.ndarray
    precision: np.ndarray
    distances: np.ndarray
    frames: int
    warn_below: float

    def quality(self, video_FHW3: np.ndarray) -> float | None:
        """Of frames uint8[F,H,W,3]; None for less than half a clip, too few to tell."""
        if 2 * len(video_FHW3) < self.frames:
            return None
        distance = self.distance(statistics(video_FHW3)[None])[0]
        return float(np.mean(self.distances >= distance))

    def distance(self, statistics_BK: np.ndarray) -> np.ndarray:
        """Mahalanobis distances float[B], squared."""
        x_BK = (statistics_BK - self.mean) / self.deviation
        return np.einsum("bk,kl,bl->b", x_BK, self.precision, x_BK)

    def to_bytes(self) -> bytes:
        """An .npz file."""
        file = io.BytesIO()
        np.savez(file, **dataclasses.asdict(self))
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Clean":
        """What `to_bytes` wrote; ValueError for anything else."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                found = {field.name: file[field.name] for field in dataclasses.fields(cls)}
        except Exception as error:  # zipfile and NumPy raise many kinds
            raise ValueError(f"no statistics of clean clips ({error})") from error
        frames, bound = int(found.pop("frames")), float(found.pop("warn_below"))
        return cls(**found, frames=frames, warn_below=bound)


def measure(videos: Iterable[np.ndarray], frames: int, warn_below: float) -> Clean:
    """What clean videos uint8[F,H,W,3] of so many frames look like; UserError for too few.

    The distances that qualities are shares of are those of each half from a Gaussian of the other,
    for a clip lies nearer to what it has shaped itself.
    """
    found = [statistics(video) for video in videos]
    if len(found) < LEAST_CLIPS:
        raise UserError(f"{len(found)} clips are too few to tell how clean ones look")
    x_NK = np.stack(found)
    halves = x_NK[::2], x_NK[1::2]
    apart = [
        _gaussian(one, (), frames, warn_below).distance(other)
        for one, other in (halves, halves[::-1])
    ]
    return _gaussian(x_NK, np.sort(np.concatenate(apart)), frames, warn_below)


def _gaussian(x_NK: np.ndarray, distances: np.ndarray, frames: int, warn_below: float) -> Clean:
    mean, deviation = x_NK.mean(axis=0), x_NK.std(axis=0) + 1e-6
    covariance = np.cov((x_NK - mean) / deviation, rowvar=False)
    shrunk = 0.98 * covariance + 0.02 * np.eye(len(mean))
    return Clean(
        mean=mean,
        deviation=deviation,
        precision=np.linalg.inv(shrunk),
        distances=np.asarray(distances),
        frames=frames,
        warn_below=warn_below,
    )


def statistics(video_FHW3: np.ndarray) -> np.ndarray:
    """float[K] of frames uint8[F,H,W,3]: of detail, change, blocks, light and colour.

    Logarithms, so that what damage multiplies is a shift whatever the picture shows.
    """
    every = video_FHW3.mean(axis=3, dtype=np.float32)
    few, grey = video_FHW3[::4], every[::4]
    across = [_size(grey[:, :, lag:] - grey[:, :, :-lag]) for lag in (1, 2, 4, 8)]
    down = [_size(grey[:, lag:] - grey[:, :-lag]) for lag in (1, 2, 4, 8)]
    middle = 4 * grey[:, 1:-1, 1:-1] - grey[:, :-2, 1:-1] - grey[:, 2:, 1:-1]
    edges = np.abs(middle - grey[:, 1:-1, :-2] - grey[:, 1:-1, 2:]).reshape(len(grey), -1)
    sharp = np.quantile(edges, (0.25, 0.5, 0.75, 0.95), axis=1)
    borders = np.abs(grey[:, :, 8::8] - grey[:, :, 7:-1:8]).mean()  # of 8 x 8 blocks
    change_F = np.abs(np.diff(every, axis=0)).mean(axis=(1, 2))
    steady = np.quantile(change_F, (0.1, 0.5, 0.9)) if len(change_F) else np.zeros(3)
    uneven = np.abs(np.diff(change_F)).mean() if len(change_F) > 1 else 0.0
    twice = np.median(np.abs(every[2:] - every[:-2]).mean(axis=(1, 2))) if len(every) > 2 else 0.0
    light = [grey.mean() / 64, np.log(grey.std(axis=(1, 2)) + 1).mean()]
    colour = np.log(np.ptp(few, axis=3).mean() + 1)
    moving = np.log(np.array([*steady, uneven, twice, borders]) + FLOOR)
    detail = np.log(np.stack([*across, *down, *sharp]) + FLOOR).mean(axis=1)
    return np.concatenate([detail, moving, light, [colour]]).astype(np.float64)


def _size(x_FHW: np.ndarray) -> np.ndarray:
    """Mean magnitude in each frame, float[F]."""
    return np.abs(x_FHW).mean(axis=(1, 2))
