"""On the procedural world the judges tell true sound from the sound of another clip."""

import numpy as np
import pytest

from data_pipelines.world import WorldConfig, WorldSource
from v2a_jax.evaluation import material
from v2a_jax.evaluation.judges import JudgeConfig, train_judges
from v2a_jax.evaluation.onsets import detect_onsets, event_times, match_onsets, summarise
from v2a_jax.evaluation.spectral import mono

RATE = 16_000


def world(split, clips, classes, offscreen_probability=0.0):
    config = WorldConfig(
        seed=11,
        split=split,
        clips=clips,
        seconds=3.0,
        fps=5,
        size=32,
        sample_rate=RATE,
        classes=classes,
        offscreen_probability=offscreen_probability,
    )
    source = WorldSource(config)
    return [source[index] for index in range(clips)]


def onset_f1(detected, events):
    pairs = zip(detected, events, strict=True)
    return summarise([match_onsets(*pair, 0.050) for pair in pairs]).f1


@pytest.mark.parametrize(("scene", "floor"), [("impact", 0.95), ("bounce", 0.9)])
def test_onsets_of_true_sound_and_of_another_clip(scene, floor):
    clips = world("test", 40, (scene,))
    events = [event_times(clip.events) for clip in clips]
    detected = [detect_onsets(mono(clip.audio), RATE) for clip in clips]
    assert onset_f1(detected, events) >= floor
    assert onset_f1(detected[1:] + detected[:1], events) <= 0.35


@pytest.fixture(scope="module")
def judges():
    classes = ("impact", "bounce", "landscape")
    train, validation = (
        world(split, clips, classes, offscreen_probability=0.5)
        for split, clips in (("train", 240), ("val", 120))
    )
    config = JudgeConfig(shrinkage=0.1, penalty=3.0, false_positive_rate=0.02, copies=1, seed=0)
    return train_judges(train, validation, config)


def test_material_of_true_sound(judges):
    heard, names = [], []
    for clip in world("test", 60, ("impact", "bounce")):
        events = material.judged_events(clip.events, 3.0)
        times = [event.time for event in events]
        heard += judges.material.classify(material.features(mono(clip.audio), RATE, times))
        names += [event.material for event in events]
    right = np.mean(np.array(heard) == names)
    assert right >= 0.95
    assert material.chance_level(names) < 0.4


def test_offscreen_sounds_are_heard_and_rarely_imagined(judges):
    clips = world("test", 90, ("impact", "bounce", "landscape"), offscreen_probability=0.5)
    found_BK = judges.tagger.detect([mono(clip.audio) for clip in clips], RATE)
    present_BK = np.array([[name in clip.labels for name in judges.tagger.names] for clip in clips])
    offscreen = [k for k, n in enumerate(judges.tagger.names) if n not in ("impact", "bounce")]
    assert found_BK[:, offscreen][present_BK[:, offscreen]].mean() >= 0.85
    assert found_BK[:, offscreen][~present_BK[:, offscreen]].mean() <= 0.04
