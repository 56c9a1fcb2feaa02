"""Videos longer than a bucket: windows that share their overlap in latent space.

Each window continues the last latents of the one before it, and is decoded with the shared ones, so
that both decode to the same sound around the middle of the overlap, where the cut lies. The cut is
a short cross-fade, for the mark's frames are placed anew in each window.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from v2a_jax.errors import UserError

FADE_SECONDS = 0.008
# Windows start on a whole number of frames, latents and watermark cells: multiples of this.
GRID_SECONDS = 0.32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Windows of `seconds`, each beginning `stride` seconds after the one before."""

    seconds: float
    stride: float
    count: int

    @property
    def overlap(self) -> float:
        """Seconds that two neighbours share."""
        return self.seconds - self.stride


def plan_windows(duration: float, buckets: tuple[float, ...], overlap: float) -> Plan:
    """The smallest bucket that holds the video, else as many of the largest as it takes."""
    largest = max(buckets)
    stride = np.floor((largest - overlap) / GRID_SECONDS + 1e-9) * GRID_SECONDS
    if not 0 < stride <= largest - FADE_SECONDS:
        raise UserError(f"sampler.overlap={overlap} does not suit a window of {largest} s")
    if duration <= largest + 1e-9:
        fitting = min(b for b in buckets if b + 1e-9 >= duration)
        return Plan(seconds=fitting, stride=largest, count=1)
    count = 1 + int(np.ceil((duration - largest) / stride - 1e-9))
    return Plan(seconds=largest, stride=stride, count=count)


def cut_windows(frames: Iterable[np.ndarray], plan: Plan, fps: float) -> Iterator[np.ndarray]:
    """uint8[F,H,W,3] for each window of the plan, the last frame held to the end; one in memory."""
    size, step = round(plan.seconds * fps), round(plan.stride * fps)
    source, held = iter(frames), []
    for _ in range(plan.count):
        while len(held) < size:
            frame = next(source, held[-1] if held else None)
            if frame is None:
                raise UserError("the video has no frames")
            held.append(frame)
        yield np.stack(held[:size])
        held = held[step:] or held[-1:]


def join(windows: Iterable[np.ndarray], plan: Plan, sample_rate: int, samples: int) -> np.ndarray:
    """Waves float32[V,N,C] of the windows as one float32[V,samples,C], cut amid each overlap."""
    step, overlap = round(plan.stride * sample_rate), round(plan.overlap * sample_rate)
    fade = round(FADE_SECONDS * sample_rate)
    ramp = ((np.arange(fade) + 0.5) / fade).astype(np.float32)[None, :, None]
    pieces, tail = [], None
    for index, wave in enumerate(windows):
        last = index == plan.count - 1
        begin = 0 if index == 0 else (overlap - fade) // 2
        end = wave.shape[1] if last else step + (overlap - fade) // 2
        piece = wave[:, begin:end].copy()
        if tail is not None:
            piece[:, :fade] = tail * (1 - ramp) + piece[:, :fade] * ramp
        tail = None if last else wave[:, end : end + fade]
        pieces.append(piece)
    return np.concatenate(pieces, axis=1)[:, :samples]
