"""Section `bound`: what an attack leaves of the mark, for our detector and for one that knows best.

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
from marking.attacks import Attack, chain, encoded, of
from marking.marked import Settings, mark
from marking.survival import Task
from marking.tables import percent, table

KEYS = 10  # that mark each clip: one is judged by what is learnt from the others
HARD = "hard chain, its speed undone, the best 4 s"
PIECES = {HARD: 4.0}  # seconds that an attack leaves
NEAR = (5, 3)  # cells and rows over which a cell's trust is averaged
LEAST_VARIANCE = 1e-3


def attacks(settings: Settings, task: Task) -> dict[str, Attack]:
    """What is done to a clip; nothing of it moves sound in time."""
    track_NC = task.track.render(settings.seconds, task.rate)
    noise = {db: of(changes.noisy, snr=db, exponent=0) for db in (20, 10)}
    return {
        **{f"white noise {db} dB": attack for db, attack in noise.items()},
        **{
            f"original track, {db} dB": of(changes.mixed, other=track_NC, db=db) for db in (-6, -12)
        },
        HARD: chain(noise[20], encoded("Opus 16")),
    }


def compare(settings: Settings, task: Task) -> list[dict]:
    """A row for each attack: mean T of our statistic, and of the best weights."""
    place = dict(clip=task.clip.name, kind=task.clip.kind, rate=task.rate)
    rows = []
    for name, attack in attacks(settings, task).items():
        signed_KETR = np.array([_signed(settings, task, attack, key) for key in range(KEYS)])
        best_KETR = np.array([_weighed(signed_KETR, key) for key in range(KEYS)])
        reached = functools.partial(_reached, seconds=PIECES.get(name, settings.seconds))
        rows.append(
            place
            | {"attack": name, "needed": needed()}
            | {"ours": float(np.mean([reached(one_ETR) for one_ETR in signed_KETR]))}
            | {"best": float(np.mean([reached(one_ETR) for one_ETR in best_KETR]))}
        )
    return rows


def _signed(settings: Settings, task: Task, attack: Attack, number: int) -> np.ndarray:
    """float32[E,T,R]: the evidence of each ear times the sign that the cell carries."""
    marked = mark(settings, task.clip, task.rate, 1000 * task.number + number)
    rng = np.random.default_rng([task.number, number])
    cells_ETR = ours.ears(*attack(marked.wave, task.rate, rng))
    _, cells, rows = cells_ETR.shape
    at_T = (marked.start + np.arange(cells)) % ours.PERIOD
    return cells_ETR * ours.true_signs(marked.key, marked.payload)[at_T, :rows]


def _weighed(signed_KETR: np.ndarray, key: int) -> np.ndarray:
    """float32[E+1,T,R]: the evidence of each ear, and of all together, by the best weights."""
    others_KETR = np.delete(signed_KETR, key, 0)
    smooth = functools.partial(uniform_filter, size=(1, *NEAR))
    mean_ETR = np.maximum(smooth(others_KETR.mean(0)), 0)
    trust_ETR = mean_ETR / (smooth((others_KETR**2).mean(0)) + LEAST_VARIANCE)
    weighed_ETR = trust_ETR * signed_KETR[key]
    return np.concatenate([weighed_ETR, weighed_ETR.sum(0, keepdims=True)])


def _reached(signed_ETR: np.ndarray, seconds: float) -> float:
    """The largest T of an ear, in any piece of so many seconds."""
    cells = min(round(seconds / ours.CELL_SECONDS), signed_ETR.shape[1])
    sum_ET, square_ET = signed_ETR.sum(2), np.square(signed_ETR).sum(2)
    pieces = [np.lib.stride_tricks.sliding_window_view(x, cells, 1) for x in (sum_ET, square_ET)]
    return float(np.max(pieces[0].sum(2) / np.sqrt(pieces[1].sum(2) + 1e-30)))


@functools.cache
def needed() -> float:
    """The T with which a clip as a whole is claimed, its payload being read."""
    at_T = np.linspace(5, 12, 7001)
    log_p_T = math.log(ours.whole_hypotheses()) + special.log_ndtr(-at_T)
    return float(at_T[np.argmax(log_p_T <= math.log(ours.CLAIM))])


def report(rows: Sequence[dict]) -> str:
    """Shares of clips beyond the T that a whole clip needs, and the clips that fall short."""
    lines = []
    for rate, name in dict.fromkeys((row["rate"], row["attack"]) for row in rows):
        part = [row for row in rows if (row["rate"], row["attack"]) == (rate, name)]
        short = [
            f"{row['clip']} ({row['ours']:.1f} / {row['best']:.1f})"
            for row in part
            if row["ours"] < row["needed"]
        ]
        shares = [
            percent(np.mean([row[who] >= row["needed"] for row in part]))
            for who in ("ours", "best")
        ]
        lines.append([f"{name}, {rate} Hz", *shares, ", ".join(short) or "–"])
    header = ("attack", "ours", "best weights", "clips that fall short (T ours / best)")
    return f"T needed: {needed():.1f}.\n\n{table(header, lines)}"
