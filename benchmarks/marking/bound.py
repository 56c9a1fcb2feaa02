"""Section `bound`: what noise leaves of the mark, for our detector and for one that knows the best.

The second knows where the pattern lies and, from how other keys fare in the same clip, how much to
trust each cell of either ear: its weights are the mean of w·y over its variance, T = Σ a·w·y over
the root of Σ (a·w·y)². Where even that stays below the T that a proof needs, the clip is lost to
any detector with these ears: only a deeper mark would help.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
from scipy import special
from scipy.ndimage import uniform_filter

from marking import changes, ours
from marking.marked import Settings, mark
from marking.survival import Task
from marking.tables import percent, table

KEYS = 10  # that mark each clip: one is judged by what is learnt from the others
LEVELS = (20, 10)  # dB of the clip over white noise
NEAR = (5, 3)  # cells and rows over which a cell's trust is averaged
LEAST_VARIANCE = 1e-3


def compare(settings: Settings, task: Task) -> list[dict]:
    """A row for each level of noise: mean T of our statistic, and of the best weights."""
    place = dict(clip=task.clip.name, kind=task.clip.kind, rate=task.rate)
    rows = []
    for level in LEVELS:
        signed_KETR = np.array([_signed(settings, task, level, key) for key in range(KEYS)])
        rows.append(
            place
            | {"noise": level, "needed": needed()}
            | {"ours": float(np.mean([_ratio(one_ETR).max() for one_ETR in signed_KETR]))}
            | {"best": float(np.mean([_best(signed_KETR, key) for key in range(KEYS)]))}
        )
    return rows


def _signed(settings: Settings, task: Task, level: float, number: int) -> np.ndarray:
    """float32[E,T,R]: the evidence of each ear times the sign that the cell carries."""
    marked = mark(settings, task.clip, task.rate, 1000 * task.number + number)
    rng = np.random.default_rng([task.number, number])
    noisy_NC = changes.noisy(marked.wave, task.rate, rng, snr=level, exponent=0)
    cells_ETR = ours.ears(noisy_NC.astype(np.float32), task.rate)
    _, cells, rows = cells_ETR.shape
    at_T = (marked.start + np.arange(cells)) % ours.PERIOD
    return cells_ETR * ours.true_signs(marked.key, marked.payload)[at_T, :rows]


def _best(signed_KETR: np.ndarray, key: int) -> float:
    others_KETR = np.delete(signed_KETR, key, 0)
    smooth = functools.partial(uniform_filter, size=(1, *NEAR))
    mean_ETR = np.maximum(smooth(others_KETR.mean(0)), 0)
    trust_ETR = mean_ETR / (smooth((others_KETR**2).mean(0)) + LEAST_VARIANCE)
    weighed_ETR = trust_ETR * signed_KETR[key]
    together_1TR = weighed_ETR.sum(0, keepdims=True)
    return float(_ratio(np.concatenate([weighed_ETR, together_1TR])).max())


def _ratio(signed_ETR: np.ndarray) -> np.ndarray:
    return signed_ETR.sum((1, 2)) / np.sqrt(np.square(signed_ETR).sum((1, 2)) + 1e-30)


@functools.cache
def needed() -> float:
    """The T with which a clip as a whole is claimed, its payload being read."""
    at_T = np.linspace(5, 12, 7001)
    log_p_T = math.log(ours.whole_hypotheses()) + special.log_ndtr(-at_T)
    return float(at_T[np.argmax(log_p_T <= math.log(ours.CLAIM))])


def report(rows: Sequence[dict]) -> str:
    """Shares of clips beyond the T that is needed, and the clips that fall short."""
    lines = []
    for rate, level in dict.fromkeys((row["rate"], row["noise"]) for row in rows):
        part = [row for row in rows if (row["rate"], row["noise"]) == (rate, level)]
        short = [
            f"{row['clip']} ({row['ours']:.1f} / {row['best']:.1f})"
            for row in part
            if row["ours"] < row["needed"]
        ]
        shares = [
            percent(np.mean([row[who] >= row["needed"] for row in part]))
            for who in ("ours", "best")
        ]
        lines.append([f"{level} dB, {rate} Hz", *shares, ", ".join(short) or "–"])
    header = ("white noise", "ours", "best weights", "clips that fall short (T ours / best)")
    return f"T needed: {needed():.1f}.\n\n{table(header, lines)}"
