"""A model that knows the answer scores its upper bounds; failures cost and are listed."""

import dataclasses
import json

import numpy as np
import pytest
from toy_clips import AMOUNTS, JUDGES, OracleModel, make_clip

from v2a_jax.errors import UserError
from v2a_jax.evaluation.judges import train_judges
from v2a_jax.evaluation.protocol import EvaluationConfig, describe, evaluate
from v2a_jax.evaluation.scores import (
    Score,
    format_table,
    markdown_table,
    read_scores,
    write_scores,
)

CONFIG = EvaluationConfig(
    **AMOUNTS,
    clips=24,
    batch=5,
    seed=0,
    resamples=200,
    confidence=0.95,
    watermark_p_value=1e-6,
)

FEW = dataclasses.replace(CONFIG, clips=9)  # where one figure is enough


@pytest.fixture(scope="module")
def judges():
    clips = [make_clip(index, with_siren=index % 4 < 2) for index in range(100, 140)]
    return train_judges(clips[:28], clips[28:], JUDGES)


@pytest.fixture(scope="module")
def oracle_result(toy_clips, judges):
    return evaluate(
        OracleModel(), toy_clips, judges, CONFIG, untrained=Deaf(), artefacts={"dark": darkened}
    )


def darkened(video, *, severity, rng):
    """Another clip's picture, for half of the clips."""
    return video + np.uint8(rng.integers(2))


class Deaf(OracleModel):
    """Makes noise, whatever it is shown or told."""

    def generate_batch(self, frames, prompts, negative_prompts, transcripts, seeds):
        return np.stack(
            [0.1 * np.random.default_rng(s).standard_normal((32_000, 1)) for s in seeds]
        ).astype(np.float32)


def test_oracle_reaches_its_upper_bounds(oracle_result):
    scores = oracle_result.scores
    for name in ("onset_f1_50ms", "material_accuracy", "prompt_hit_rate", "prompt_gain"):
        assert scores[name].value >= 0.95 * scores[name].upper_bound, name
        assert scores[name].lower_bound < 0.7 * scores[name].upper_bound, name
    assert scores["negative_suppression"].value == 1.0
    assert scores["negative_onset_f1_50ms"].value > 0.8
    assert scores["negative_absent_onset_kept"].value == 1.0
    assert scores["onset_error"].value < 10.0


def test_wordings_and_damage_have_their_rows(oracle_result):
    scores = oracle_result.scores
    hits = [scores[f"wording_hit_rate{end}"].value for end in ("", "_short", "_empty")]
    assert hits == [1.0, 1.0, 0.0]
    on_time = [scores[f"wording_onset_f1_50ms{end}"].value for end in ("", "_short", "_empty")]
    assert min(on_time) > 0.9
    damaged = scores["damaged_onset_kept"]
    assert damaged.lower_bound < damaged.value < 1.0
    assert damaged.n == AMOUNTS["damaged"]


def test_round_trip_at_half_level_has_known_codec_scores(oracle_result):
    scores = oracle_result.scores
    # 6 dB where there is sound, nothing in the silence between.
    assert 0.0 < scores["codec_mel_distance"].value < 6.1
    assert scores["codec_mel_distance"].lower_bound > scores["codec_mel_distance"].value
    assert scores["codec_si_sdr"].value == 60.0
    assert scores["codec_si_sdr"].lower_bound < 0.0


def test_untrained_model_scores_near_the_lower_bound(oracle_result):
    untrained = oracle_result.scores["onset_f1_50ms_untrained"]
    assert untrained.value < 0.5 * untrained.upper_bound


def test_every_score_has_its_interval_and_bounds(oracle_result):
    for name, score in oracle_result.scores.items():
        assert score.low <= score.value <= score.high, name
        assert score.n > 0, name


class Marked(OracleModel):
    """Marks what it makes by an offset."""

    def generate_batch(self, frames, prompts, negative_prompts, transcripts, seeds):
        return super().generate_batch(
            frames, prompts, negative_prompts, transcripts, seeds
        ) + np.float32(0.1)


def test_watermark_is_found_in_generated_sound_alone(toy_clips, judges):
    def detect(sound):
        assert sound.shape == (32_000, 1)
        return 1e-9 if sound.mean() > 0.05 else 0.5

    options = dict(detect=detect, conditions=("prompted",))
    scores = evaluate(Marked(), toy_clips, judges, FEW, **options).scores
    found, mistaken = scores["watermark_detected"], scores["watermark_false_alarm"]
    assert (found.value, found.lower_bound, found.upper_bound) == (1.0, 0.0, 1.0)
    assert (mistaken.value, mistaken.lower_bound, mistaken.upper_bound) == (0.0, 1.0, 0.0)


def test_batches_have_one_size(toy_clips, judges, oracle_model):
    evaluate(oracle_model, toy_clips[:4], judges, CONFIG)
    assert set(oracle_model.batches) == {5}


@pytest.mark.slow
def test_result_does_not_depend_on_the_batch_size(toy_clips, judges):
    results = [
        evaluate(OracleModel(), toy_clips, judges, dataclasses.replace(CONFIG, batch=batch)).scores
        for batch in (1, 24)
    ]
    assert results[0] == results[1]


class Broken(OracleModel):
    """Loses the sound of one clip."""

    def generate_batch(self, frames, prompts, negative_prompts, transcripts, seeds):
        sounds = super().generate_batch(frames, prompts, negative_prompts, transcripts, seeds)
        sounds[[seed == 0 for seed in seeds]] = np.nan
        return sounds


def test_failed_sound_costs_score_and_is_listed(toy_clips, judges):
    whole, broken = (
        evaluate(model, toy_clips, judges, FEW, conditions=("prompted",))
        for model in (OracleModel(), Broken())
    )
    assert [(f.clip, f.condition) for f in broken.failures] == [("toy/0", "prompted")]
    assert broken.scores["failures"].value == 1.0
    whole, less = whole.scores["onset_f1_50ms"], broken.scores["onset_f1_50ms"]
    assert less.n == whole.n
    assert less.value < whole.value
    assert "toy/0" in broken.table()


def test_a_sound_that_failed_is_no_success_where_silence_is_one(toy_clips, judges):
    options = dict(conditions=("prompted", "negative"))
    for model, there in ((OracleModel(), True), (Broken(), False)):
        result = evaluate(model, toy_clips, judges, CONFIG, **options)
        for name in ("negative_suppression", "negative_hit_rate"):
            assert (name in result.scores) == (name in result.answers) == there
            assert (name in result.skipped) != there
        assert "onset_f1_50ms" in result.scores


def test_clips_without_a_caption_are_judged_by_what_is_seen(toy_clips, judges, oracle_model):
    bare = [dataclasses.replace(clip, captions={}) for clip in toy_clips]
    assert "onset_f1_50ms" in evaluate(oracle_model, bare, judges, FEW).scores


def test_unusable_clips_are_listed(toy_clips, judges, oracle_model):
    short = dataclasses.replace(toy_clips[0], audio=toy_clips[0].audio[:100])
    mute = dataclasses.replace(toy_clips[1], audio=None)
    options = dict(conditions=("prompted",))
    result = evaluate(oracle_model, [short, mute, *toy_clips[2:]], judges, FEW, **options)
    assert {f.reason for f in result.failures} == {"shorter than 2.0 s", "no picture or no sound"}
    failed = result.scores["failures"]  # the model's own, of a prompted sound and a round trip each
    assert failed.value == 0.0 and failed.n == 2 * len(result.soundtracks.clips)
    with pytest.raises(UserError, match="none of 2 clips"):
        evaluate(oracle_model, [short, mute], judges, CONFIG)


def test_rates_that_do_not_fit_are_named(toy_clips, judges, oracle_model):
    with pytest.raises(UserError, match="30.0 fps"):
        evaluate(oracle_model, [dataclasses.replace(toy_clips[0], fps=30.0)], judges, CONFIG)
    with pytest.raises(UserError, match="judges work at 8000 Hz"):
        evaluate(oracle_model, toy_clips, dataclasses.replace(judges, sample_rate=8_000), CONFIG)


def test_protocol_hash_is_of_clips_settings_and_judges(toy_clips, judges, oracle_result):
    again = describe(CONFIG, toy_clips, judges)["hash"]
    assert again == oracle_result.protocol["hash"]
    louder = [dataclasses.replace(toy_clips[0], audio=2 * toy_clips[0].audio), *toy_clips[1:]]
    named = dataclasses.replace(toy_clips[0], captions={"full": "other words"})
    spoken = dataclasses.replace(toy_clips[0], words=(("one", 0.0, 1.0),))
    others = (
        describe(CONFIG, louder[:24], judges),
        describe(CONFIG, [named, *toy_clips[1:]], judges),
        describe(CONFIG, [spoken, *toy_clips[1:]], judges),
        describe(dataclasses.replace(CONFIG, seed=1), toy_clips[:24], judges),
        describe(CONFIG, toy_clips[:24], dataclasses.replace(judges, material=None)),
    )
    assert len({again, *(other["hash"] for other in others)}) == 6
    assert again in oracle_result.table()


def test_answers_are_those_of_the_scores(oracle_result):
    for name, answers in oracle_result.answers.items():
        score = oracle_result.scores[name]
        assert len(answers.clips) == len(answers.terms) == score.n
        assert answers.terms[:, 0].sum() / answers.terms[:, 1].sum() == pytest.approx(score.value)
    assert {"onset_f1_50ms", "material_accuracy", "prompt_hit_rate"} <= set(oracle_result.answers)


def test_copying_the_nearest_training_clip_is_a_row_of_its_own(toy_clips, judges):
    training = iter([make_clip(index, with_siren=False) for index in range(200, 206)])
    options = dict(training=training, conditions=("prompted",))
    scores = evaluate(OracleModel(), toy_clips, judges, FEW, **options).scores
    copied = scores["onset_f1_50ms_nearest"]
    assert copied.value < 0.7 * scores["onset_f1_50ms"].value
    assert copied.n == scores["onset_f1_50ms"].n


def test_variations_differ_where_the_seed_matters(toy_clips, judges, oracle_result):
    same = oracle_result.scores["variation_distance"]
    assert (same.value, same.lower_bound, same.n) == (0.0, 0.0, 8)
    assert same.upper_bound > 1.0
    on_time = oracle_result.scores["variation_onset_f1_50ms"]
    assert on_time.value > 0.8 > on_time.lower_bound
    options = dict(conditions=("prompted", "again"))
    noise = evaluate(Deaf(), toy_clips, judges, FEW, **options).scores["variation_distance"]
    assert noise.value > 0.8 * noise.upper_bound


def test_what_cannot_be_measured_is_said(toy_clips, judges, oracle_model):
    plain = [clip for clip in toy_clips if clip.labels == ("impact",)][:4]
    result = evaluate(oracle_model, plain, judges, CONFIG)
    assert "prompt_hit_rate" not in result.scores
    assert "not measured: prompt_hit_rate" in result.table()
    alone = evaluate(oracle_model, plain[:1], judges, CONFIG)
    assert set(alone.scores) == {"failures"}


def test_scores_file_is_strict_json_and_comes_back(oracle_result, tmp_path):
    path = tmp_path / "scores.json"
    write_scores(oracle_result.scores, path)

    def refuse(constant):
        raise AssertionError(constant)

    stored = json.loads(path.read_text(), parse_constant=refuse)
    fields = {"value", "low", "high", "lower_bound", "upper_bound", "n", "unit"}
    assert all(set(score) == fields for score in stored.values())
    assert read_scores(path) == oracle_result.scores


def test_incomplete_score_is_not_written(tmp_path):
    score = Score(
        value=float("nan"), low=0.0, high=0.0, lower_bound=0.0, upper_bound=1.0, n=1, unit="share"
    )
    with pytest.raises(ValueError, match="JSON"):
        write_scores({"x": score}, tmp_path / "scores.json")


def test_markdown_table_has_a_row_a_score(oracle_result):
    head, _, *rows = markdown_table(oracle_result.scores, 0.95).splitlines()
    assert [row.split(" | ")[0].strip("| ") for row in rows] == list(oracle_result.scores)
    assert {row.count("|") for row in rows} == {head.count("|")}


def test_table_is_aligned(oracle_result):
    lines = format_table(oracle_result.scores, 0.95).splitlines()
    ends = {line.index(" share") for line in lines if line.endswith(" share")}
    assert len(ends) == 1
    assert len(lines) == len(oracle_result.scores) + 2
