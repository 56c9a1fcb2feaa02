"""Small worlds for the tests."""

import pytest

from data_pipelines.world import WorldConfig


@pytest.fixture
def world_config():
    def make(**changes):
        values = {
            "seed": 0,
            "split": "test",
            "clips": 12,
            "seconds": 2.0,
            "fps": 25,
            "size": 32,
            "sample_rate": 16000,
            "classes": ("impact", "bounce", "landscape"),
            "offscreen_probability": 0.5,
        }
        return WorldConfig(**(values | changes))

    return make
