"""Known pitches are heard, errors have their sign and octaves are told apart."""

import numpy as np
import pytest

from v2a_jax.evaluation.pitch import cents, match_pitch, track

RATE = 16000


def glide(f0_K: np.ndarray, hz: float, seconds: float = 2.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(np.interp(time, np.arange(len(f0_K)) / hz, f0_K)) / RATE
    return 0.2 * sum(np.sin(h * phase) / h for h in range(1, 9))


F0 = np.linspace(60.0, 140.0, 200)


def test_a_glide_is_followed():
    match = match_pitch(*track(glide(F0, 100.0), RATE, low=30, high=400), F0, 100.0)
    assert match.near >= 0.97 * match.frames
    assert abs(np.median(match.cents)) < 6


@pytest.mark.parametrize(("factor", "octaves"), [(2.0, True), (1.12, False)])
def test_a_wrong_pitch_is_not_near(factor, octaves):
    heard = track(glide(factor * F0, 100.0), RATE, low=30, high=400)
    match = match_pitch(*heard, F0, 100.0)
    assert match.near <= 0.05 * match.frames
    assert np.median(match.cents) == pytest.approx(cents(factor, 1.0), abs=8)
    assert (match.octaves >= 0.9 * match.frames) == octaves


def test_silence_has_no_pitch_and_counts_as_missed():
    match = match_pitch(*track(np.zeros(RATE), RATE, low=30, high=400), F0, 100.0)
    assert match.near == 0
    assert match.frames > 40
    assert not len(match.cents)
