"""A sweep evaluates each value on the same clips, and says what turning something up costs."""

import dataclasses
import json

import numpy as np
import pytest
from toy_clips import AMOUNTS, JUDGES, OracleModel, make_clip, render_hits

from v2a_jax.errors import UserError
from v2a_jax.evaluation.judges import Judges, train_judges
from v2a_jax.evaluation.protocol import EvaluationConfig
from v2a_jax.evaluation.sweep import Turned, draw, parse, run, turn

CONFIG = EvaluationConfig(
    **AMOUNTS,
    clips=6,
    batch=4,
    seed=0,
    resamples=50,
    confidence=0.9,
    watermark_p_value=1e-6,
)
NO_JUDGES = Judges(sample_rate=16_000, material=None, tagger=None, recogniser=None)


class Late(OracleModel):
    """Everything sounds `delay` samples late."""

    def __init__(self, delay):
        super().__init__()
        self.delay = delay

    def generate_batch(self, *request):
        return np.roll(super().generate_batch(*request), self.delay, axis=1)


@pytest.fixture(scope="module")
def swept(toy_clips):
    turned = [
        Turned(value=delay, generator=Late(round(delay * 16)), clips=toy_clips)
        for delay in (0.0, 40.0, 80.0)
    ]
    return run("delay", turned, NO_JUDGES, CONFIG)


def test_scores_follow_what_is_turned(swept):
    tight, loose = swept.scores["onset_f1_25ms"], swept.scores["onset_f1_50ms"]
    assert [round(score.value) for score in loose] == [1, 1, 0]
    assert [round(score.value) for score in tight] == [1, 0, 0]
    lag = [score.value for score in swept.scores["onset_lag"]]
    assert lag[1] - lag[0] == pytest.approx(40.0, abs=10.0)


def test_what_does_not_depend_on_it_is_left_out(swept):
    assert not any(name.startswith(("codec", "failures", "prompt")) for name in swept.scores)


def test_kept_is_the_area_under_the_curve(swept):
    line = [
        dataclasses.replace(score, value=v)
        for score, v in zip(swept.scores["onset_f1_50ms"], (0.8, 0.8, 0.0), strict=True)
    ]
    changed = dataclasses.replace(swept, scores={"one": tuple(line)})
    assert changed.kept() == {"one": pytest.approx(0.75)}
    nothing = [dataclasses.replace(score, value=0.0) for score in line]
    assert dataclasses.replace(changed, scores={"one": tuple(nothing)}).kept() == {}
    assert dataclasses.replace(changed, name="text_scale").kept() == {}
    assert dataclasses.replace(changed, values=(10.0, 40.0, 80.0)).kept() == {}


def test_files_are_written(swept, tmp_path):
    swept.write(tmp_path / "sweep.json")
    stored = json.loads((tmp_path / "sweep.json").read_text())
    assert stored["values"] == [0.0, 40.0, 80.0]
    assert len(stored["scores"]["onset_f1_50ms"]) == 3
    assert 0 < stored["kept"]["onset_f1_50ms"] < 1
    draw(swept, tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes()[:4] == b"\x89PNG"


def test_artefacts_are_turned_up_in_the_same_way_each_time(toy_clips):
    def damage(video, *, severity, rng):
        return (video * (1 - severity) + rng.integers(9)).astype(np.uint8)

    def pictures():
        turned = turn("dark", (0.0, 1.0), OracleModel(), toy_clips, {"dark": damage})
        return [[clip.video for clip in each.clips] for each in turned]

    first, again = pictures(), pictures()
    np.testing.assert_array_equal(first, again)
    assert np.mean(first[0]) > np.mean(first[1])
    assert len(first[0]) == len(toy_clips)


class Torn(OracleModel):
    """Makes what is seen, or from a scale of 2 on the material that it is told."""

    def __init__(self, clips, scale=0.0):
        super().__init__()
        self.clips, self.scale = {int(clip.video[0, 0, 0, 0]): clip for clip in clips}, scale

    def with_settings(self, *, text_scale):
        return Torn(self.clips.values(), text_scale)

    def generate_batch(self, frames, *_):
        sounds = []
        for picture in frames:
            clip = self.clips[int(picture[0, 0, 0, 0])]
            which = "object0.material" + (".told" if self.scale >= 2 else "")
            times = [event.time for event in clip.events]
            sounds.append(render_hits(times, clip.meta["factors"][which])[:, None])
        return np.stack(sounds).astype(np.float32)


def test_conflict_is_plotted_over_the_scale_of_the_text():
    plain = [make_clip(index, with_siren=False) for index in range(6)]
    judges = train_judges(plain, plain, JUDGES)
    materials = [("metal", "wood"), ("wood", "metal")] * 3  # seen and told
    clips = [
        dataclasses.replace(
            clip, meta={"factors": {"object0.material": seen, "object0.material.told": told}}
        )
        for clip, (seen, told) in zip(plain, materials, strict=True)
    ]
    turned = turn("text_scale", (0.0, 3.0), Torn(clips), clips, {})
    scores = run("text_scale", turned, judges, CONFIG).scores
    assert [score.value for score in scores["conflict_seen"]] == [1.0, 0.0]
    assert [score.value for score in scores["conflict_told"]] == [0.0, 1.0]
    assert scores["conflict_seen"][0].n == 6


class Obedient(OracleModel):
    """Follows the words from a scale of 2 on."""

    def __init__(self, scale=0.0):
        super().__init__()
        self.scale = scale

    def with_settings(self, *, text_scale):
        return Obedient(text_scale)

    def generate_batch(self, frames, prompts, *rest):
        heeded = prompts if self.scale >= 2 else [""] * len(prompts)
        return super().generate_batch(frames, heeded, *rest)


def test_what_the_words_bring_is_plotted_over_their_scale():
    clips = [make_clip(index, with_siren=index % 4 > 1) for index in range(12)]
    judges = train_judges(clips, clips, JUDGES)
    turned = turn("text_scale", (0.0, 3.0), Obedient(), clips, {})
    hits = run("text_scale", turned, judges, CONFIG).scores["prompt_hit_rate"]
    assert [score.value for score in hits] == [0.0, 1.0]
    assert [score.lower_bound for score in hits] == [0.0, 0.0]


def test_a_sweep_in_which_nothing_can_be_measured_is_refused(toy_clips):
    turned = [Turned(value=v, generator=OracleModel(), clips=toy_clips[:1]) for v in (0.0, 1.0)]
    with pytest.raises(UserError, match="nothing can be measured"):
        run("steps", turned, NO_JUDGES, CONFIG)


def test_settings_are_the_generators(toy_clips):
    class Settable(OracleModel):
        def with_settings(self, **changes):
            return changes

    turned = turn("steps", (4.0, 8.0), Settable(), toy_clips, {})
    assert [each.generator for each in turned] == [{"steps": 4}, {"steps": 8}]


def test_the_best_of_several_is_the_generators(toy_clips):
    class Choosing(OracleModel):
        def with_candidates(self, count):
            return count

    turned = turn("best_of", (1.0, 8.0), Choosing(), toy_clips, {})
    assert [each.generator for each in turned] == [1, 8]


def test_text_is_parsed():
    assert parse("noise:1,0,0.5", ["noise"]) == ("noise", (0.0, 0.5, 1.0))
    assert parse("text_scale:-1,3", []) == ("text_scale", (-1.0, 3.0))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *((text, "is not NAME:VALUE") for text in ("noise", "noise:", ":1,2", "noise:1")),
        *((text, "is not NAME:VALUE") for text in ("noise:1,x", "noise:1,nan")),
        ("noise:0,1.5", "severities"),
        ("colour:0,1", "no 'colour'"),
        ("steps:4,4.5", "steps must be whole"),
        ("best_of:1,1.5", "best_of must be whole"),
    ],
)
def test_other_text_is_refused(text, reason):
    with pytest.raises(UserError, match=reason):
        parse(text, ["noise"])
