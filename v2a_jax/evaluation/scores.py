"""A figure never stands alone: its interval, and what is scored by knowing nothing and everything.

`lower_bound` is reached without looking or listening (another clip's sound, no prompt);
`upper_bound` is the best this measurement can give (the codec's round trip of the true sound).
For distances and error rates the lower bound is therefore the larger number.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from v2a_jax.evaluation.bootstrap import (
    Statistic,
    estimate,
    percentile_interval,
    ratio,
    wilson_interval,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """A measured value with its confidence interval (low, high), its bounds, and n clips."""

    value: float
    low: float
    high: float
    lower_bound: float
    upper_bound: float
    n: int
    unit: str

    @property
    def complete(self) -> bool:
        """Whether value, interval and both bounds were measured."""
        figures = (self.value, self.low, self.high, self.lower_bound, self.upper_bound)
        return all(map(math.isfinite, figures))

    def place(self, value: float) -> float:
        """Where a value lies on the way from the lower bound, 0, to the upper one, 1.

        The bounds must differ.
        """
        return (value - self.lower_bound) / (self.upper_bound - self.lower_bound)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What a figure is made of: ids of its n clips, and the two terms of each, float[n,2]."""

    clips: tuple[str, ...]
    terms: np.ndarray


class Sheet:
    """Scores by name; what could not be measured is kept apart, with the reason.

    `answers` are the clips' own terms of some of them, for comparing two runs clip by clip.
    """

    def __init__(self) -> None:
        self.scores: dict[str, Score] = {}
        self.skipped: dict[str, str] = {}
        self.answers: dict[str, Answers] = {}

    def add(self, name: str, score: Score, answers: Answers | None = None) -> None:
        """Takes a score; one without an interval or a bound is a figure without meaning."""
        if not score.complete:
            self.skipped[name] = "its value or one of its bounds is undefined on these clips"
            return
        self.scores[name] = score
        if answers is not None:
            self.answers[name] = answers

    def withdraw(self, name: str, reason: str) -> None:
        """Takes back a score, where there is one."""
        self.answers.pop(name, None)
        if self.scores.pop(name, None):
            self.skipped[name] = reason

    def skip(self, name: str, reason: str) -> None:
        """Notes a metric, or a family of metrics, that these clips cannot give."""
        self.skipped[name] = reason


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampling:
    """How intervals are drawn: number of resamples, confidence (0..1), seed."""

    resamples: int
    confidence: float
    seed: int


def clip_score(
    rows_NK: np.ndarray,
    *,
    lower_bound: float,
    upper_bound: float,
    unit: str,
    sampling: Sampling,
    statistic: Statistic = ratio,
) -> Score:
    """Score of a statistic of per-clip terms float[N,K].

    The interval is a percentile bootstrap over clips; of a share of clips, each right or wrong, it
    is Wilson's, which has a width at 0 and at 1 too.
    """
    if statistic is ratio and unit == "share" and _right_or_wrong(rows_NK):
        hits, clips = rows_NK.sum(axis=0)
        low, high = wilson_interval(hits, clips, confidence=sampling.confidence)
    else:
        low, high = percentile_interval(rows_NK, statistic, **vars(sampling))
    return Score(
        value=estimate(rows_NK, statistic),
        low=low,
        high=high,
        lower_bound=lower_bound,
        upper_bound=upper_bound,
        n=len(rows_NK),
        unit=unit,
    )


def trials(hits_N: np.ndarray) -> np.ndarray:
    """Terms float[N,2] of clips that are right or wrong, once each."""
    return np.stack([hits_N, np.ones(len(hits_N))], axis=1)


def _right_or_wrong(rows_N2: np.ndarray) -> bool:
    return bool((rows_N2[:, 1] == 1).all() and np.isin(rows_N2[:, 0], (0, 1)).all())


def write_scores(scores: Mapping[str, Score], path: str | Path) -> None:
    """Writes `scores.json`: strict JSON, so a score that is not complete raises ValueError."""
    text = json.dumps(
        {k: dataclasses.asdict(v) for k, v in scores.items()}, indent=2, allow_nan=False
    )
    Path(path).write_text(text + "\n", encoding="utf-8")


def read_scores(path: str | Path) -> dict[str, Score]:
    """Reads what `write_scores` wrote."""
    stored = json.loads(Path(path).read_text(encoding="utf-8"))
    return {name: Score(**fields) for name, fields in stored.items()}


def markdown_table(scores: Mapping[str, Score], confidence: float) -> str:
    """The same as a Markdown table."""
    lines = [
        f"| metric | lower | **value** ({confidence:.0%} interval) | upper | n | unit |",
        "|---|---|---|---|---|---|",
    ]
    for name, score in scores.items():
        value = f"**{score.value:.3g}** ({score.low:.3g} – {score.high:.3g})"
        bounds = f"{score.lower_bound:.3g}", value, f"{score.upper_bound:.3g}"
        lines.append(f"| {' | '.join((name, *bounds, str(score.n), score.unit))} |")
    return "\n".join(lines)


def format_table(scores: Mapping[str, Score], confidence: float) -> str:
    """Plain text, aligned: one line a score, with its interval between its bounds."""
    interval = f"{confidence:.0%} interval"
    rows = [("metric", "lower", "value", interval, "upper", "n", "unit")]
    for name, score in scores.items():
        span = f"{score.low:.3f} .. {score.high:.3f}"
        bounds = f"{score.lower_bound:.3f}", f"{score.value:.3f}", span, f"{score.upper_bound:.3f}"
        rows.append((name, *bounds, str(score.n), score.unit))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    text_columns = (0, 6)
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column in text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)
