"""What words do to the sound: prompts that bring off-screen sounds, negatives that take them away.

Hits are judged by the tagger. Lower bounds: no prompt, no effect. Upper bounds: the codec's round
trip of true sound that has the class, or, for its removal, of true sound that lacks it.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from v2a_jax.evaluation.bootstrap import difference, ratio
from v2a_jax.evaluation.clips import off_screen
from v2a_jax.evaluation.examination import Rows, one_figure
from v2a_jax.evaluation.judges import Judges
from v2a_jax.evaluation.scores import Answers, Sampling, Sheet, bootstrap_score, rate_score
from v2a_jax.evaluation.soundtracks import Soundtracks
from v2a_jax.evaluation.spectral import mono
from v2a_jax.evaluation.sync import has_onsets, onsets

RETAINED = "onset_f1_50ms"
Named = Sequence[tuple[int, str]]  # clip position and off-screen class


def add_prompts(sheet: Sheet, tracks: Soundtracks, judges: Judges, sampling: Sampling) -> None:
    """`prompt_*` and `negative_*`: do words bring off-screen sounds, and take them away?"""
    if judges.tagger is None:
        sheet.skip("prompt_hit_rate", "the judges' training clips had no class that some lack")
        return
    named = {
        kind: [
            (position, name)
            for position in sounds
            for name in off_screen(tracks.clips[position])
            if name in judges.tagger.names
        ]
        for kind, sounds in (("asked", tracks.unprompted), ("opposed", tracks.negative))
    }
    if not named["asked"]:
        sheet.skip("prompt_hit_rate", "no clip has an off-screen sound that the tagger knows")
        return
    _add_prompt(sheet, tracks, judges, named["asked"], sampling)
    if not named["opposed"]:
        sheet.skip("negative_hit_rate", "no caption names an off-screen sound and another")
        return
    _add_negative(sheet, tracks, judges, named["opposed"], sampling)


def _heard(
    sounds: Mapping[int, np.ndarray], judges: Judges, sample_rate: int, named: Named
) -> Rows:
    """float[n] of 0 and 1: whether each named class is detected in its clip."""
    positions = sorted({position for position, _ in named})
    found_BK = judges.tagger.detect([mono(sounds[i]) for i in positions], sample_rate)
    row = {position: k for k, position in enumerate(positions)}
    return np.array([found_BK[row[i], judges.tagger.names.index(name)] for i, name in named], float)


def _add_prompt(
    sheet: Sheet, tracks: Soundtracks, judges: Judges, named: Named, sampling: Sampling
) -> None:
    prompted, unprompted, ceiling, true = (
        _heard(sounds, judges, tracks.sample_rate, named)
        for sounds in (tracks.prompted, tracks.unprompted, tracks.round_trip, tracks.true)
    )
    floor, top, ones = float(unprompted.mean()), float(ceiling.mean()), np.ones(len(named))
    sheet.answers["prompt_hit_rate"] = _answers(tracks, named, prompted)
    rest = {"lower_bound": floor, "unit": "share", "sampling": sampling}
    sheet.add("prompt_hit_rate", rate_score(prompted, upper_bound=top, **rest))
    sheet.add("prompt_hit_rate_true", rate_score(true, upper_bound=1.0, **rest))
    gain = bootstrap_score(
        np.stack([prompted, ones, unprompted, ones], axis=1),
        statistic=difference(ratio),
        upper_bound=top - floor,
        **(rest | {"lower_bound": 0.0}),
    )
    sheet.add("prompt_gain", gain)


def _add_negative(
    sheet: Sheet, tracks: Soundtracks, judges: Judges, named: Named, sampling: Sampling
) -> None:
    prompted, negative, ceiling = (
        _heard(sounds, judges, tracks.sample_rate, named)
        for sounds in (tracks.prompted, tracks.negative, tracks.round_trip)
    )
    # What is detected in clips that lack the class is what remains after a perfect removal.
    false_alarms, top = _false_alarms(tracks, judges, named), float(ceiling.mean())
    rest = {"unit": "share", "sampling": sampling}
    sheet.answers["negative_hit_rate"] = _answers(tracks, named, negative)
    hit = rate_score(negative, lower_bound=float(prompted.mean()), upper_bound=false_alarms, **rest)
    sheet.add("negative_hit_rate", hit)
    suppression = bootstrap_score(
        np.stack([prompted - negative, prompted], axis=1),
        lower_bound=0.0,
        upper_bound=1.0 - false_alarms / top if top else float("nan"),
        **rest,
    )
    sheet.add("negative_suppression", suppression)


def _answers(tracks: Soundtracks, named: Named, hits: Rows) -> Answers:
    ids = tuple(f"{tracks.clips[i].provenance} {name}" for i, name in named)
    return Answers(clips=ids, terms=np.stack([hits, np.ones(len(hits))], axis=1))


def _false_alarms(tracks: Soundtracks, judges: Judges, named: Named) -> float:
    """Share of round-trip clips without a class in which it is detected, averaged over `named`."""
    rates = {}
    for name in {name for _, name in named}:
        lacking = [(i, name) for i, clip in enumerate(tracks.clips) if name not in clip.labels]
        heard = _heard(tracks.round_trip, judges, tracks.sample_rate, lacking) if lacking else None
        rates[name] = float("nan") if heard is None else float(heard.mean())
    return float(np.mean([rates[name] for _, name in named]))


def add_retention(sheet: Sheet, tracks: Soundtracks, sampling: Sampling) -> None:
    """`negative_onset_f1_50ms`: is what is seen still heard, on time, with a negative prompt?

    Upper bound: the round trip of clips that never had another sound, as after a perfect removal.
    """
    seen = [i for i, clip in enumerate(tracks.clips) if has_onsets(clip)]
    positions = [i for i in seen if i in tracks.negative]
    clean = [i for i in seen if not off_screen(tracks.clips[i])]
    name = f"negative_{RETAINED}"
    if len(positions) < 2 or not clean:
        sheet.skip(name, "needs two clips with events and another sound, and one without")
        return
    score = one_figure(onsets(), RETAINED, tracks, tracks.negative, positions, clean, sampling)
    sheet.add(name, score)
