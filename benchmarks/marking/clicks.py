"""What is added before isolated clicks, and to silence: nothing that could be heard."""

from collections.abc import Sequence

import numpy as np

from marking import ours
from marking.marked import Settings
from marking.tables import Verdict, table

SECONDS = 0.503  # before and after the click: on no border of anything
LENGTHS = (0.0, 0.001, 0.005)  # seconds; 0 is a single sample
PEAK = 0.9
TONES = {"digital silence": 0.0, "room tone": 10 ** (-70 / 20)}  # RMS before the click
HIDDEN_MS, LOOK_MS = 2.0, 30.0  # before a click: what it hides, and how far back to look
MARKS = 16  # keys and starts tried, of which the worst counts
NOTHING = 1e-10  # 200 dB under full scale


def clicks(settings: Settings, rate: int) -> list[dict]:
    """A row for each click: peak levels before it, in dB under its own peak."""
    stays = not _added(settings, np.zeros((rate, 2), np.float32), 0, rate).any()
    rows = []
    for length in LENGTHS:
        for behind, tone in TONES.items():
            name = f"{1e3 * length:g} ms" if length else "one sample"
            found = _before(settings, _click(max(round(length * rate), 1), tone, rate), rate)
            rows.append({"click": f"{name}, {behind}", "rate": rate, "silence_stays": stays})
            rows[-1] |= found
    return rows


def report(rows: Sequence[dict]) -> str:
    """The table of clicks."""
    header = (
        "click",
        f"added in the last {HIDDEN_MS:g} ms, dB",
        "how early, ms",
        f"added {LOOK_MS:g} to {HIDDEN_MS:g} ms before, dB",
        "sound there, dB",
    )
    fields = ("late_db", "late_ms", "early_db", "sound_db")
    lines = ([f"{row['click']}, {row['rate']} Hz", *(row[f] for f in fields)] for row in rows)
    return table(header, lines)


def judge(rows: Sequence[dict]) -> list[Verdict]:
    """Earlier than a click hides it, no more is added than sounds there; nothing to silence."""
    early = max(rows, key=lambda row: row["early_db"] - row["sound_db"])
    late = max(rows, key=lambda row: row["late_db"])
    silent = all(row["silence_stays"] for row in rows)
    return [
        Verdict(
            row="clicks gain no pre-echo",
            target=f"{HIDDEN_MS:g} ms before and earlier: under what sounds there",
            measured=f"{early['early_db'] - early['sound_db']:+.1f} dB at worst; later "
            f"{late['late_db']:.0f} dB, {late['late_ms']:.1f} ms before the click",
            passed=early["early_db"] <= early["sound_db"],
        ),
        Verdict(
            row="silence stays digital silence",
            target="yes",
            measured="yes" if silent else "no",
            passed=silent,
        ),
    ]


def _click(samples: int, tone: float, rate: int) -> np.ndarray:
    rng = np.random.default_rng(samples)
    before = round(SECONDS * rate)
    burst = rng.standard_normal(samples) * np.exp(-3 * np.arange(samples) / samples)
    plain = tone * rng.standard_normal(2 * before)
    plain[before : before + samples] += PEAK * burst / np.abs(burst).max()
    return plain.astype(np.float32)[:, None]


def _before(settings: Settings, plain: np.ndarray, rate: int) -> dict:
    """Peaks of what is added before the click, by the worst of many marks."""
    onset, hidden = round(SECONDS * rate), round(HIDDEN_MS / 1e3 * rate)
    far = onset - round(LOOK_MS / 1e3 * rate)
    added_MN = [_added(settings, plain, number, rate)[:onset, 0] for number in range(MARKS)]
    added_N = np.abs(added_MN).max(0)
    late_N = added_N[-hidden:]
    return {
        "late_db": _db(late_N.max()),
        "late_ms": 1e3 * (hidden - int(late_N.argmax())) / rate if late_N.any() else 0.0,
        "early_db": _db(added_N[far:-hidden].max()),
        "sound_db": _db(np.abs(plain[far : onset - hidden]).max()),
    }


def _added(settings: Settings, plain: np.ndarray, number: int, rate: int) -> np.ndarray:
    options = dict(sample_rate=rate, depth=settings.depth, offset=37 * number)
    return ours.mark(plain, ours.throwaway_key("clicks", number), number, **options) - plain


def _db(level: float) -> float:
    return float(20 * np.log10(max(level / PEAK, NOTHING)))
