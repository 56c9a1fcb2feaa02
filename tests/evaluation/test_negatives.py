"""Suppression, retention and false speech, of what a tagger is made to hear."""

import dataclasses
import types

import pytest
from toy_clips import make_clip

from v2a_jax.evaluation import negatives, steering, unasked
from v2a_jax.evaluation.hearing import Hearing
from v2a_jax.evaluation.scores import Sampling, Sheet

SAMPLING = Sampling(resamples=50, confidence=0.95, seed=0)
BOTH = frozenset({"impact", "siren"})
NEGATIVES = ("negative", "negative_seen", "negative_absent")
COUNT = 8  # clips with both


def hearing(clips, **heard):
    """Of two classes and speech; what is not given is heard as it is."""
    true = {i: frozenset(clip.labels) for i, clip in enumerate(clips)}
    every = dict.fromkeys(("true", "round_trip", "prompted", "unprompted", "short", "still"), true)
    every |= dict.fromkeys(NEGATIVES, {})
    return Hearing(clips=tuple(clips), names=BOTH | {"speech"}, heard=every | heard)


def figures(clips, **heard):
    """The figures of negative prompts that leave `heard` of these clips."""
    sheet, ears = Sheet(), hearing(clips, **heard)
    tracks = types.SimpleNamespace(clips=clips, **{name: ears.heard[name] for name in NEGATIVES})
    negatives.add_negatives(sheet, tracks, ears, SAMPLING)
    return sheet


def left(count, *names):
    return {i: frozenset(names) for i in range(count)}


@pytest.fixture(scope="module")
def clips():
    alone = [make_clip(i, with_siren=False) for i in range(COUNT, COUNT + 4)]
    quiet = [dataclasses.replace(clip, labels=(), events=()) for clip in alone[:2]]
    return [*(make_clip(i, with_siren=True) for i in range(COUNT)), *alone[2:], *quiet]


@pytest.mark.parametrize(
    ("remains", "suppression", "retention"),
    [(("impact",), 1, 1), ((), 1, 0), (("impact", "siren"), 0, 1), (("siren",), 0, 0)],
)
def test_what_is_named_goes_and_the_rest_stays(clips, remains, suppression, retention):
    scores = figures(clips, negative=left(COUNT, *remains)).scores
    assert scores["negative_suppression"].value == suppression
    assert scores["negative_retention"].value == retention
    assert scores["negative_suppression"].n == scores["negative_retention"].n == COUNT


def test_what_is_seen_is_named_as_well(clips):
    scores = figures(clips, negative_seen=left(COUNT, "siren")).scores
    assert scores["negative_seen_suppression"].value == 1
    assert scores["negative_seen_retention"].value == 1
    assert "negative_suppression" not in scores


def test_what_is_absent_takes_nothing_away(clips):
    heard = left(4, *BOTH) | {i: frozenset({"impact"}) for i in range(4, COUNT)}
    sheet = figures(clips, negative_absent=heard)
    assert sheet.scores["negative_absent_retention"].value == 12 / 16
    assert "negative_absent_suppression" not in sheet.scores | sheet.skipped


def test_only_what_was_heard_before_counts(clips):
    before = left(COUNT, "impact") | {0: BOTH, 1: BOTH}
    scores = figures(clips, prompted=before, negative={0: BOTH, 1: frozenset()} | left(0)).scores
    assert (scores["negative_suppression"].n, scores["negative_suppression"].value) == (2, 0.5)
    unheard = figures(clips, prompted=left(COUNT), negative=left(COUNT, *BOTH))
    assert {"negative_suppression", "negative_retention"} <= set(unheard.skipped)


def test_bounds_are_what_the_tagger_imagines(clips):
    ears = left(len(clips), "impact") | dict.fromkeys((8, 9), BOTH)  # of the four without a siren
    score = figures(clips, negative=left(COUNT), round_trip=ears).scores["negative_suppression"]
    assert (score.lower_bound, score.upper_bound) == (0.0, 0.5)


def test_wordings_are_told_apart(clips):
    sheet = Sheet()
    ears = hearing(clips, short=left(COUNT, "impact") | {0: BOTH}, unprompted=left(COUNT))
    tracks = types.SimpleNamespace(clips=clips, short=ears.heard["short"])
    steering.add_wordings(sheet, tracks, ears, SAMPLING)
    values = [sheet.scores[f"wording_hit_rate{x}"].value for x in ("", "_short", "_empty")]
    assert values == [1.0, 1 / COUNT, 0.0]


def test_speech_nobody_asked_for_is_counted(clips):
    heard = {i: frozenset(clip.labels) for i, clip in enumerate(clips)}
    sheet = Sheet()
    babble = heard | {0: frozenset({"speech"})}
    ears = hearing(clips, prompted=babble, still=left(2))
    unasked.add_unasked(sheet, ears, SAMPLING)
    assert sheet.scores["false_speech"].value == 1 / len(clips)
    assert (sheet.scores["still_speech"].value, sheet.scores["still_speech"].n) == (0.0, 2)
    assert sheet.scores["still_speech"].lower_bound == 0.5  # of the same two, as they were
