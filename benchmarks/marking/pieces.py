"""Section `segments`: a marked piece of a few seconds in a minute that is not marked."""

from collections.abc import Sequence

import numpy as np

from marking import ours
from marking.changes import cropped
from marking.clips import Clip
from marking.marked import Settings, mark
from marking.survival import Task
from marking.tables import Verdict, percent, share, table

TOTAL_SECONDS = 60
LENGTHS = {4: 0.98, 2: 0.90, 1: 0.60}  # seconds: the least share that is to be found
BORDER_MS = 50.0


def locate(settings: Settings, clips: Sequence[Clip], task: Task) -> list[dict]:
    """A row for each length: whether the piece was found, and how far off its borders are."""
    marked = mark(settings, task.clip, task.rate, task.number)
    rows = []
    for length in LENGTHS:
        rng = np.random.default_rng([task.number, length])
        piece = cropped(marked.wave, task.rate, rng, seconds=length).mean(1, keepdims=True)
        around = _unmarked(settings, clips, rng, task.rate)
        first = int(rng.integers(len(around) - len(piece)))
        around[first : first + len(piece)] = piece
        found = ours.detect(around, marked.key, sample_rate=task.rate)
        start = first / task.rate
        off = [
            (abs(segment.start - start), abs(segment.end - start - length))
            for segment in found.segments
            if segment.start < start + length and segment.end > start
        ]
        outcome = ours.outcome(found, marked.payload)
        rows.append(
            {
                "clip": task.clip.name,
                "rate": task.rate,
                "length": length,
                "found": outcome.found and bool(off),
                "payload": outcome.bit_errors == 0,
                "segments": len(found.segments),
                "border_ms": [1e3 * seconds for seconds in min(off, key=sum, default=())],
            }
        )
    return rows


def _unmarked(
    settings: Settings, clips: Sequence[Clip], rng: np.random.Generator, rate: int
) -> np.ndarray:
    """float32[N,1] of TOTAL_SECONDS: clips drawn at random, one after the other."""
    count = -(-TOTAL_SECONDS // int(settings.seconds))
    chosen = rng.integers(len(clips), size=count)
    waves = [clips[one].render(settings.seconds, rate).mean(1, keepdims=True) for one in chosen]
    return np.concatenate(waves)[: TOTAL_SECONDS * rate]


def report(rows: Sequence[dict]) -> str:
    """Found rates and border errors by length and rate."""
    lines = []
    for rate in sorted({row["rate"] for row in rows}, reverse=True):
        for length in LENGTHS:
            part = _where(rows, rate, length)
            lines.append(
                [
                    f"{length} s, {rate} Hz",
                    share([row["found"] for row in part]),
                    percent(float(np.mean([row["payload"] for row in part]))),
                    f"{_border(part):.0f}",
                ]
            )
    header = ("marked", "found, %", "payload right, %", "median border error, ms")
    return table(header, lines)


def judge(rows: Sequence[dict]) -> list[Verdict]:
    """The targets by length and rate, and on the borders."""
    verdicts = []
    for rate in sorted({row["rate"] for row in rows}, reverse=True):
        for length, least in LENGTHS.items():
            found = [row["found"] for row in _where(rows, rate, length)]
            verdicts.append(
                Verdict(
                    row=f"{length} s marked in {TOTAL_SECONDS} s, {rate} Hz",
                    target=f"≥ {percent(least)} %",
                    measured=f"{share(found)} %",
                    passed=float(np.mean(found)) >= least,
                )
            )
        border = _border([row for row in rows if row["rate"] == rate])
        verdicts.append(
            Verdict(
                row=f"median border error, {rate} Hz",
                target=f"≤ {BORDER_MS:.0f} ms",
                measured=f"{border:.0f} ms",
                passed=border <= BORDER_MS,
            )
        )
    return verdicts


def _where(rows: Sequence[dict], rate: int, length: int) -> list[dict]:
    return [row for row in rows if row["rate"] == rate and row["length"] == length]


def _border(rows: Sequence[dict]) -> float:
    """Median over the borders of all pieces that were found, in ms."""
    errors = [error for row in rows for error in row["border_ms"]]
    return float(np.median(errors)) if errors else float("nan")
