"""Clips are varied, always the same, and none of them is silent."""

import os

import numpy as np
import pytest
from marking import clips, sounds

SECONDS, RATE = 6.0, 16000


@pytest.fixture(scope="module")
def chosen():
    return clips.choose(18, SECONDS)


def test_clips_are_named_and_of_many_kinds(chosen):
    assert len({clip.name for clip in chosen}) == len(chosen) == 18
    assert len({clip.kind for clip in chosen}) >= len(clips.MADE)
    real = sum(clip.kind not in clips.MADE for clip in chosen)
    assert real == (12 if "V2A_MEDIA_DIR" in os.environ else 0)


def test_clips_sound_and_stay_within_full_scale(chosen):
    for clip in chosen:
        wave = clip.render(SECONDS, RATE)
        assert wave.dtype == np.float32 and wave.shape[1] in (1, 2)
        assert len(wave) == SECONDS * RATE
        assert np.abs(wave).max() <= 1
        assert clips.heard_frames(wave, RATE).mean() * SECONDS >= 1
        assert np.array_equal(wave, clip.render(SECONDS, RATE))


def test_without_recordings_all_clips_are_made(monkeypatch):
    monkeypatch.delenv("V2A_MEDIA_DIR", raising=False)
    assert all(clip.kind in clips.MADE for clip in clips.choose(8, SECONDS))


@pytest.mark.parametrize("kind", clips.MADE)
def test_seeds_give_other_sounds_at_any_rate(kind):
    make = clips.MADE[kind]
    assert len(make(SECONDS, 44100, seed=3)) == SECONDS * 44100
    assert not np.array_equal(make(SECONDS, RATE, seed=3), make(SECONDS, RATE, seed=9))


def test_quiet_sound_is_quiet():
    wave = sounds.quiet(SECONDS, RATE, 1)
    assert 20 * np.log10(np.sqrt(np.mean(wave**2))) == pytest.approx(-60, abs=0.1)


@pytest.mark.parametrize("exponent, octave_db", [(0, 0), (1, -3), (2, -6)])
def test_noise_falls_as_its_colour_says(exponent, octave_db):
    power = np.abs(np.fft.rfft(sounds.coloured(1 << 17, exponent, np.random.default_rng(0)))) ** 2
    low, high = power[4000:8000].mean(), power[8000:16000].mean()
    assert 10 * np.log10(high / low) == pytest.approx(octave_db, abs=0.4)
