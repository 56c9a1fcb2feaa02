"""One picture of all classes, frames above spectrograms: `python -m data_pipelines.world.poster`.

Writes to the path given, docs/world.png without one.
"""

import io
import sys
import textwrap

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from scipy import signal

from data_pipelines.schema import ClipRecord
from data_pipelines.world import WorldConfig, WorldSource, scenes

_SECONDS, _RATE, _SIZE = 3.0, 16000, 64
_FRAMES, _COLUMNS = 5, 3
_COLOURS = 176
_QUIET, _LOUD = -95.0, -35.0  # dB that are black and white
_SHOWN = {"landscape": {"offscreen.present": True, "offscreen.kind": "bell"}}


def poster() -> bytes:
    """PNG of one clip of each class."""
    names = scenes.names()
    rows = -(-len(names) // _COLUMNS)
    figure = Figure(figsize=(10, 1.9 * rows), dpi=84, layout="constrained")
    grid = figure.subplots(2 * rows, _COLUMNS, squeeze=False)
    for place, name in enumerate(names):
        row, column = divmod(place, _COLUMNS)
        _draw(grid[2 * row, column], grid[2 * row + 1, column], name, _clip(name, place))
    for place in range(len(names), rows * _COLUMNS):
        for part in (0, 1):
            grid[2 * (place // _COLUMNS) + part, place % _COLUMNS].axis("off")
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    image = Image.open(drawn).convert("RGB")
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def _clip(name: str, index: int) -> ClipRecord:
    config = WorldConfig(
        seed=0,
        split="train",
        clips=len(scenes.names()),
        seconds=_SECONDS,
        fps=25,
        size=_SIZE,
        sample_rate=_RATE,
        classes=(name,),
        offscreen_probability=0.0,
    )
    return WorldSource(config, _SHOWN.get(name))[index]


def _draw(above, below, name: str, clip: ClipRecord) -> None:  # noqa: ANN001 - matplotlib axes
    chosen = np.linspace(0, len(clip.video) - 1, _FRAMES).astype(int)
    strip = [np.pad(clip.video[k], ((0, 0), (0, 2), (0, 0)), constant_values=255) for k in chosen]
    above.imshow(np.concatenate(strip, axis=1), aspect="auto")
    above.set_title(
        textwrap.shorten(f"{name}: {clip.caption}", 56, placeholder=" .."), fontsize=7, loc="left"
    )
    above.axis("off")
    frequency, time, power = signal.stft(clip.audio[:, 0], _RATE, nperseg=512, noverlap=256)
    level = 20 * np.log10(np.abs(power) + 1e-7)
    below.pcolormesh(time, frequency, level, vmin=_QUIET, vmax=_LOUD, cmap="magma")
    for event in clip.events:
        below.axvline(event.time, color="cyan", linewidth=0.8)
    for hz, values in clip.curves.values():
        scaled = np.array(values) / max(values) * 0.45 * _RATE
        below.plot(np.arange(len(values)) / hz, scaled, color="lime", linewidth=0.8)
    below.set(xlim=(0, _SECONDS), ylim=(0, _RATE / 2), xticks=(), yticks=())


if __name__ == "__main__":
    with open(sys.argv[1] if len(sys.argv) > 1 else "docs/world.png", "wb") as file:
        file.write(poster())
