"""Right notes count, wrong ones don't, and the tempo of a regular pattern is read."""

import dataclasses

import numpy as np
import pytest

from v2a_jax.evaluation.melody import judged_notes, keeps_tempo, note_terms, tempo
from v2a_jax.types import Event

RATE, SECONDS = 16000, 4.0


def notes(bpm: float, semitones: float = 0.0) -> list[Event]:
    times = np.arange(0.2, SECONDS - 0.3, 60.0 / bpm)
    scale = 220.0 * 2 ** (np.array([0, 2, 4, 7, 9, 12]) / 12)
    return [
        Event(time=t, end=t + 0.4, kind="music", f1=scale[k % 6] * 2 ** (semitones / 12))
        for k, t in enumerate(times)
    ]


def played(events: list[Event]) -> np.ndarray:
    wave, time = np.zeros(round(SECONDS * RATE)), np.arange(round(SECONDS * RATE)) / RATE
    for event in events:
        age = time - event.time
        pluck = np.exp(-6 * age) * sum(
            np.sin(2 * np.pi * h * event.f1 * age) / h for h in (1, 2, 3)
        )
        wave += np.where(age >= 0, 0.2 * pluck, 0)
    return wave


@pytest.mark.parametrize("semitones", [-7.0, 0.0, 1.5])
def test_played_notes_are_right_in_any_key(semitones):
    true = judged_notes(notes(100), SECONDS)
    right, count = note_terms(played(notes(100, semitones=semitones)), RATE, true)
    assert right == count == len(notes(100))


def test_wrong_notes_are_not():
    true = judged_notes(notes(100), SECONDS)
    first, *others = notes(100)
    wrong = [dataclasses.replace(first, f1=first.f1 * 2 ** (6 / 12)), *others]
    assert note_terms(played(wrong), RATE, true) == (len(true) - 1, len(true))
    drone = [dataclasses.replace(event, f1=220.0) for event in notes(100)]
    assert note_terms(played(drone), RATE, true) == (1, len(true))
    assert note_terms(np.zeros(round(SECONDS * RATE)), RATE, true) == (0, len(true))


def test_notes_cut_off_by_the_end_are_not_judged():
    assert not judged_notes([Event(time=3.9, end=4.0, kind="music", f1=220.0)], SECONDS)


@pytest.mark.parametrize("bpm", [66.0, 100.0, 143.0])
def test_tempo_is_read(bpm):
    assert keeps_tempo(tempo(played(notes(bpm)), RATE), bpm)


def test_without_change_there_is_no_tempo():
    assert np.isnan(tempo(np.zeros(round(SECONDS * RATE)), RATE))
    assert not keeps_tempo(float("nan"), 100.0)
