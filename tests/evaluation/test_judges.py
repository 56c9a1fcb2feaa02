"""Judges separate what is separable, come back from their file, and load nothing else."""

import dataclasses

import numpy as np
import pytest
from toy_clips import JUDGES, RATE, make_clip, render_hits, siren

from v2a_jax.errors import UserError
from v2a_jax.evaluation import material
from v2a_jax.evaluation.judges import load_judges, train_judges
from v2a_jax.evaluation.spectral import decibels, mel_power, mono
from v2a_jax.evaluation.tagger import fit_logistic
from v2a_jax.types import Event


@pytest.fixture(scope="module")
def judges(toy_clips):
    validation = [make_clip(index, with_siren=index % 4 < 2) for index in range(100, 112)]
    return train_judges(toy_clips, validation, JUDGES)


def test_discriminants_recover_gaussian_classes():
    random = np.random.default_rng(0)
    classes = random.integers(0, 3, 600)
    centres = 3.0 * np.eye(3, 20)
    inputs = centres[classes] + random.standard_normal((600, 20))
    names = [f"m{c}" for c in classes]
    classifier = material.train_material(inputs[:400], names[:400], shrinkage=0.1)
    right = np.mean(np.array(classifier.classify(inputs[400:])) == names[400:])
    assert right > 0.9


def test_what_cannot_be_told_apart_has_no_judge(tmp_path):
    same = [make_clip(index, with_siren=False) for index in (0, 2, 4)]
    judges = train_judges(same, same, JUDGES)
    assert judges.material is None
    assert judges.tagger is None
    judges.save(tmp_path / "judges.npz")
    assert load_judges(tmp_path / "judges.npz") == judges


def test_material_is_heard_at_any_level(judges):
    for name in ("metal", "wood"):
        for gain in (0.05, 0.9):
            wave = render_hits([0.5], name, gain=gain)
            assert judges.material.classify(material.features(wave, RATE, [0.5])) == [name]


def test_only_isolated_events_are_judged():
    def event(time, **fields):
        return Event(time=time, end=time, kind="impact", **fields)

    events = [
        event(0.2, material="wood"),
        event(0.4, material="wood"),  # 0.2 is too close before it
        event(0.9, material=""),  # no material to name
        event(1.3, material="metal"),
        event(1.8, material="metal"),  # its window leaves a clip of 2 s
    ]
    assert [e.time for e in material.judged_events(events, 2.0)] == [0.4, 1.3]


def test_chance_is_the_majority_share():
    assert material.chance_level(["wood", "wood", "metal", "glass"]) == 0.5


def test_tagger_hears_the_siren_and_only_the_siren(judges):
    siren_column = judges.tagger.names.index("siren")
    with_siren = [mono(make_clip(index, with_siren=True).audio) for index in range(200, 210)]
    without = [mono(make_clip(index, with_siren=False).audio) for index in range(200, 210)]
    assert judges.tagger.detect(with_siren, RATE)[:, siren_column].all()
    assert not judges.tagger.detect(without, RATE)[:, siren_column].any()


def test_tagger_takes_any_length(judges):
    assert judges.tagger.scores([siren(1.0), siren(3.1)], RATE).shape == (2, 1)


def test_logistic_regression_is_at_its_optimum():
    random = np.random.default_rng(0)
    inputs = random.standard_normal((200, 3))
    targets = inputs @ np.array([[1.0], [-2.0], [0.0]]) + random.logistic(size=(200, 1)) > 0.3
    weights, biases = fit_logistic(inputs, targets, penalty=2.0)
    residual = 1 / (1 + np.exp(-(inputs @ weights + biases))) - targets
    np.testing.assert_allclose(inputs.T @ residual + 2.0 * weights, 0.0, atol=1e-2)
    np.testing.assert_allclose(residual.sum(axis=0), 0.0, atol=1e-2)


def test_judges_come_back_from_their_file(judges, tmp_path):
    judges.save(tmp_path / "judges.npz")
    loaded = load_judges(tmp_path / "judges.npz")
    assert loaded.material.names == judges.material.names
    assert loaded.sample_rate == RATE
    waves = [siren(), render_hits([0.5], "wood")]
    np.testing.assert_array_equal(
        loaded.tagger.scores(waves, RATE), judges.tagger.scores(waves, RATE)
    )


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 truncated"])
def test_other_files_are_no_judges(content, tmp_path):
    path = tmp_path / "judges.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a file of judges"):
        load_judges(path)


def test_pickled_objects_are_refused(tmp_path):
    path = tmp_path / "judges.npz"
    np.savez(path, sample_rate=np.array([{"a": 1}], dtype=object))
    with pytest.raises(UserError, match="not a file of judges"):
        load_judges(path)


def test_missing_sound_and_mixed_rates_are_named(toy_clips):
    silent = dataclasses.replace(toy_clips[0], audio=None)
    with pytest.raises(UserError, match="must all have audio"):
        train_judges([silent], toy_clips, JUDGES)
    faster = dataclasses.replace(toy_clips[0], sample_rate=48_000)
    with pytest.raises(UserError, match="mix sample rates"):
        train_judges([faster], toy_clips, JUDGES)


def test_a_full_scale_sine_has_level_zero():
    sine = np.sin(2 * np.pi * 1_000 * np.arange(RATE) / RATE)
    level = decibels(mel_power(sine, sample_rate=RATE, bands=40, hop=0.01), span=100.0)
    assert level[50].max() == pytest.approx(0.0, abs=3.0)
