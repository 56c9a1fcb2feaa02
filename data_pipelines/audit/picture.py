"""What is wrong with a picture: it stands still, or is black. And how much it moves, when.

All is read off grey pictures of 32x32 cells, each the mean of what lies in it: coding noise is
averaged away, and a film is small whatever its size.
"""

import numpy as np
from PIL import Image

CELLS = 32


def small_grey(video_FHWC: np.ndarray) -> np.ndarray:
    """Mean luma of 32x32 cells, float32[F,32,32] in 0..255, of uint8[F,H,W,3]."""
    small_FYX = np.empty((len(video_FHWC), CELLS, CELLS), np.float32)
    for k, frame_HWC in enumerate(video_FHWC):
        grey = Image.fromarray(np.ascontiguousarray(frame_HWC)).convert("L").convert("F")
        small_FYX[k] = grey.resize((CELLS, CELLS), Image.Resampling.BOX)
    return small_FYX


def still_share(grey_FYX: np.ndarray, stillness: float) -> float:
    """Share of the frames after the first that show what was shown before them.

    A frame is compared with the last one that was new, so that slow change is seen too.
    """
    new, shown_YX = 0, grey_FYX[0]
    for frame_YX in grey_FYX[1:]:
        if np.abs(frame_YX - shown_YX).max() > stillness:
            new, shown_YX = new + 1, frame_YX
    return 1.0 - new / max(1, len(grey_FYX) - 1)


def black_share(grey_FYX: np.ndarray, black_level: float) -> float:
    """Share of frames without any cell brighter than `black_level`."""
    return float((grey_FYX.max(axis=(1, 2)) <= black_level).mean())


def motion(grey_FYX: np.ndarray) -> np.ndarray:
    """Mean change of the cells from the frame before, float32[F]; the first is 0."""
    change_F = np.abs(np.diff(grey_FYX, axis=0)).mean(axis=(1, 2))
    return np.concatenate([np.zeros(1, np.float32), change_F])
