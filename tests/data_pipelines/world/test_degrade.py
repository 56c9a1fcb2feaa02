"""Damage keeps form and time, grows with severity, and repeats with its generator."""

import time

import numpy as np
import pytest

from data_pipelines.world import WorldSource
from data_pipelines.world.degrade import KINDS, degrade


@pytest.fixture(name="video")
def moving(world_config):
    return WorldSource(world_config(classes=("impact",), size=40))[0].video


@pytest.mark.parametrize("kind", KINDS)
def test_damage(video, kind):
    before = video.copy()
    errors = np.zeros(3)
    for seed in range(5):
        for place, severity in enumerate((0.0, 0.3, 1.0)):
            damaged = degrade(video, kind, severity, np.random.default_rng(seed))
            again = degrade(video, kind, severity, np.random.default_rng(seed))
            assert damaged.shape == video.shape and damaged.dtype == np.uint8
            np.testing.assert_array_equal(damaged, again)
            errors[place] += np.abs(damaged.astype(float) - video).mean()
    np.testing.assert_array_equal(video, before)
    assert errors[0] == 0 < errors[1] < errors[2]


@pytest.mark.parametrize("kind", ["frame_drop", "freeze", "slow_frames"])
def test_repeated_frames_never_show_the_future(kind):
    video = np.arange(60, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    for seed in range(20):
        shown = degrade(video, kind, 0.8, np.random.default_rng(seed))[:, 0, 0, 0].astype(int)
        assert np.all(shown <= np.arange(60)) and np.all(np.diff(shown) >= 0)


def test_damage_is_quick_enough_for_a_loader(video):
    for kind in KINDS:
        start = time.process_time()
        degrade(video, kind, 0.5, np.random.default_rng(0))
        assert time.process_time() - start < 0.25


@pytest.mark.parametrize("kind", ["compression", "starvation", "packet_loss"])
def test_a_codec_moves_nothing_in_time(kind):
    column, video = np.arange(48), np.zeros((30, 48, 48, 3), np.uint8)
    for frame in range(30):  # a bar that goes one pixel a frame
        video[frame, :, np.abs(column - frame - 8) < 3] = 255
    damaged = degrade(video, kind, 0.3, np.random.default_rng(1)).astype(float).mean(axis=(1, 3))
    seen = (np.clip(damaged - 100, 0, None) @ column) / np.clip(damaged - 100, 1e-9, None).sum(1)
    assert np.abs(np.median(seen - np.arange(30) - 8)) < 0.5


def test_odd_sizes_survive_a_codec():
    video = np.random.default_rng(0).integers(0, 256, (4, 33, 47, 3), np.uint8)
    for kind in KINDS:
        assert degrade(video, kind, 0.5, np.random.default_rng(0)).shape == video.shape
