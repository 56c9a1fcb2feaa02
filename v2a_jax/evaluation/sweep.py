"""Scores as one thing is turned up: a setting of the sampler, or the damage done to the video.

Each value is an evaluation of prompted sound, beside sound without words where that says what the
words bring, on the same clips with the same seeds. What damage costs is the area under
score(severity) / score(0), 1 where it costs nothing.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.integrate import trapezoid

from v2a_jax.errors import UserError
from v2a_jax.evaluation.clips import Clip
from v2a_jax.evaluation.glossary import title_of
from v2a_jax.evaluation.judges import Judges
from v2a_jax.evaluation.protocol import EvaluationConfig, evaluate
from v2a_jax.evaluation.scores import Score
from v2a_jax.evaluation.soundtracks import Generator
from v2a_jax.evaluation.takes import Damage

COLUMNS, WIDTH, HEIGHT = 3, 3.4, 2.5  # inches
SETTINGS = (
    *("steps", "video_scale", "text_scale", "transcript_scale"),
    *("guidance_begin", "guidance_end", "guidance_rescale", "best_of"),
)
WHOLE = ("steps", "best_of")  # those that are whole numbers
CONDITIONS = ("prompted", "unprompted")
NOT_OF_SOUND = ("codec_", "failures")  # the same whatever is turned


@dataclasses.dataclass(frozen=True, kw_only=True)
class Turned:
    """One value of what is turned, with the generator and the clips that it makes."""

    value: float
    generator: Generator
    clips: Sequence[Clip]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
    """Scores by name, one for each of `values` of `name`."""

    name: str
    values: tuple[float, ...]
    scores: Mapping[str, tuple[Score, ...]]

    def kept(self) -> dict[str, float]:
        """Of damage from 0 on: the mean share of each score without damage that is left with it."""
        if self.name in SETTINGS or self.values[0] != 0:
            return {}
        lines = {name: [each.value for each in line] for name, line in self.scores.items()}
        span = self.values[-1] - self.values[0]
        return {
            name: float(trapezoid(np.divide(line, line[0]), self.values) / span)
            for name, line in lines.items()
            if line[0]
        }

    def write(self, path: Path) -> None:
        """JSON of all scores."""
        scores = {
            name: [dataclasses.asdict(each) for each in line] for name, line in self.scores.items()
        }
        whole = {"name": self.name, "values": self.values, "scores": scores, "kept": self.kept()}
        path.write_text(json.dumps(whole, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def parse(text: str, artefacts: Iterable[str]) -> tuple[str, tuple[float, ...]]:
    """(name, values) of `NAME:VALUE,VALUE,..`, ascending; UserError for anything else.

    A name is a setting's or an artefact's.
    """
    name, colon, rest = text.partition(":")
    try:
        values = tuple(sorted({float(value) for value in rest.split(",")}))
    except ValueError:
        values = ()
    if not (name and colon and len(values) > 1 and np.isfinite(values).all()):
        raise UserError(f"sweep '{text}' is not NAME:VALUE,VALUE,.. of two numbers or more")
    if name in artefacts and not 0 <= values[0] <= values[-1] <= 1:
        raise UserError(f"sweep: severities of {name} must lie in [0, 1]")
    known = (*SETTINGS, *artefacts)
    if name not in known:
        raise UserError(f"sweep: no '{name}' (one of: {', '.join(known)})")
    if name in WHOLE and any(value % 1 for value in values):
        raise UserError(f"sweep: {name} must be whole numbers")
    return name, values


def turn(
    name: str,
    values: Iterable[float],
    generator: Generator,
    clips: Sequence[Clip],
    artefacts: Mapping[str, Damage],
) -> Iterator[Turned]:
    """What each value of a setting, or each severity of an artefact, is evaluated with."""
    for value in values:
        if name in artefacts:
            damaged = _Damaged(clips, artefacts[name], value)
            yield Turned(value=value, generator=generator, clips=damaged)
        elif name == "best_of":
            yield Turned(value=value, generator=generator.with_candidates(int(value)), clips=clips)
        else:
            number = int(value) if name == "steps" else value
            other = generator.with_settings(**{name: number})
            yield Turned(value=value, generator=other, clips=clips)


@dataclasses.dataclass(frozen=True)
class _Damaged(Sequence):
    """Clips with an artefact in their video, always the same in the same clip."""

    clips: Sequence[Clip]
    damage: Damage
    severity: float

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Clip:
        clip, rng = self.clips[index], np.random.default_rng(index)
        if clip.video is None:
            return clip
        video = self.damage(clip.video, severity=self.severity, rng=rng)
        return dataclasses.replace(clip, video=video)


def run(name: str, turned: Iterable[Turned], judges: Judges, config: EvaluationConfig) -> Sweep:
    """Evaluates each; scores that not every value has are left out."""
    values, columns = [], []
    for each in turned:
        done = evaluate(each.generator, each.clips, judges, config, conditions=CONDITIONS)
        values.append(each.value)
        columns.append(done.scores)
    shared = [
        name
        for name in columns[0]
        if all(name in scores for scores in columns) and not name.startswith(NOT_OF_SOUND)
    ]
    if not shared:
        raise UserError(f"sweep of {name}: nothing can be measured on these clips at every value")
    return Sweep(
        name=name,
        values=tuple(values),
        scores={name: tuple(scores[name] for scores in columns) for name in shared},
    )


def draw(sweep: Sweep, path: Path) -> None:
    """A panel a score: the value with its interval, between its bounds. PNG."""
    names = [name for name in sweep.scores if not name.endswith("_true")]
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(COLUMNS * WIDTH, rows * HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    for place, name in enumerate(names, 1):
        panel, line = figure.add_subplot(rows, COLUMNS, place), sweep.scores[name]
        panel.fill_between(sweep.values, *np.transpose([(s.low, s.high) for s in line]), alpha=0.25)
        panel.plot(sweep.values, [score.value for score in line], "o-")
        for bound in ("lower_bound", "upper_bound"):
            panel.plot(sweep.values, [getattr(s, bound) for s in line], ":", color="grey")
        panel.set_title(title_of(name)[0], fontsize=9)
        panel.set_xlabel(sweep.name, fontsize=8)
    figure.savefig(path, dpi=90)
