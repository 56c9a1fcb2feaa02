"""Sweeps in one picture: how far each figure comes as a setting of the sampler is turned up.

Reads what `v2a evaluate --sweep` wrote and draws a panel for each file: figures as their part of
the way from the lower bound to the codec's round trip, or as they are (`--plain`).
"""

import argparse
import json
import pathlib
from collections.abc import Mapping, Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from v2a_jax.evaluation.glossary import title_of
from v2a_jax.evaluation.scores import Score

FIGURES = (
    *("onset_f1_50ms", "engine_pitch", "rain_correlation", "scrape_correlation"),
    *("lip_correlation", "word_error_rate", "material_accuracy", "prompt_hit_rate"),
    "false_speech",
)
COLUMNS, WIDTH, HEIGHT = 4, 3.2, 2.7  # inches


def draw(sweeps: Sequence[Mapping], names: Sequence[str], plain: bool, path: pathlib.Path) -> None:
    """A panel each, and one for the legend."""
    columns = min(COLUMNS, len(sweeps) + 1)
    rows = -(-(len(sweeps) + 1) // columns)
    figure = Figure(figsize=(columns * WIDTH, rows * HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel, sweep in zip(panels, sweeps, strict=False):
        for color, name in enumerate(names):
            if name in sweep["scores"]:
                scores = [Score(**score) for score in sweep["scores"][name]]
                line = [s.value if plain else s.place(s.value) for s in scores]
                panel.plot(sweep["values"], line, f"oC{color}-", markersize=3)
        panel.set(title=sweep["name"], ylim=(-0.05, 1.25), xticks=sweep["values"])
        panel.grid(alpha=0.3)
    for empty in panels[len(sweeps) :]:
        empty.axis("off")
    for color, name in enumerate(names):
        panels[-1].plot([], [], f"oC{color}-", label=title_of(name)[0])
    panels[-1].legend(loc="center", frameon=False, fontsize=8)
    figure.savefig(path, dpi=90)


def main() -> None:
    """Reads and draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=pathlib.Path, nargs="+", help="sweep_NAME.json")
    parser.add_argument("--figures", nargs="+", default=FIGURES, help="names of scores")
    parser.add_argument("--plain", action="store_true", help="values as they are")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="PNG")
    options = parser.parse_args()
    sweeps = [json.loads(file.read_text()) for file in options.files]
    draw(sweeps, options.figures, options.plain, options.out)


if __name__ == "__main__":
    main()
