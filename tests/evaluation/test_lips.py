"""A voice's lag behind a mouth is found, with its sign; one that keeps no time has no likeness."""

import numpy as np
import pytest

from v2a_jax.evaluation.lips import match_lips

RATE, SECONDS, HZ = 16000, 4.0, 200.0


def aperture(shift: float = 0.0) -> np.ndarray:
    """Syllables of uneven length, between pauses."""
    time = np.arange(round(SECONDS * HZ)) / HZ - shift
    onsets = np.array([0.4, 0.62, 0.95, 1.5, 1.68, 2.2, 2.62, 2.8, 3.3])
    lengths = np.array([0.16, 0.22, 0.3, 0.14, 0.3, 0.25, 0.15, 0.28, 0.3])
    phase = (time[:, None] - onsets) / lengths
    return np.where((phase > 0) & (phase < 1), np.sin(np.pi * phase), 0).sum(axis=1)


def voice(aperture_K: np.ndarray) -> np.ndarray:
    time = np.arange(round(SECONDS * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 130 * h * time) for h in range(1, 15))
    return 0.02 * buzz * np.interp(time, np.arange(len(aperture_K)) / HZ, aperture_K)


@pytest.mark.parametrize("late", [-0.2, 0.0, 0.12])
def test_lag_is_found(late):
    lag, likeness = match_lips(voice(aperture(late)), RATE, aperture(), HZ)
    assert lag == pytest.approx(late, abs=0.02)
    assert (likeness > 0.7) == (late == 0.0)


def test_silence_is_unlike_any_mouth():
    assert match_lips(np.zeros(round(SECONDS * RATE)), RATE, aperture(), HZ)[1] == 0.0
