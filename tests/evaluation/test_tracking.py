"""A level that follows a curve is seen to follow it, and how late it is."""

import numpy as np
import pytest

from v2a_jax.evaluation.tracking import (
    RATE,
    best_lag,
    correlation,
    level,
    log_level,
    resample,
)

SAMPLE_RATE, SECONDS, CURVE_HZ = 16000, 4.0, 100.0


def curve(shift: float = 0.0) -> np.ndarray:
    time = np.arange(round(SECONDS * CURVE_HZ)) / CURVE_HZ - shift
    return 1.2 + np.sin(2 * np.pi * 0.6 * time) + 0.3 * np.sin(2 * np.pi * 1.3 * time)


def noise_along(curve_K: np.ndarray) -> np.ndarray:
    time = np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    noise = np.random.default_rng(0).standard_normal(len(time))
    return 0.1 * noise * np.interp(time, np.arange(len(curve_K)) / CURVE_HZ, curve_K)


def test_level_is_the_rms_of_a_steady_sound():
    tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    np.testing.assert_allclose(level(tone, SAMPLE_RATE), 0.5 / np.sqrt(2), rtol=2e-3)
    np.testing.assert_allclose(log_level(tone, SAMPLE_RATE), -9.03, atol=0.02)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_level_has_one_frame_for_each_of_the_curve(rate):
    assert len(level(np.ones(round(SECONDS * rate)), rate)) == SECONDS * RATE


def test_noise_along_a_curve_follows_it_and_no_other():
    sound_T = level(noise_along(curve()), SAMPLE_RATE)
    truth_T = resample(curve(), CURVE_HZ, len(sound_T))
    assert correlation(sound_T, truth_T) > 0.95
    assert abs(correlation(sound_T, resample(curve(0.45), CURVE_HZ, len(sound_T)))) < 0.5


def test_a_steady_sound_follows_nothing():
    truth_T = resample(curve(), CURVE_HZ, 100)
    assert correlation(np.zeros(100), truth_T) == 0.0
    assert correlation(np.full(100, 0.3), truth_T) == 0.0


@pytest.mark.parametrize("late", [-0.24, 0.0, 0.12, 0.32])
def test_lag_is_found_with_its_sign(late):
    sound_T = level(noise_along(curve(late)), SAMPLE_RATE)
    truth_T = resample(curve(), CURVE_HZ, len(sound_T))
    assert abs(best_lag(sound_T, truth_T, RATE) - late) <= 1.5 / RATE
