"""What is known of a clip is cut with it, and what is not known of one is not asked."""

import dataclasses

import numpy as np
from toy_clips import FPS, RATE, SECONDS, make_clip

from v2a_jax.evaluation import following
from v2a_jax.evaluation.clips import cut_clips, is_timed, off_screen
from v2a_jax.types import Event

SPOKEN = (("one", 0.1, 0.4), ("two", 0.8, 1.1), ("three", 1.5, 1.8))


def cut(clip, seconds):
    (made,), failures = cut_clips([clip], fps=FPS, sample_rate=RATE, seconds=seconds)
    assert not failures
    return made


def test_words_that_are_not_whole_are_not_told():
    clip = make_clip(0, with_siren=False)
    spoken = dataclasses.replace(clip, transcript="one two three", words=SPOKEN)
    assert cut(spoken, SECONDS).transcript == "one two three"
    half = cut(spoken, 1.0)
    assert half.transcript == "one" and half.words == SPOKEN[:1]
    untimed = dataclasses.replace(clip, transcript="one two three")
    assert cut(untimed, SECONDS).transcript == "one two three"
    assert cut(untimed, 1.0).transcript == ""


def test_a_class_that_is_heard_later_is_none_of_the_clips():
    clip = make_clip(0, with_siren=False)
    later = Event(time=1.6, end=2.0, kind="siren", onscreen=False)
    clip = dataclasses.replace(clip, labels=("impact", "siren"), events=(*clip.events, later))
    assert off_screen(cut(clip, SECONDS)) == ("siren",) and not is_timed(cut(clip, SECONDS))
    half = cut(clip, 1.0)
    assert half.labels == ("impact",) and not off_screen(half) and is_timed(half)


def test_what_follows_a_curve_is_asked_where_the_curve_is_known():
    clip = make_clip(0, with_siren=False)
    for question in following.examinations():
        for label in ("engine", "rain", "scrape", "roll", "music"):
            assert not question.asks(dataclasses.replace(clip, labels=(label,), events=()))


def test_silence_is_what_cannot_be_heard_whatever_the_labels_say():
    clip = dataclasses.replace(make_clip(0, with_siren=False), labels=())
    assert not following.silence().asks(clip)
    assert following.silence().asks(dataclasses.replace(clip, audio=np.zeros_like(clip.audio)))
