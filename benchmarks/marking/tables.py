"""Markdown tables, shares with Wilson's interval, and verdicts on targets."""

import dataclasses
from collections.abc import Iterable, Sequence

from v2a_jax.evaluation.bootstrap import wilson_interval

CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """A target beside what was measured; `passed` is None where nothing was asked for."""

    row: str
    target: str
    measured: str
    passed: bool | None


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table, numbers to three digits."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def share(hits: Sequence[bool]) -> str:
    """Percent of `hits` that are true, with its interval; a dash where there are none."""
    if not len(hits):
        return "–"
    low, high = wilson_interval(sum(hits), len(hits), confidence=CONFIDENCE)
    return f"{percent(sum(hits) / len(hits))} ({100 * low:.1f}–{100 * high:.1f})"


def percent(rate: float) -> str:
    """A rate in percent: never 100 unless it is."""
    return "100" if rate == 1 else f"{min(100 * rate, 99.9):.1f}"


def verdicts(found: Iterable[Verdict]) -> str:
    """The table of all targets."""
    words = {True: "pass", False: "**fail**", None: "–"}
    rows = [(one.row, one.target, one.measured, words[one.passed]) for one in found]
    return table(("target", "wanted", "measured", ""), rows)


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
