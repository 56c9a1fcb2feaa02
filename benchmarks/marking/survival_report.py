"""What became of the marked clips: rates by attack and by kind of clip, and the misses."""

from collections.abc import Sequence

import numpy as np

from marking.ours import PAYLOAD_BITS
from marking.tables import percent, share, table

MISSES = 40  # attacks whose misses are listed, those with fewest first


def report(rows: Sequence[dict]) -> str:
    """Three tables in Markdown."""
    return "\n\n".join(
        (
            "### By attack\n\nFound, with its interval, then payload right (of all clips), then "
            "the bit error rate where a payload was read; percent.",
            _by_attack(rows),
            "### By kind of clip\n\nFound over all attacks and mixes, percent.",
            _by_kind(rows),
            "### Misses",
            _misses(rows),
        )
    )


def _by_attack(rows: Sequence[dict]) -> str:
    rates = _values(rows, "rate")
    header = ["attack", *(f"{rate} Hz" for rate in rates)]
    lines = []
    for group in _values(rows, "group"):
        lines.append([f"**{group}**", *[""] * len(rates)])
        for attack in _values(_where(rows, group=group), "attack"):
            cells = (_cell(_where(rows, attack=attack, rate=rate)) for rate in rates)
            lines.append([attack, *cells])
    totals = (_cell(_where(rows, rate=rate)) for rate in rates)
    return table(header, [*lines, ["**all**", *totals]])


def _by_kind(rows: Sequence[dict]) -> str:
    rates = _values(rows, "rate")
    lines = []
    for kind in _values(rows, "kind"):
        clips = len(_values(_where(rows, kind=kind), "clip"))
        found = (_where(rows, kind=kind, rate=rate) for rate in rates)
        lines.append([kind, clips, *(share([row["found"] for row in part]) for part in found)])
    return table(["kind", "clips", *(f"{rate} Hz" for rate in rates)], lines)


def _misses(rows: Sequence[dict]) -> str:
    missed: dict[tuple[str, int], list[str]] = {}
    for row in rows:
        if not row["found"]:
            line = f"{row['clip']} ({row['log10_p']:.1f})"
            missed.setdefault((row["attack"], row["rate"]), []).append(line)
    fewest = sorted(missed.items(), key=lambda one: len(one[1]))[:MISSES]
    lines = [(attack, rate, ", ".join(clips)) for (attack, rate), clips in fewest]
    return table(["attack", "rate", "clips missed (log10 p)"], lines)


def _cell(rows: Sequence[dict]) -> str:
    found = [row["found"] for row in rows]
    right = np.mean([row["bit_errors"] == 0 for row in rows])
    wrong = [row["bit_errors"] for row in rows if row["bit_errors"] is not None]
    errors = f"{100 * np.mean(wrong) / PAYLOAD_BITS:.1f}" if wrong else "–"
    return f"{share(found)} / {percent(right)} / {errors}"


def _values(rows: Sequence[dict], field: str) -> list:
    return list(dict.fromkeys(row[field] for row in rows))


def _where(rows: Sequence[dict], **wanted: object) -> list[dict]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]
