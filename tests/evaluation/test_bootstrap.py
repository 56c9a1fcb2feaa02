"""Intervals cover what they promise, and ratios are of sums."""

import numpy as np

from v2a_jax.evaluation.bootstrap import (
    difference,
    estimate,
    percentile_interval,
    ratio,
    wilson_interval,
)


def test_micro_ratio_weighs_events_not_clips():
    assert estimate(np.array([[1.0, 1.0], [0.0, 9.0]]), ratio) == 0.1


def test_percentile_interval_covers_the_truth():
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        trials = random.integers(1, 8, size=60)
        rows = np.stack([random.binomial(trials, 0.6), trials], axis=1)
        low, high = percentile_interval(rows, ratio, resamples=300, confidence=0.9, seed=trial)
        covered += low <= 0.6 <= high
    assert 0.83 <= covered / 200 <= 0.96


def test_wilson_interval_covers_the_truth():
    random = np.random.default_rng(1)
    intervals = [wilson_interval(random.binomial(25, 0.9), 25, confidence=0.95) for _ in range(500)]
    assert np.mean([low <= 0.9 <= high for low, high in intervals]) > 0.92


def test_wilson_interval_has_width_at_the_ends():
    low, high = wilson_interval(20, 20, confidence=0.95)
    assert high == 1.0
    assert 0.8 < low < 0.9  # z^2/n = .192: 1 / 1.192


def test_paired_difference_is_tighter_than_unpaired():
    random = np.random.default_rng(2)
    difficulty = random.uniform(0, 1, 80)
    ones = np.ones(80)
    better = np.stack([difficulty + 0.05, ones], axis=1)
    worse = np.stack([difficulty, ones], axis=1)
    draw = {"resamples": 500, "confidence": 0.95, "seed": 0}
    paired = percentile_interval(np.hstack([better, worse]), difference(ratio), **draw)
    single = percentile_interval(better, ratio, **draw)
    np.testing.assert_allclose(paired, 0.05, atol=1e-9)
    assert single[1] - single[0] > 0.05


def test_undefined_statistic_has_no_interval():
    low, high = percentile_interval(np.zeros((4, 2)), ratio, resamples=50, confidence=0.95, seed=0)
    assert np.isnan(low)
    assert np.isnan(high)
