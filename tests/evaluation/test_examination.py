"""Questions are put to the clips that can answer, and told materials are kept from seen ones."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from toy_clips import AMOUNTS, RATE, OracleModel, make_clip

from v2a_jax.evaluation import following, sync
from v2a_jax.evaluation.clips import Clip
from v2a_jax.evaluation.examination import examine, shuffled
from v2a_jax.evaluation.hearing import by_clip
from v2a_jax.evaluation.robustness import add_kept
from v2a_jax.evaluation.scores import Sampling, Sheet
from v2a_jax.evaluation.soundtracks import render
from v2a_jax.evaluation.takes import Amounts
from v2a_jax.types import Event


class Ear:
    """Hears one material everywhere."""

    def __init__(self, material):
        self.material = material

    def classify(self, features_ED):
        return [self.material] * len(features_ED)


def conflicting(**factors: str) -> Clip:
    clip = make_clip(0, with_siren=False)  # metal
    return dataclasses.replace(clip, meta={"factors": {"object0.material": "metal", **factors}})


@pytest.mark.parametrize(
    ("heard", "terms"), [("metal", (1, 0)), ("wood", (0, 1)), ("glass", (0, 0))]
)
def test_conflict_tells_what_is_seen_from_what_is_told(heard, terms):
    clip = conflicting(**{"object0.material.told": "wood"})
    question = sync.conflict(Ear(heard))
    assert question.asks(clip)
    seen, count, told = question.terms(clip.audio[:, 0], clip)
    assert (seen / count, told / count) == terms


def test_without_conflict_nobody_is_asked():
    question = sync.conflict(Ear("wood"))
    assert not question.asks(conflicting())
    two = {"object1.material": "metal", "object1.material.told": "glass"}
    ambiguous = conflicting(**{"object0.material.told": "wood"}, **two)
    assert not question.asks(ambiguous)


def test_onsets_are_asked_where_all_events_are_sudden():
    clip = make_clip(0, with_siren=False)
    rain = Event(time=0.0, end=2.0, kind="rain")
    assert sync.onsets().asks(clip)
    assert not sync.onsets().asks(dataclasses.replace(clip, events=(*clip.events, rain)))
    assert not sync.onsets().asks(dataclasses.replace(clip, events=()))
    assert sync.onsets_of("impact").asks(clip)
    assert not sync.onsets_of("music").asks(clip)


def test_lag_has_its_sign():
    clip = make_clip(0, with_siren=False)
    figure = sync.onsets().figures["onset_lag"]
    late = np.concatenate([np.zeros(round(0.03 * RATE)), clip.audio[:, 0]])[: len(clip.audio)]
    rows = sync.onsets().rows([clip.audio, late], [clip, clip])
    lag = figure.of(rows)[:, 0] / figure.of(rows)[:, 1]
    assert lag[1] - lag[0] == pytest.approx(30.0, abs=5.0)


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_sounds_are_of_the_same_class_where_that_has_two_clips(seed):
    random = np.random.default_rng(seed)
    labels = random.choice(["impact", "rain", "music", ""], size=random.integers(2, 12)).tolist()
    clips = [SimpleNamespace(labels=(label,) if label else ()) for label in labels]
    positions = range(len(labels))
    others = shuffled(positions, SimpleNamespace(clips=clips))
    for own, other in zip(positions, others, strict=True):
        assert own != other
        assert labels[own] == labels[other] or labels.count(labels[own]) == 1
    repeated = [own for own in positions if labels.count(labels[own]) > 1]
    assert len({others[own] for own in repeated}) == len(repeated)


def heard(clips, sounds):
    """Soundtracks of clips: what is generated, and all else true."""
    every = dict(enumerate(clip.audio for clip in clips))
    made = dict(enumerate(sounds))
    return SimpleNamespace(
        clips=clips, prompted=made, true=every, round_trip=every, untrained={}, nearest={}
    )


def measured(question, tracks):
    sheet = Sheet()
    examine(sheet, question, tracks, Sampling(resamples=50, confidence=0.9, seed=0))
    return sheet


def test_silence_lies_between_the_sounds_of_other_clips_and_none():
    loud = [make_clip(k, with_siren=False) for k in range(3)]
    quiet = [dataclasses.replace(clip, audio=np.zeros_like(clip.audio)) for clip in loud[:2]]
    sounds = [clip.audio for clip in (*loud, *quiet)]
    sheet = measured(following.silence(), heard([*loud, *quiet], sounds))
    kept, struck = sheet.scores["silence_kept"], sheet.scores["silence_onsets"]
    assert (kept.lower_bound, kept.value, kept.upper_bound) == (0.0, 1.0, 1.0)
    assert struck.lower_bound >= 2 > struck.value == struck.upper_bound == 0.0
    assert kept.low < 1.0  # of two clips
    assert "silence_kept" in measured(following.silence(), heard(quiet, sounds[3:])).skipped


def test_a_lag_is_measured_by_how_far_the_sounds_of_other_clips_miss():
    clips = [make_clip(k, with_siren=False) for k in range(6)]
    shift = round(0.03 * RATE)
    for lag, sounds in {
        30.0: [np.concatenate([np.zeros((shift, 1)), clip.audio[:-shift]]) for clip in clips],
        -30.0: [np.concatenate([clip.audio[shift:], np.zeros((shift, 1))]) for clip in clips],
    }.items():
        score = measured(sync.onsets(), heard(clips, sounds)).scores["onset_lag"]
        assert score.value == pytest.approx(lag, abs=6.0)
        assert score.lower_bound * lag > 0 and abs(score.lower_bound) > abs(score.upper_bound)


def test_what_keeps_no_time_has_none_to_keep():
    clips = [make_clip(k, with_siren=False) for k in range(4)]
    still = [np.zeros_like(clip.audio) for clip in clips]
    sampling = Sampling(resamples=50, confidence=0.9, seed=0)
    for sounds, there in ((still, False), ([clip.audio for clip in clips], True)):
        sheet, tracks = Sheet(), heard(clips, sounds)
        add_kept(sheet, "kept", tracks, tracks.prompted, sampling)
        assert ("kept" in sheet.scores) == there != ("kept" in sheet.skipped)


def test_several_answers_of_a_clip_are_one_draw():
    named = [(3, "a"), (3, "b"), (7, "a")]
    np.testing.assert_array_equal(by_clip(named, np.array([1.0, 1.0, 0.0])), [[2, 2], [0, 1]])


def test_what_is_said_is_asked_for_and_not_without_words():
    asked = []

    class Listener(OracleModel):
        def generate_batch(self, frames, prompts, negative_prompts, transcripts, seeds):
            asked.append((prompts[0] != "", transcripts))
            return super().generate_batch(frames, prompts, negative_prompts, transcripts, seeds)

    clips = [
        dataclasses.replace(make_clip(k, with_siren=True), transcript=f"number {k}")
        for k in range(2)
    ]
    amounts = Amounts(**AMOUNTS)
    options = dict(batch=2, seed=0, amounts=amounts, artefacts={}, untrained=None, training=())
    render(Listener(), clips, **options)
    said = {prompted: [t for p, t in asked if p == prompted] for prompted in (True, False)}
    assert said[True][0] == ["number 0", "number 1"]
    assert said[False] == [["", ""]]
