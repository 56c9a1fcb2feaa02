"""Where one shot ends and the next begins: hard cuts, and fades and dissolves at their middle.

Each quarter of a picture has, for each colour, a cumulative histogram F of 16 levels. Two pictures
are d = mean |F_a - F_b| apart: 0 for the same colours in the same quarters, about 1 for black
and white; what moves within a quarter, noise and small changes of brightness hardly count.

    hard cut at k   d(k-1, k) >= HARD, STANDS_OUT times the usual step around it, and lasting: the
                    medians of some pictures before and after are HARD apart, unlike with a flash
    fade            a run of k with d(k-h, k+h) >= SOFT away from hard cuts, at its centre of mass;
                    runs less than h apart are one, so that a fade through black is
"""

import numpy as np
import scipy.ndimage

LEVELS = 16
HARD, SOFT = 0.05, 0.10
STANDS_OUT = 4.0
LASTING_FRAMES = 5
AROUND_SECONDS = 0.4
FADE_SECONDS = 1.0


def shot_changes(frames_FHWC: np.ndarray, fps: float) -> tuple[float, ...]:
    """Times in seconds, ascending, at which a new shot begins in frames uint8[F,H,W,3]."""
    if len(frames_FHWC) < 2:
        return ()
    colours_FD = _colours(frames_FHWC)
    hard = _hard_cuts(colours_FD, max(2, round(AROUND_SECONDS * fps)))
    soft = _fades(colours_FD, max(1, round(FADE_SECONDS * fps / 2)), hard)
    return tuple(sorted(k / fps for k in (*hard, *soft)))


def _colours(frames_FHWC: np.ndarray) -> np.ndarray:
    """Cumulative histograms float32[F,D]: of each quarter, colour and level."""
    count, height, width, _ = frames_FHWC.shape
    lower_H, right_W = np.arange(height) * 2 // height, np.arange(width) * 2 // width
    quarter_HW = 2 * lower_H[:, None] + right_W
    offset_HWC = (3 * quarter_HW[..., None] + np.arange(3)) * LEVELS
    histogram_FD = np.empty((count, 12 * LEVELS), np.float32)
    for k, frame_HWC in enumerate(frames_FHWC):
        index = (offset_HWC + frame_HWC // (256 // LEVELS)).ravel()
        histogram_FD[k] = np.bincount(index, minlength=12 * LEVELS)
    levels_FQL = histogram_FD.reshape(count, 12, LEVELS)
    levels_FQL /= np.maximum(levels_FQL.sum(axis=-1, keepdims=True), 1)
    return levels_FQL.cumsum(axis=-1).reshape(count, -1)


def _apart(one_D: np.ndarray, other_D: np.ndarray) -> np.ndarray:
    return np.abs(one_D - other_D).mean(axis=-1)


def _hard_cuts(colours_FD: np.ndarray, around: int) -> list[int]:
    step_F = np.concatenate([[0.0], _apart(colours_FD[1:], colours_FD[:-1])])
    found = []
    for k in np.flatnonzero(step_F >= HARD):
        near = np.concatenate([step_F[max(1, k - around) : k], step_F[k + 1 : k + 1 + around]])
        usual = np.median(near) if len(near) else 0.0
        before_D = np.median(colours_FD[max(0, k - LASTING_FRAMES) : k], axis=0)
        after_D = np.median(colours_FD[k : k + LASTING_FRAMES], axis=0)
        if step_F[k] >= STANDS_OUT * usual and _apart(before_D, after_D) >= HARD:
            found.append(int(k))
    return found


def _fades(colours_FD: np.ndarray, half: int, hard: list[int]) -> list[float]:
    if len(colours_FD) <= 2 * half:
        return []
    steady_FD = scipy.ndimage.median_filter(colours_FD, (LASTING_FRAMES, 1))
    change_F = np.zeros(len(colours_FD))
    change_F[half:-half] = _apart(steady_FD[2 * half :], steady_FD[: -2 * half])
    for k in hard:
        change_F[max(0, k - half - 1) : k + half + 2] = 0
    large = np.flatnonzero(change_F >= SOFT)
    runs = np.split(large, np.flatnonzero(np.diff(large) > half) + 1)
    return [float(np.average(run, weights=change_F[run])) for run in runs if len(run)]
