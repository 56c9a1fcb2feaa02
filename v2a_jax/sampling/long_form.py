"""Videos longer than a bucket: windows that share their overlap in latent space.

Each window continues the last latents of the one before it, and is decoded with the shared ones, so
that both decode to the same sound around the middle of the overlap, where the cut lies. The cut is
a short cross-fade, for the mark's frames are placed anew in each window.

Windows are evenly spaced, or, with boundaries "shots", a window ends early so that the cut lies at
the last change of shot in its second half, where there is one.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.media.shots import shot_changes

FADE_SECONDS = 0.008
# Windows start on a whole number of frames, latents and watermark cells: multiples of this.
GRID_SECONDS = 0.32
BOUNDARIES = ("even", "shots")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Windows of `seconds`, each beginning `stride` seconds after the one before, or earlier."""

    duration: float
    seconds: float
    stride: float

    @property
    def overlap(self) -> float:
        """Seconds that two neighbours share when they are evenly spaced."""
        return self.seconds - self.stride

    @property
    def count(self) -> int:
        """How many windows there are when they are evenly spaced."""
        return 1 + max(0, int(np.ceil((self.duration - self.seconds) / self.stride - 1e-9)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Window:
    """A stretch of the video; times in seconds, `start` and `cut` on the video's own clock.

    frames  uint8[F,H,W,3]
    start   when its first frame is shown
    step    how much later the next window starts; None for the last one
    heard   from when its sound is heard
    cut     when the next window's sound takes over, or the video ends
    """

    frames: np.ndarray
    start: float
    step: float | None
    heard: float
    cut: float

    def shown(self, fps: float) -> int:
        """How many of its frames are the video's own, at least one; others hold its last one."""
        own = len(self.frames) if self.step else round((self.cut - self.start) * fps)
        return min(max(own, 1), len(self.frames))


def plan_windows(duration: float, buckets: tuple[float, ...], overlap: float) -> Plan:
    """The smallest bucket that holds the video, else as many of the largest as it takes."""
    largest = max(buckets)
    stride = np.floor((largest - overlap) / GRID_SECONDS + 1e-9) * GRID_SECONDS
    if not 0 < stride <= largest - FADE_SECONDS:
        raise UserError(f"sampler.overlap={overlap} does not suit a window of {largest} s")
    if duration <= largest + 1e-9:
        fitting = min(b for b in buckets if b + 1e-9 >= duration)
        return Plan(duration=duration, seconds=fitting, stride=largest)
    return Plan(duration=duration, seconds=largest, stride=float(stride))


def cut_windows(
    frames: Iterable[np.ndarray], plan: Plan, fps: float, boundaries: str = "even"
) -> Iterator[Window]:
    """The windows of a plan, the last frame held to the end; the frames of one are in memory."""
    size = round(plan.seconds * fps)
    source, held = iter(frames), []
    units, heard = 0, 0.0
    while True:
        while len(held) < size:
            frame = next(source, held[-1] if held else None)
            if frame is None:
                raise UserError("the video has no frames")
            held.append(frame)
        window = np.stack(held[:size])
        start = units * GRID_SECONDS
        if start + plan.seconds >= plan.duration - 1e-9:
            yield Window(frames=window, start=start, step=None, heard=heard, cut=plan.duration)
            return
        step, cut = plan.stride, plan.stride + plan.overlap / 2
        if boundaries == "shots":
            step, cut = _at_shot(shot_changes(window, fps), plan) or (step, cut)
        yield Window(frames=window, start=start, step=step, heard=heard, cut=start + cut)
        units, heard = units + round(step / GRID_SECONDS), start + cut
        held = held[round(step * fps) :] or held[-1:]


def _at_shot(shots: tuple[float, ...], plan: Plan) -> tuple[float, float] | None:
    """(step, cut), in seconds from the window's start, at its last change of shot that will do."""
    for shot in reversed(shots):
        step = round((shot - plan.overlap / 2) / GRID_SECONDS) * GRID_SECONDS
        if plan.stride / 2 <= step <= plan.stride and step > 0:
            nearest, farthest = step + FADE_SECONDS, step + plan.overlap - FADE_SECONDS
            return step, min(max(shot, nearest), farthest)
    return None


def join(
    waves: Iterable[tuple[Window, np.ndarray]], sample_rate: int, samples: int
) -> Iterator[np.ndarray]:
    """Waves float32[V,N,C] of consecutive windows as blocks of one of `samples` samples."""
    fade = round(FADE_SECONDS * sample_rate)
    ramp = ((np.arange(fade) + 0.5) / fade).astype(np.float32)[None, :, None]
    tail, position = None, 0
    for window, wave in waves:
        first = round(window.start * sample_rate)
        end = samples if window.step is None else round(window.cut * sample_rate) - fade // 2
        piece = wave[:, position - first : end - first].copy()
        if tail is not None:
            blended = min(fade, piece.shape[1])
            faded, rising = tail[:, :blended] * (1 - ramp[:, :blended]), ramp[:, :blended]
            piece[:, :blended] = faded + piece[:, :blended] * rising
        tail, position = wave[:, end - first : end - first + fade], end
        yield piece
