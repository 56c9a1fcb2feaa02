"""Distances are zero for a copy, grow with damage, and SI-SDR ignores scale."""

import numpy as np
import pytest

from v2a_jax.evaluation.codec import log_mel_distance, si_sdr, stft_distance

RATE = 16_000
WAVE = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1


@pytest.mark.parametrize("distance", [log_mel_distance, stft_distance])
def test_distance_of_a_copy_is_zero_and_grows_with_noise(distance):
    noise = np.random.default_rng(1).standard_normal(RATE) * 0.1
    values = [distance(WAVE, WAVE + level * noise, RATE) for level in (0.0, 0.1, 1.0)]
    assert values[0] == pytest.approx(0.0, abs=1e-6)
    assert values[0] < values[1] < values[2]


def test_log_mel_distance_of_a_gain_is_the_gain():
    assert log_mel_distance(WAVE, 0.5 * WAVE, RATE) == pytest.approx(20 * np.log10(2), abs=0.2)


def test_si_sdr_of_a_scaled_copy_is_infinite():
    assert si_sdr(WAVE, 0.5 * WAVE) == np.inf


def test_si_sdr_of_known_noise():
    signal, noise = np.zeros(1000), np.zeros(1000)
    signal[:500], noise[500:] = 1.0, 0.1
    assert si_sdr(signal, signal + noise) == pytest.approx(20.0)


def test_si_sdr_of_silence():
    assert si_sdr(WAVE, np.zeros_like(WAVE)) == -np.inf
    assert np.isnan(si_sdr(np.zeros_like(WAVE), WAVE))
