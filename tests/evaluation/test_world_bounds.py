"""On the procedural world the judges tell true sound from the sound of another clip."""

import numpy as np
import pytest

from configs.base import get_config
from data_pipelines.world import WorldConfig, WorldSource
from v2a_jax.config import build
from v2a_jax.evaluation import following, material, speech, sync
from v2a_jax.evaluation.bootstrap import estimate, ratio
from v2a_jax.evaluation.judges import JudgeConfig, train_judges
from v2a_jax.evaluation.onsets import detect_onsets, event_times, match_onsets, summarise
from v2a_jax.evaluation.spectral import mono

RATE = 16_000


def world(split, clips, classes, offscreen_probability=0.0, seconds=3.0):
    config = WorldConfig(
        seed=11,
        split=split,
        clips=clips,
        seconds=seconds,
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


# (class, question, figure, least of true sound, most of another clip's)
FOLLOWED = (
    ("impact", sync.onsets(), "onset_f1_50ms", 0.95, 0.3),
    ("music", sync.onsets(), "onset_f1_50ms", 0.9, 0.35),
    ("music", following.notes(), "note_accuracy", 0.95, 0.4),
    ("music", following.tempo(), "tempo_accuracy", 0.85, 0.3),
    ("engine", following.engine(), "engine_pitch", 0.95, 0.2),
    ("rain", following.rain(), "rain_correlation", 0.65, 0.4),
    ("scrape", following.scrape(), "scrape_correlation", 0.9, 0.5),
    ("roll", following.roll(), "roll_correlation", 0.9, 0.5),
    ("speech", speech.lip_sync(), "lip_lag", 0.9, 0.4),
    ("speech", speech.lip_sync(), "lip_correlation", 0.7, 0.55),
    ("speech", speech.voice(), "voice_pitch", 0.95, 0.45),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scene", "question", "name", "floor", "ceiling"),
    FOLLOWED,
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_true_sound_follows_what_is_seen_and_another_does_not(
    scene, question, name, floor, ceiling
):
    clips = [clip for clip in world("test", 32, (scene,), seconds=4.0) if question.asks(clip)]
    sounds, figure = [clip.audio for clip in clips], question.figures[name]
    true, other = (
        estimate(figure.of(question.rows(heard, clips)), ratio)
        for heard in (sounds, sounds[1:] + sounds[:1])
    )
    assert true >= floor
    assert other <= ceiling


@pytest.mark.slow
def test_words_of_true_sound_are_recognised():
    clips = [*world("train", 120, ("speech",)), *world("test", 60, ("speech",))]
    settings = get_config().evaluation.judges
    judges = train_judges(clips[:120], clips[120:], build(JudgeConfig, settings))
    question = speech.words(judges.recogniser)
    spoken = [clip for clip in clips[120:] if question.asks(clip)]
    sounds = [clip.audio for clip in spoken]
    assert len(spoken) > 10
    true, other = (
        estimate(question.rows(heard, spoken), ratio) for heard in (sounds, sounds[1:] + sounds[:1])
    )
    assert true < 0.1
    assert other > 0.7


def test_silence_is_kept_by_silence_alone():
    silent, loud = (world("test", 4, (scene,)) for scene in ("silence", "rain"))
    question = following.silence()
    assert all(map(question.asks, silent))
    assert not any(map(question.asks, loud))
    kept = [question.terms(mono(clip.audio), silent[0])[0] for clip in silent + loud]
    assert kept == [True] * 4 + [False] * 4


@pytest.fixture(scope="module")
def judges():
    classes = ("impact", "bounce", "landscape")
    train, validation = (
        world(split, clips, classes, offscreen_probability=0.5)
        for split, clips in (("train", 240), ("val", 120))
    )
    config = JudgeConfig(
        shrinkage=0.1,
        penalty=3.0,
        false_positive_rate=0.02,
        copies=1,
        vocabulary=(),
        templates=1,
        seed=0,
    )
    return train_judges(train, validation, config)


@pytest.mark.slow
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


@pytest.mark.slow
def test_offscreen_sounds_are_heard_and_rarely_imagined(judges):
    clips = world("test", 90, ("impact", "bounce", "landscape"), offscreen_probability=0.5)
    found_BK = judges.tagger.detect([mono(clip.audio) for clip in clips], RATE)
    present_BK = np.array([[name in clip.labels for name in judges.tagger.names] for clip in clips])
    offscreen = [k for k, n in enumerate(judges.tagger.names) if n not in ("impact", "bounce")]
    assert found_BK[:, offscreen][present_BK[:, offscreen]].mean() >= 0.85
    assert found_BK[:, offscreen][~present_BK[:, offscreen]].mean() <= 0.04
