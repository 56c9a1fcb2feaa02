"""Questions are put to the clips that can answer, and told materials are kept from seen ones."""

import dataclasses

import numpy as np
import pytest
from toy_clips import AMOUNTS, RATE, OracleModel, make_clip

from v2a_jax.evaluation import sync
from v2a_jax.evaluation.clips import Clip
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
