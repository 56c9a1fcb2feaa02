"""The retention table: how many went into each stage, how many were dropped there, and why."""

import collections
from collections.abc import Iterable
from typing import Any

UNITS = {
    "read": "rows",
    "policy": "clips",
    "probe": "clips",
    "cut": "windows",
    "decode": "windows",
    "filter": "windows",
}


class Retention:
    """Counts what each stage keeps."""

    def __init__(self) -> None:
        self._entering: collections.Counter[str] = collections.Counter()
        self._reasons: dict[str, collections.Counter[str]] = {
            stage: collections.Counter() for stage in UNITS
        }

    def enter(self, stage: str, count: int) -> None:
        """`count` more units come to a stage from outside: `read` or `cut`."""
        self._entering[stage] += count

    def drop(self, stage: str, reason: str) -> None:
        """One unit is dropped at a stage."""
        self._reasons[stage][reason] += 1

    def stages(self) -> list[dict[str, Any]]:
        """For each stage: its name, unit, what came in, what went out, and drops by reason."""
        told, left = [], 0
        for stage, unit in UNITS.items():
            reasons = dict(sorted(self._reasons[stage].items()))
            entering = self._entering.get(stage, left)
            left = entering - sum(reasons.values())
            row = {"stage": stage, "unit": unit, "in": entering, "out": left, "dropped": reasons}
            told.append(row)
        return told


def as_text(stages: Iterable[dict[str, Any]]) -> str:
    """The table to be read."""
    lines = [f"{'stage':8} {'in':>9} {'out':>9}           dropped"]
    for row in stages:
        reasons = ", ".join(f"{count} {reason}" for reason, count in row["dropped"].items())
        lines.append(
            f"{row['stage']:8} {row['in']:9,} {row['out']:9,} {row['unit']:9} {reasons or '-'}"
        )
    return "\n".join(lines)
