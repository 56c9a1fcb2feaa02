"""The nearest training clip is the one that looks alike, whatever its size."""

import dataclasses

import numpy as np
import pytest
from toy_clips import RATE, SECONDS, make_clip

from v2a_jax.evaluation.nearest import nearest, thumbnails


def moving(seed: int, size: int) -> np.ndarray:
    """A bright square on a path of its own: uint8[F,S,S,3] at 5 fps."""
    video = np.zeros((round(5 * SECONDS), size, size, 3), np.uint8)
    path = np.random.default_rng(seed).uniform(0.1, 0.6, (len(video), 2))
    for frame, (y, x) in zip(video, path, strict=True):
        frame[
            round(y * size) : round((y + 0.3) * size), round(x * size) : round((x + 0.3) * size)
        ] = 255
    return video


@pytest.fixture(scope="module")
def training():
    clips = [make_clip(index, with_siren=False) for index in range(6)]
    return [dataclasses.replace(clip, video=moving(k, 48)) for k, clip in enumerate(clips)]


def test_each_clip_gets_the_sound_of_its_twin(training):
    order = [4, 0, 3]
    wanted = [
        dataclasses.replace(training[k], video=moving(k, 60), audio=None, sample_rate=RATE)
        for k in order
    ]
    sounds = nearest(wanted, iter(training), SECONDS)
    for position, k in enumerate(order):
        np.testing.assert_array_equal(sounds[position], training[k].audio)


def test_clips_that_are_too_short_or_silent_are_passed_over(training):
    short = dataclasses.replace(training[2], audio=training[2].audio[:100])
    mute = dataclasses.replace(training[2], audio=None)
    found = nearest([training[2]], [short, mute, training[5]], SECONDS)
    np.testing.assert_array_equal(found[0], training[5].audio)
    assert nearest([training[2]], [short, mute], SECONDS) == {}


def test_thumbnails_do_not_depend_on_the_frame_rate():
    video = moving(1, 48)
    twice = np.repeat(video, 2, axis=0)
    np.testing.assert_array_equal(thumbnails(video, 5.0, SECONDS), thumbnails(twice, 10.0, SECONDS))
