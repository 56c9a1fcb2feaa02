"""Onsets at known times are found where they are, matched one to one and in order."""

import numpy as np
import pytest
from toy_clips import RATE, render_hits

from v2a_jax.evaluation.onsets import (
    detect_onsets,
    event_times,
    match_onsets,
    novelty,
    summarise,
)
from v2a_jax.types import Event

TIMES = np.array([0.31, 0.702, 1.3, 1.555])


def test_known_onsets_are_found_within_milliseconds():
    detected = detect_onsets(render_hits(TIMES, "wood"), RATE)
    summary = summarise([match_onsets(detected, TIMES, 0.025)])
    assert summary.f1 == 1.0
    assert abs(summary.mean_error) < 0.006


@pytest.mark.parametrize("rate_factor", [1, 3])
def test_sample_rate_does_not_move_onsets(rate_factor):
    click = np.zeros(2 * RATE * rate_factor)
    click[(TIMES * RATE * rate_factor).astype(int)] = 0.5
    detected = detect_onsets(click, RATE * rate_factor)
    np.testing.assert_allclose(detected, TIMES, atol=0.010)


def test_late_sound_scores_zero():
    detected = detect_onsets(render_hits(TIMES + 0.120, "wood"), RATE)
    assert summarise([match_onsets(detected, TIMES, 0.050)]).f1 == 0.0


@pytest.mark.parametrize("level", [0.0, 1e-3])
def test_no_onsets_in_silence_or_steady_tone(level):
    tone = level * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)
    detected = detect_onsets(tone, RATE)
    # The tone does begin: that one onset is heard, at time 0, and no other.
    assert len(detected[detected > 0.05]) == 0


def test_detection_ignores_level():
    wave = render_hits(TIMES, "metal")
    np.testing.assert_array_equal(detect_onsets(wave, RATE), detect_onsets(0.25 * wave, RATE))


def test_novelty_is_never_negative():
    assert novelty(np.random.default_rng(0).standard_normal(RATE), RATE).min() >= 0.0


def test_matching_is_one_to_one_monotone_and_maximal():
    random = np.random.default_rng(7)
    for _ in range(200):
        detected = np.sort(random.uniform(0, 1, random.integers(0, 9)))
        true = np.sort(random.uniform(0, 1, random.integers(0, 9)))
        match = match_onsets(detected, true, 0.1)
        assert match.matched == _greedy_count(detected, true, 0.1)
        assert np.all(np.abs(match.errors) <= 0.1 + 1e-9)


def _greedy_count(detected, true, tolerance):
    """Two pointers give the largest monotone matching of equal-width intervals."""
    i = j = count = 0
    while i < len(detected) and j < len(true):
        if abs(detected[i] - true[j]) <= tolerance:
            i, j, count = i + 1, j + 1, count + 1
        elif detected[i] < true[j]:
            i += 1
        else:
            j += 1
    return count


def test_matching_never_crosses():
    # Crossed and uncrossed pairs have the same total |error| here; only the uncrossed are valid.
    match = match_onsets(np.array([0.0, 0.01]), np.array([0.02, 0.03]), 0.05)
    np.testing.assert_allclose(match.errors, [-0.02, -0.02])


def test_one_detection_serves_one_event():
    match = match_onsets(np.array([0.5]), np.array([0.49, 0.51]), 0.05)
    assert (match.matched, match.detected, match.true) == (1, 1, 2)
    assert match.f1_terms == (2.0, 3.0)


def test_close_events_merge_and_offscreen_ones_do_not_count():
    times = [0.10, 0.15, 0.19, 0.60]
    events = [Event(time=t, end=t, kind="bounce") for t in times]
    events.append(Event(time=0.4, end=0.5, kind="knocks", onscreen=False))
    np.testing.assert_allclose(event_times(events), [0.10, 0.19, 0.60])


def test_summary_of_nothing_is_defined():
    summary = summarise([match_onsets(np.array([]), np.array([]), 0.05)])
    assert summary.f1 == 0.0
    assert np.isnan(summary.mean_error)
