"""The share of clean clips that look as odd: calibrated on clean ones, lower for damaged ones."""

import numpy as np
import pytest

from data_pipelines.world.degrade import degrade
from v2a_jax.errors import UserError
from v2a_jax.sampling.note import Note, quality
from v2a_jax.sampling.quality import LEAST_CLIPS, Clean, measure, statistics

FRAMES = 6


def clip(seed):
    """Two squares that pass over a ground of two colours, of other sizes and speeds each time."""
    draw = np.random.default_rng(seed)
    video = np.zeros((FRAMES, 32, 32, 3), np.float32)
    video[:] = draw.integers(20, 90, 3)
    video[:, draw.integers(8, 24) :] = draw.integers(60, 160, 3)
    for colour in draw.integers(120, 255, (2, 3)):
        (x, y), side, speed = draw.integers(0, 20, 2), draw.integers(4, 9), draw.integers(1, 4)
        for k in range(FRAMES):
            video[k, y : y + side, (x + speed * k) % 28 :][:, :side] = colour
    return (video + draw.normal(0, 2, video.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def clean():
    return measure(map(clip, range(200)), FRAMES, 0.02)


def test_clean_clips_spread_evenly_over_all_qualities(clean):
    found = np.sort([clean.quality(clip(seed)) for seed in range(1000, 1200)])
    assert np.abs(found - (np.arange(200) + 0.5) / 200).max() < 0.15


@pytest.mark.parametrize("kind", ["noise", "blur", "low_resolution", "jpeg"])
def test_the_more_damage_the_farther_from_clean(clean, kind):
    clips = [clip(seed) for seed in range(1000, 1010)]

    def damaged(severity):
        rng = np.random.default_rng(0)
        return [degrade(video, kind, severity, rng) for video in clips]

    far = [
        np.mean(clean.distance(np.stack([statistics(video) for video in damaged(severity)])))
        for severity in (0, 0.4, 1.0)
    ]
    assert far[0] < far[1] < far[2]
    told = [clean.quality(video) < clean.warn_below for video in damaged(1.0)]
    assert np.mean(told) >= 0.9


def test_too_little_is_not_judged_and_nothing_is_too_short_to_measure(clean):
    assert clean.quality(clip(0)[: FRAMES // 2 - 1]) is None
    assert 0 <= clean.quality(clip(0)[: FRAMES // 2]) <= 1
    for count in (1, 2, 3):
        assert np.isfinite(statistics(clip(0)[:count])).all()
    for level in (0, 255):
        assert np.isfinite(statistics(np.full((FRAMES, 32, 32, 3), level, np.uint8))).all()


def test_too_few_clips_are_refused():
    with pytest.raises(UserError, match=f"{LEAST_CLIPS - 1} clips are too few"):
        measure(map(clip, range(LEAST_CLIPS - 1)), FRAMES, 0.02)


def test_what_is_stored_judges_alike_and_anything_else_is_refused(clean):
    again = Clean.from_bytes(clean.to_bytes())
    assert [again.quality(clip(k)) for k in range(9)] == [clean.quality(clip(k)) for k in range(9)]
    assert (again.frames, again.warn_below) == (FRAMES, 0.02)
    for content in (b"", b"PK\x03\x04", clean.to_bytes()[:-200]):
        with pytest.raises(ValueError, match="no statistics"):
            Clean.from_bytes(content)


def test_the_quality_of_a_video_is_that_of_all_its_time():
    def note(heard, value):
        return Note(start=0.0, heard=heard, seeds=(1,), agreements=((),), quality=value)

    assert quality([note(3.0, 0.2), note(1.0, 0.6), note(9.0, None)]) == pytest.approx(0.3)
    assert quality([note(1.0, None)]) is None and quality([]) is None
