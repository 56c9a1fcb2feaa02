"""Clips are functions of (seed, split, index), and one factor can be changed alone."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from data_pipelines.world import WORLD_VERSION, WorldSource, scenes, world_caption
from data_pipelines.world.source import vocabulary
from v2a_jax.errors import UserError

GOLDEN = Path(__file__).with_name("golden_world.json")


def digest(record):
    """What stays the same across builds of numpy and scipy: exact events, coarse media."""
    parts = np.array_split(record.audio[:, 0].astype(np.float64), 8)
    frames = record.video[:: len(record.video) // 4].astype(np.float64)
    return {
        "events": [[e.kind, e.time, e.end, e.strength, e.f1, e.material] for e in record.events],
        "caption": record.caption,
        "level": [20 * np.log10(np.sqrt(np.mean(np.square(part)))) for part in parts],
        "colour": frames.mean(axis=(1, 2)).ravel().tolist(),
        "words": [list(word) for word in record.words],
        "curves": {name: list(values[::25]) for name, (_, values) in record.curves.items()},
        "marks": {name: list(times) for name, times in record.marks.items()},
    }


@pytest.mark.parametrize("name", scenes.names())
def test_golden_clips(world_config, name):
    golden = json.loads(GOLDEN.read_text())
    assert golden["world_version"] == WORLD_VERSION
    source = WorldSource(world_config(classes=(name,)))
    for index, expected in enumerate(golden["clips"][name]):
        found = digest(source[index])
        for what in ("events", "caption", "words"):
            assert found[what] == expected[what]
        for what in ("curves", "marks"):
            assert found[what].keys() == expected[what].keys()
            for key, values in expected[what].items():
                np.testing.assert_allclose(found[what][key], values, atol=1e-5)
        np.testing.assert_allclose(found["level"], expected["level"], atol=0.05)
        np.testing.assert_allclose(found["colour"], expected["colour"], atol=0.5)


def test_any_order_gives_the_same_bits(world_config):
    config = world_config(classes=scenes.names())
    forwards = list(WorldSource(config))
    source = pickle.loads(pickle.dumps(WorldSource(config)))
    for index in (*range(11, -1, -1), 7):
        assert source[index] == forwards[index]
        np.testing.assert_array_equal(source[index].audio, forwards[index].audio)


def test_events_do_not_depend_on_the_rates(world_config):
    fine, coarse = (
        world_config(classes=scenes.names(), seconds=1.0, sample_rate=rate, fps=fps)
        for rate, fps in ((48000, 25), (8000, 10))
    )
    for a, b in zip(WorldSource(fine), WorldSource(coarse), strict=True):
        assert a.events == b.events and a.captions == b.captions and a.words == b.words
        assert a.curves == b.curves and a.marks == b.marks and a.phonemes == b.phonemes


def test_length_does_not_change_a_clip(world_config):
    assert WorldSource(world_config(clips=100))[3] == WorldSource(world_config())[3]


def test_seed_and_split_choose_other_clips(world_config):
    clips = [WorldSource(world_config(**c))[0] for c in ({}, {"seed": 1}, {"split": "train"})]
    assert len({clip.audio.tobytes() for clip in clips}) == 3


def test_form(world_config):
    for clip in WorldSource(world_config(fps=10, size=48, sample_rate=8000, seconds=1.5)):
        assert clip.video.shape == (15, 48, 48, 3) and clip.video.dtype == np.uint8
        assert clip.audio.shape == (12000, 1) and clip.audio.dtype == np.float32
        assert np.abs(clip.audio).max() <= 0.98 + 1e-6
        assert clip.meta["licence"] == "procedural"


def test_classes_have_equal_shares(world_config):
    config = world_config(clips=30)
    drawn = [WorldSource(config)[k].meta["factors"]["class"] for k in range(30)]
    assert {name: drawn.count(name) for name in config.classes} == dict.fromkeys(config.classes, 10)
    assert drawn[:3] != drawn[3:6] or drawn[:3] != drawn[6:9]


def test_captions_without_rendering(world_config):
    config = world_config()
    assert all(
        world_caption(config, index) == clip.captions
        for index, clip in enumerate(WorldSource(config))
    )


def test_captions_and_labels_tell_of_what_is_not_seen(world_config):
    for clip in WorldSource(world_config(clips=24)):
        hidden = {event.kind for event in clip.events if not event.onscreen}
        assert hidden == set(clip.labels) - {"impact", "bounce"}
        assert bool(hidden) == bool(clip.captions["offscreen"])
        for name in hidden:
            assert name.rstrip("s") in clip.captions["offscreen"]
            assert name.rstrip("s") in clip.captions["full"]
            assert name.rstrip("s") in clip.captions["short"]
            assert name not in clip.captions["onscreen"]


def test_negatives_name_only_absent_sounds(world_config):
    seen = set()
    for clip in WorldSource(world_config(clips=36)):
        named = {name for prompt in clip.negatives for name in prompt.split(", ")}
        assert named and not named & set(clip.labels)
        seen |= named
    assert seen == set(vocabulary(world_config().classes))


def test_no_offscreen_sound_without_probability(world_config):
    for clip in WorldSource(world_config(offscreen_probability=0.0)):
        assert all(event.onscreen for event in clip.events)
        if not clip.labels:
            assert 20 * np.log10(np.sqrt(np.mean(clip.audio**2))) == pytest.approx(-70, abs=0.5)


def test_material_alone_can_be_changed(world_config):
    config = world_config(classes=("impact",), clips=3)
    wood, metal = (WorldSource(config, {"object0.material": m}) for m in ("wood", "metal"))
    for a, b in zip(wood, metal, strict=True):
        assert [(e.time, e.strength) for e in a.events] == [(e.time, e.strength) for e in b.events]
        factors = dict(a.meta["factors"]), dict(b.meta["factors"])
        changed = {name for name in factors[0] if factors[0][name] != factors[1].get(name)}
        assert changed - {"caption"} == {"object0.material"}
        assert not np.array_equal(a.audio, b.audio)
        np.testing.assert_array_equal(a.video[:, 0], b.video[:, 0])


def test_gravity_alone_can_be_changed(world_config):
    config = world_config(classes=("bounce",), clips=1)
    low, high = (WorldSource(config, {"gravity": g})[0] for g in (3.0, 9.0))
    first = [next(event for event in clip.events if event.onscreen) for clip in (low, high)]
    assert first[0].time > first[1].time and first[0].f1 == first[1].f1
    changed = {k for k, v in low.meta["factors"].items() if high.meta["factors"][k] != v}
    assert changed - {"caption"} == {"gravity"}


def test_offscreen_sound_is_added_to_an_unchanged_scene(world_config):
    config = world_config(classes=("impact",), clips=2)
    with_it, without = (WorldSource(config, {"offscreen.present": p})[1] for p in (True, False))
    np.testing.assert_array_equal(with_it.video, without.video)
    assert [e for e in with_it.events if e.onscreen] == list(without.events)
    assert with_it.captions["onscreen"] == without.captions["full"]


def test_birds_above_the_sample_rate_are_left_out(world_config):
    config = world_config(classes=("landscape",), clips=24, sample_rate=8000, seconds=1.0)
    clips = list(WorldSource(config, {"offscreen.present": True, "offscreen.kind": "birds"}))
    assert all(np.isfinite(clip.audio).all() for clip in clips)
    assert {bool(clip.events) for clip in clips} == {True, False}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [({"colour": 1}, "no factor"), ({"object0.material": "cheese"}, "must be one of")],
)
def test_wrong_overrides_are_named(world_config, overrides, message):
    with pytest.raises(UserError, match=message):
        WorldSource(world_config(classes=("impact",)), overrides)[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ("impact", "fish")},
        {"classes": ()},
        {"clips": 0},
        {"seconds": -1.0},
        {"seconds": float("nan")},
        {"size": 5000},
        {"fps": 0},
        {"fps": 1, "seconds": 0.5},
        {"sample_rate": 10},
        {"offscreen_probability": 1.5},
        {"seed": -1},
        {"split": ""},
        {"split": "conflict"},
    ],
)
def test_bounds(world_config, changes):
    with pytest.raises(UserError, match="world: "):
        WorldSource(world_config(**changes))
