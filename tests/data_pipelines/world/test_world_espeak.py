"""espeak-ng speaks where it is installed, and is missed by name where it isn't."""

import importlib.util

import numpy as np
import pytest

from data_pipelines.world import WorldSource
from v2a_jax.errors import UserError

INSTALLED = importlib.util.find_spec("espeakng_loader") is not None


@pytest.fixture(name="source")
def spoken(world_config):
    config = world_config(classes=("speech",), clips=3, offscreen_probability=0.0)
    return WorldSource(config, {"synthesizer": "espeak", "text": "digits"})


@pytest.mark.skipif(INSTALLED, reason="espeak-ng is installed")
def test_what_is_missing_is_named(source):
    with pytest.raises(UserError, match=r"espeak-ng is not installed.*\[speech\]"):
        source[0]


@pytest.mark.skipif(not INSTALLED, reason="needs espeakng-loader")
def test_espeak_says_the_words_in_time(source):
    for clip in source:
        assert clip.transcript == " ".join(word for word, _, _ in clip.words)
        assert clip.meta["factors"]["espeak.version"].startswith("1.")
        wave, rate = clip.audio[:, 0], clip.sample_rate
        quiet = wave[: round((clip.words[0][1] - 0.01) * rate)]
        assert np.abs(quiet).max() < 0.003  # room tone alone
        for _, start, end in clip.words:
            assert np.abs(wave[round(start * rate) : round(end * rate)]).max() > 0.03
        assert [p[1] for p in clip.phonemes] == sorted(p[1] for p in clip.phonemes)
    assert list(source) == list(source)
