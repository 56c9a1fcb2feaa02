"""Pictures of the results: what is found after each attack, and how p-values are distributed."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from marking.tables import CONFIDENCE
from v2a_jax.evaluation.bootstrap import wilson_interval

matplotlib.use("agg")
from matplotlib import pyplot  # noqa: E402

ROW_INCHES, PANEL_INCHES = 0.16, 3.2
COLOURS = pyplot.get_cmap("tab10").colors
SMALLEST = 1e-7  # p-values below are drawn here


def attacks(rows: Sequence[dict], path: Path) -> None:
    """Bars of the share found after each attack, with intervals, a panel for each rate."""
    rates = list(dict.fromkeys(row["rate"] for row in rows))
    names = list(dict.fromkeys(row["attack"] for row in rows))
    group = {row["attack"]: row["group"] for row in rows}
    groups = list(dict.fromkeys(group.values()))
    figure, panels = pyplot.subplots(
        1,
        len(rates),
        sharey=True,
        squeeze=False,
        layout="constrained",
        figsize=(2 + PANEL_INCHES * len(rates), 1 + ROW_INCHES * len(names)),
    )
    for panel, rate in zip(panels[0], rates, strict=True):
        for place, name in enumerate(names):
            hits = [row["found"] for row in rows if row["attack"] == name and row["rate"] == rate]
            if hits:
                low, high = wilson_interval(sum(hits), len(hits), confidence=CONFIDENCE)
                colour = COLOURS[groups.index(group[name]) % len(COLOURS)]
                panel.barh(place, 100 * np.mean(hits), color=colour)
                panel.plot([100 * low, 100 * high], [place, place], color="black", linewidth=0.8)
        panel.set(title=f"{rate} Hz", xlabel="found, %", xlim=(0, 100))
        panel.set_yticks(range(len(names)), names, fontsize=7)
        panel.margins(y=0.005)
    panels[0][0].invert_yaxis()
    _save(figure, path)


def calibration(rows: Sequence[dict], path: Path) -> None:
    """Share of unmarked p-values at or below x, by sort of sound, and the bound: x itself."""
    figure, panel = pyplot.subplots(figsize=(6, 5), layout="constrained")
    level = np.logspace(np.log10(SMALLEST), 0, 200)
    panel.plot(level, level, "k--", label="bound")
    for sort in ("all", *dict.fromkeys(row["sort"] for row in rows)):
        part = [row["log10_p"] for row in rows if sort in (row["sort"], "all")]
        p = np.sort(10.0 ** np.concatenate(part))
        share = np.searchsorted(p, level, side="right") / len(p)
        shown = share > 0
        width = 2.5 if sort == "all" else 1
        label = f"{sort} ({len(p)} pairs)"
        panel.step(level[shown], share[shown], where="post", linewidth=width, label=label)
    panel.set(xscale="log", yscale="log", xlabel="x", ylabel="share of p-values ≤ x")
    panel.legend(fontsize=8)
    _save(figure, path)


def _save(figure: pyplot.Figure, path: Path) -> None:
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
