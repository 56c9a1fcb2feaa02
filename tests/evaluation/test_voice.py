"""A voice is the face's where its pitch is; silence and noise are nobody's."""

import dataclasses

import numpy as np
import pytest
from toy_clips import RATE, SECONDS, make_clip

from v2a_jax.evaluation.speech import voice
from v2a_jax.types import Event

PITCH = 120.0


@pytest.fixture(scope="module")
def speaker():
    events = (Event(time=0.1, end=1.9, kind="speech", f1=PITCH),)
    curves = {"aperture": (100.0, (0.0, 1.0))}
    clip = make_clip(0, with_siren=False)
    return dataclasses.replace(clip, labels=("speech",), events=events, curves=curves)


def pulses(hertz, jitter=0.03):
    """A buzz with a melody, loud half of the time."""
    time = np.arange(int(SECONDS * RATE)) / RATE
    phase = hertz * (time + jitter / (2 * np.pi) * np.sin(2 * np.pi * time))
    buzz = sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 12))
    return 0.1 * buzz * (np.sin(2 * np.pi * 2 * time) > 0)


@pytest.mark.parametrize(
    ("semitones", "right"), [(0, 1), (1.5, 1), (-1.5, 1), (3, 0), (-4, 0), (12, 0)]
)
def test_pitch_within_two_semitones_is_the_speakers(speaker, semitones, right):
    sound = pulses(PITCH * 2 ** (semitones / 12))
    assert voice().terms(sound, speaker) == (right, 1.0)


def test_silence_is_no_voice(speaker):
    assert voice().terms(np.zeros(int(SECONDS * RATE)), speaker) == (0.0, 1.0)


def test_only_a_known_pitch_is_asked_for(speaker):
    assert voice().asks(speaker)
    unknown = dataclasses.replace(speaker.events[0], f1=None)
    assert not voice().asks(dataclasses.replace(speaker, events=(unknown,)))
    assert not voice().asks(dataclasses.replace(speaker, labels=("speech", "siren")))
