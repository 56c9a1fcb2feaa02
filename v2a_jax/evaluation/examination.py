"""How a question is put to a set of soundtracks, and its answer set between two bounds.

Each clip answers with a row of additive terms; a figure is the ratio of two of their sums over
clips. Lower bound: shuffled, the sound made for another clip of the same class scored against this
one. Upper bound: the codec's round trip of the true sound, which no latent model can surpass by
much. Rows named `_true` score the true sound itself: what the judge, not the model, gets wrong.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from v2a_jax.evaluation.bootstrap import estimate, quotient, ratio
from v2a_jax.evaluation.clips import Clip
from v2a_jax.evaluation.scores import Answers, Sampling, Score, Sheet, clip_score
from v2a_jax.evaluation.soundtracks import Soundtracks
from v2a_jax.evaluation.spectral import mono

Rows = np.ndarray  # float[n,K]: K additive terms of each of n clips


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure:
    """The ratio of terms `over` and `under`, its unit, and the value of a perfect sound.

    Of a signed figure `size` is the term that has no sign: shuffled sounds miss to both sides, and
    how far they do is the lower bound, on the side of the value.
    """

    over: int
    under: int
    unit: str
    ideal: float
    size: int | None = None

    def of(self, rows: Rows) -> Rows:
        """The figure's own two terms."""
        return rows[:, [self.over, self.under]]

    def lower_bound(self, shuffled: Rows, value: float) -> float:
        """What sounds of other clips reach."""
        if self.size is None:
            return estimate(self.of(shuffled), ratio)
        return math.copysign(estimate(shuffled[:, [self.size, self.under]], ratio), value)


SHARE = Figure(over=0, under=1, unit="share", ideal=1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examination:
    """A question to soundtracks.

    figures  what is read from the terms, by name
    asks     whether a clip can answer; `needs` says in words what it takes
    terms    the terms of a sound, one channel float32[N], scored against a clip
    unlike   whether the lower bound is of sounds for clips that cannot answer, not of shuffled ones
    """

    figures: Mapping[str, Figure]
    needs: str
    asks: Callable[[Clip], bool]
    terms: Callable[[np.ndarray, Clip], Sequence[float]]
    unlike: bool = False

    def others(self, positions: Sequence[int], tracks: Soundtracks) -> list[int]:
        """For each position the clip whose sound gives the lower bound; fewer where none can."""
        if not self.unlike:
            return shuffled(positions, tracks)
        rest = [i for i in range(len(tracks.clips)) if i not in positions]
        return list(itertools.islice(itertools.cycle(rest), len(positions)))

    def rows(self, sounds: Sequence[np.ndarray], clips: Sequence[Clip]) -> Rows:
        """The terms of each sound against its clip."""
        return np.array(
            [self.terms(mono(x), clip) for x, clip in zip(sounds, clips, strict=True)], float
        )


def shuffled(positions: Sequence[int], tracks: Soundtracks) -> list[int]:
    """For each of two positions or more another one, of the same first label where that has two."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for i in positions:
        groups.setdefault(tracks.clips[i].labels[:1], []).append(i)
    alone = [group[0] for group in groups.values() if len(group) == 1]
    together = [group for group in groups.values() if len(group) > 1]
    partner = {}
    for group in (*together, alone):
        partner |= dict(zip(group, group[1:] + group[:1], strict=True))
    if len(alone) == 1:
        partner[alone[0]] = next(i for i in positions if i != alone[0])
    return [partner[i] for i in positions]


def pick(sounds: Mapping[int, np.ndarray], positions: Sequence[int]) -> list[np.ndarray]:
    """The sounds at `positions`."""
    return [sounds[i] for i in positions]


def sources(tracks: Soundtracks) -> dict[str, Mapping[int, np.ndarray]]:
    """What is examined, by the ending of its rows' names: sounds of all clips."""
    every = {
        "": tracks.prompted,
        "_true": tracks.true,
        "_untrained": tracks.untrained,
        "_nearest": tracks.nearest,
    }
    return {suffix: sounds for suffix, sounds in every.items() if sounds}


def examine(
    sheet: Sheet, examination: Examination, tracks: Soundtracks, sampling: Sampling
) -> None:
    """Adds each figure of generated sound between its bounds, then of other sound.

    With fewer than two clips that can answer, a note that says so.
    """
    positions = [i for i, clip in enumerate(tracks.clips) if examination.asks(clip)]
    others = examination.others(positions, tracks) if len(positions) > 1 else []
    if not others:
        sheet.skip(next(iter(examination.figures)), f"needs two clips {examination.needs}")
        return
    clips = pick(tracks.clips, positions)
    ids = tuple(clip.provenance for clip in clips)
    ceiling = examination.rows(pick(tracks.round_trip, positions), clips)
    for suffix, sounds in sources(tracks).items():
        rows = examination.rows(pick(sounds, positions), clips)
        floor = examination.rows(pick(sounds, others), clips)
        for name, figure in examination.figures.items():
            best = figure.ideal if suffix == "_true" else estimate(figure.of(ceiling), ratio)
            own = figure.of(rows)
            score = clip_score(
                own,
                lower_bound=figure.lower_bound(floor, estimate(own, ratio)),
                upper_bound=best,
                unit=figure.unit,
                sampling=sampling,
            )
            answers = None if suffix else Answers(clips=ids, terms=own)
            sheet.add(name + suffix, score, answers)


def one_figure(
    question: Examination,
    name: str,
    tracks: Soundtracks,
    sounds: Mapping[int, np.ndarray],
    positions: Sequence[int],
    ceiling: Sequence[int],
    sampling: Sampling,
) -> Score:
    """One figure of other sounds than the prompted ones, at `positions`.

    Lower bound: shuffled; upper bound: the round trip of the clips at `ceiling`.
    """

    def terms(heard: Mapping[int, np.ndarray], of: Sequence[int], against: Sequence[int]) -> Rows:
        return _terms(question, name, pick(heard, of), pick(tracks.clips, against))

    others = shuffled(positions, tracks)
    return clip_score(
        terms(sounds, positions, positions),
        lower_bound=estimate(terms(sounds, others, positions), ratio),
        upper_bound=estimate(terms(tracks.round_trip, ceiling, ceiling), ratio),
        unit=question.figures[name].unit,
        sampling=sampling,
    )


def kept_figure(
    question: Examination,
    name: str,
    tracks: Soundtracks,
    sounds: Mapping[int, np.ndarray],
    positions: Sequence[int],
    sampling: Sampling,
) -> Score:
    """One figure of other sounds over that of the prompted ones, both at `positions`.

    Lower bound: that of the prompted ones, shuffled; upper bound: all of it.
    """
    clips, others = pick(tracks.clips, positions), shuffled(positions, tracks)
    clean, other, shuffle = (
        _terms(question, name, pick(heard, of), clips)
        for heard, of in (
            (tracks.prompted, positions),
            (sounds, positions),
            (tracks.prompted, others),
        )
    )
    return clip_score(
        np.concatenate([other, clean], axis=1),
        lower_bound=estimate(np.concatenate([shuffle, clean], axis=1), quotient(ratio)),
        upper_bound=1.0,
        unit="share",
        sampling=sampling,
        statistic=quotient(ratio),
    )


def _terms(
    question: Examination, name: str, sounds: Sequence[np.ndarray], clips: Sequence[Clip]
) -> Rows:
    """One figure's two terms of each sound against its clip."""
    return question.figures[name].of(question.rows(sounds, clips))
