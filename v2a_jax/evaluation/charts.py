"""Score bars and training curves as HTML and inline SVG that follow the page's colours."""

import html
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.evaluation.glossary import title_of
from v2a_jax.evaluation.scores import Score

CURVE_POINTS = 120
OVERSHOOT = 0.25  # how far beyond the bounds a bar may reach, of the way between them
WIDTH, HEIGHT = 320, 120
CURVES = {  # of a stage, what it logs whatever its configuration
    "Codec: loss": ("codec", "loss"),
    "Perception: predicting the sound": ("perception", "sound"),
    "Diffusion: velocity error": ("diffusion", "velocity"),
}

Curves = Mapping[str, tuple[np.ndarray, np.ndarray]]


def figure(value: float) -> str:
    """Three significant digits, without a needless exponent: 0.934, 12.5, 60."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def score_row(name: str, score: Score) -> str:
    """One row of the table: name and meaning, value with interval, bar, n."""
    title, meaning, variant = title_of(name)
    heading = (
        f'<span class="variant">{html.escape(variant)}</span>'
        if variant
        else (
            f'<span class="metric">{html.escape(title)}</span>'
            f'<span class="meaning">{html.escape(meaning)}</span>'
        )
    )
    unit = "" if score.unit in ("share", "ratio") else f" {html.escape(score.unit)}"
    interval = f"{figure(score.low)} to {figure(score.high)}"
    return (
        f'<tr class="{"of-variant" if variant else "of-model"}"><th scope="row">{heading}</th>'
        f'<td class="value"><b>{figure(score.value)}</b>{unit}<small>{interval}</small></td>'
        f'<td class="bounds">{score_bar(score)}</td><td class="n">{score.n}</td></tr>'
    )


def score_bar(score: Score) -> str:
    """The value and its interval on the way from the lower to the upper bound, left to right."""
    if score.lower_bound == score.upper_bound:
        return f'<span class="meaning">both bounds are {figure(score.lower_bound)}</span>'
    # The bounds are measured too: a value may lie outside them, and the axis then grows somewhat.
    ends = sorted(map(score.place, (score.low, score.high)))
    low, high = np.clip(ends, -OVERSHOOT, 1 + OVERSHOOT)
    left, right = min(0.0, low), max(1.0, high)
    mark = min(max(score.place(score.value), left), right)

    def percent(position: float) -> str:
        return f"{100.0 * (position - left) / (right - left):.2f}%"

    width = f"{100.0 * (high - low) / (right - left):.2f}%"
    track = f"{100.0 / (right - left):.2f}%"
    said = (
        f"{figure(score.value)}, between lower bound {figure(score.lower_bound)} "
        f"and upper bound {figure(score.upper_bound)}"
    )
    return (
        f'<div class="bar" role="img" aria-label="{said}">'
        f'<i class="reach" style="left:{percent(0.0)};width:{track}"></i>'
        f'<i class="interval" style="left:{percent(low)};width:{width}"></i>'
        f'<i class="mark" style="left:{percent(mark)}"></i></div>'
        f'<div class="ends" aria-hidden="true" style="margin-left:{percent(0.0)};width:{track}">'
        f"<span>{figure(score.lower_bound)}</span>"
        f"<span>{figure(score.upper_bound)}</span></div>"
    )


def read_curves(workdir: str | Path | None) -> Curves:
    """Steps and values by title, of the run in `workdir`; none without one.

    Raises UserError as `read_curve` does.
    """
    if workdir is None:
        return {}
    return {
        title: read_curve(Path(workdir) / stage / "metrics.jsonl", key)
        for title, (stage, key) in CURVES.items()
    }


def read_curve(path: str | Path, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of `key` in a JSON-lines file of metrics; lines without it are passed over.

    Raises UserError where there is none, and for a line that is no JSON object with a step.
    """
    steps, values = [], []
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no metrics of a run can be read there ({error})") from error
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            if key in row and math.isfinite(row[key]):
                steps.append(float(row["step"]))
                values.append(float(row[key]))
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(f"{path}, line {number}: not a line of metrics") from error
    return np.array(steps), np.array(values)


def curve(title: str, steps: np.ndarray, values: np.ndarray) -> str:
    """A small chart of a quantity over training steps, averaged down to a hundred points or so."""
    shares = [s for s in np.array_split(np.arange(len(steps)), CURVE_POINTS) if len(s)]
    xs = np.array([steps[share].mean() for share in shares])
    ys = np.array([values[share].mean() for share in shares])
    reach = max(float(np.ptp(xs)), 1e-9), max(float(np.ptp(ys)), 1e-9)
    points = " ".join(
        f"{(x - xs.min()) / reach[0] * WIDTH:.1f},{HEIGHT - (y - ys.min()) / reach[1] * HEIGHT:.1f}"
        for x, y in zip(xs, ys, strict=True)
    )
    label = f"{title}: from {figure(ys[0])} to {figure(ys[-1])} in {figure(steps[-1])} steps"
    return (
        f'<figure class="curve"><figcaption>{html.escape(title)} '
        f"<b>{figure(ys[-1])}</b></figcaption>"
        f'<svg viewBox="-2 -4 {WIDTH + 4} {HEIGHT + 8}" preserveAspectRatio="none" role="img" '
        f'aria-label="{html.escape(label)}"><polyline points="{points}"/></svg>'
        f'<div class="ends"><span>{figure(ys.max())} to {figure(ys.min())}</span>'
        f"<span>{figure(steps[-1])} steps</span></div></figure>"
    )


def curves(series: Curves) -> str:
    """Charts of all series (title -> steps and values) that have at least two points."""
    return "".join(curve(title, *pair) for title, pair in series.items() if len(pair[0]) > 1)
