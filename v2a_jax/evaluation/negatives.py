"""What a negative prompt takes away, and what it leaves.

The same clips, words and seeds with a negative prompt and without: of the classes that the tagger
heard without it, those that are named should be gone, and all others still there.
"""

from v2a_jax.evaluation.clips import has_onsets, is_timed, off_screen, on_screen
from v2a_jax.evaluation.examination import one_figure
from v2a_jax.evaluation.hearing import Hearing, Named, add_rate
from v2a_jax.evaluation.robustness import add_kept
from v2a_jax.evaluation.scores import Sampling, Sheet
from v2a_jax.evaluation.soundtracks import Soundtracks
from v2a_jax.evaluation.sync import ON_TIME, onsets


def add_negatives(sheet: Sheet, tracks: Soundtracks, hearing: Hearing, sampling: Sampling) -> None:
    """`negative_*`, against a sound off screen; `negative_seen_*`, one that is seen to be made;
    `negative_absent_*`, one that the clip lacks.
    """
    clips = tracks.clips
    named = {
        "negative": {i: off_screen(clips[i]) for i in tracks.negative},
        "negative_seen": {i: on_screen(clips[i]) for i in tracks.negative_seen},
        "negative_absent": dict.fromkeys(tracks.negative_absent, ()),
    }
    _add_hit_rate(sheet, hearing, hearing.known(named["negative"]), sampling)
    for kind, names in named.items():
        others = {i: [x for x in clips[i].labels if x not in names[i]] for i in names}
        if kind != "negative_absent":
            _add_suppression(sheet, kind, hearing, hearing.known(names), sampling)
        _add_retention(sheet, kind, hearing, hearing.known(others), sampling)


def _add_hit_rate(sheet: Sheet, hearing: Hearing, named: Named, sampling: Sampling) -> None:
    if not named:
        sheet.skip("negative_hit_rate", "no caption names an off-screen sound and another")
        return
    add_rate(
        sheet,
        "negative_hit_rate",
        hearing,
        named,
        hearing.hits("negative", named),
        lower_bound=hearing.rate("prompted", named),
        # What is heard in clips that lack the class remains after a perfect removal.
        upper_bound=hearing.false_alarms(named),
        sampling=sampling,
    )


def _add_suppression(
    sheet: Sheet, kind: str, hearing: Hearing, named: Named, sampling: Sampling
) -> None:
    """Lower bound: nothing is taken away; upper bound: all but what the tagger imagines."""
    name, before = f"{kind}_suppression", _heard(hearing, named)
    if not before:
        sheet.skip(name, "no class so named is heard without the negative prompt")
        return
    gone, top = 1.0 - hearing.hits(kind, before), 1.0 - hearing.false_alarms(before)
    rest = {"lower_bound": 0.0, "upper_bound": top, "sampling": sampling}
    add_rate(sheet, name, hearing, before, gone, **rest)


def _add_retention(
    sheet: Sheet, kind: str, hearing: Hearing, others: Named, sampling: Sampling
) -> None:
    """Lower bound: what the tagger imagines; upper bound: all that was heard."""
    name, before = f"{kind}_retention", _heard(hearing, others)
    if not before:
        sheet.skip(name, "no other class is heard without the negative prompt")
        return
    kept, floor = hearing.hits(kind, before), hearing.false_alarms(before)
    rest = {"lower_bound": floor, "upper_bound": 1.0, "sampling": sampling}
    add_rate(sheet, name, hearing, before, kept, **rest)


def _heard(hearing: Hearing, named: Named) -> Named:
    """Those of them that are heard without a negative prompt."""
    return [(i, name) for i, name in named if name in hearing.heard["prompted"][i]]


def add_timing(sheet: Sheet, tracks: Soundtracks, sampling: Sampling) -> None:
    """`negative_onset_f1_50ms`: is what is seen still on time while the other sound is taken away?

    Upper bound: the round trip of clips that never had another sound, as after a perfect removal.
    `negative_absent_onset_kept`: the share of the F1 without a negative prompt that is left by one
    against what the clip lacks.
    """
    clips = tracks.clips
    seen = [i for i in tracks.negative if has_onsets(clips[i])]
    clean = [i for i, clip in enumerate(clips) if is_timed(clip)]
    name = f"negative_{ON_TIME}"
    if len(seen) < 2 or not clean:
        sheet.skip(name, "needs two clips with events and another sound, and one without")
    else:
        sounds = tracks.negative
        sheet.add(name, one_figure(onsets(), ON_TIME, tracks, sounds, seen, clean, sampling))
    add_kept(sheet, "negative_absent_onset_kept", tracks, tracks.negative_absent, sampling)
