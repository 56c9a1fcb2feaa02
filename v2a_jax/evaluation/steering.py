"""What words do to the sound: prompts that bring off-screen sounds, in full, in short, and not.

Hits are judged by the tagger. Lower bounds: no prompt, or what the tagger imagines; upper bounds:
the codec's round trip of true sound that has the class.
"""

import numpy as np

from v2a_jax.evaluation.bootstrap import difference, ratio
from v2a_jax.evaluation.clips import is_timed, off_screen
from v2a_jax.evaluation.examination import one_figure
from v2a_jax.evaluation.hearing import Hearing, add_rate, by_clip
from v2a_jax.evaluation.scores import Sampling, Sheet, clip_score
from v2a_jax.evaluation.soundtracks import Soundtracks
from v2a_jax.evaluation.sync import ON_TIME, onsets

WORDINGS = {"": "prompted", "_short": "short", "_empty": "unprompted"}  # rows and soundtracks


def add_prompts(sheet: Sheet, tracks: Soundtracks, hearing: Hearing, sampling: Sampling) -> None:
    """`prompt_*`: do words bring off-screen sounds?"""
    named = hearing.known({i: off_screen(tracks.clips[i]) for i in tracks.unprompted})
    if not named:
        sheet.skip("prompt_hit_rate", "no clip has an off-screen sound that the tagger knows")
        return
    prompted, unprompted, true = (
        hearing.hits(which, named) for which in ("prompted", "unprompted", "true")
    )
    floor, top = float(unprompted.mean()), hearing.rate("round_trip", named)
    rest = {"lower_bound": floor, "sampling": sampling}
    add_rate(sheet, "prompt_hit_rate", hearing, named, prompted, upper_bound=top, **rest)
    best = clip_score(by_clip(named, true), upper_bound=1.0, unit="share", **rest)
    sheet.add("prompt_hit_rate_true", best)
    gain = clip_score(
        np.concatenate([by_clip(named, hits) for hits in (prompted, unprompted)], axis=1),
        lower_bound=0.0,
        upper_bound=top - floor,
        unit="share",
        sampling=sampling,
        statistic=difference(ratio),
    )
    sheet.add("prompt_gain", gain)


def add_wordings(sheet: Sheet, tracks: Soundtracks, hearing: Hearing, sampling: Sampling) -> None:
    """`wording_hit_rate`: is an off-screen sound heard by the full caption, the short, and none?"""
    named = hearing.known({i: off_screen(tracks.clips[i]) for i in tracks.short})
    if not named:
        sheet.skip("wording_hit_rate", "no clip with a short caption has an off-screen sound")
        return
    bounds = {
        "lower_bound": hearing.false_alarms(named),
        "upper_bound": hearing.rate("round_trip", named),
    }
    for suffix, which in WORDINGS.items():
        hits, name = hearing.hits(which, named), f"wording_hit_rate{suffix}"
        add_rate(sheet, name, hearing, named, hits, sampling=sampling, **bounds)


def add_wording_onsets(sheet: Sheet, tracks: Soundtracks, sampling: Sampling) -> None:
    """`wording_onset_f1_50ms`: is what is seen on time, however it is put?"""
    positions = [i for i in tracks.short if is_timed(tracks.clips[i])]
    name = f"wording_{ON_TIME}"
    if len(positions) < 2:
        sheet.skip(name, "needs two clips with a short caption and on-screen events alone")
        return
    for suffix, which in WORDINGS.items():
        sounds = getattr(tracks, which)
        score = one_figure(onsets(), ON_TIME, tracks, sounds, positions, positions, sampling)
        sheet.add(name + suffix, score)
