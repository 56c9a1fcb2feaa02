"""Every condition asks what it should, of no more clips than it may."""

import dataclasses

import numpy as np
import pytest
from toy_clips import AMOUNTS, make_clip

from v2a_jax.errors import UserError
from v2a_jax.evaluation.takes import CONDITIONS, SEVERITY, Amounts, Words, takes

FEW = Amounts(variations=3, negatives=2, wordings=5, stills=1, damaged=4)


def darker(video, *, severity, rng):
    return (video * severity + rng.integers(200)).astype(np.uint8)


def plain(video, *, severity, rng):
    return np.zeros_like(video)


def face(index: int):
    clip = make_clip(index, with_siren=False)
    video = clip.video + np.arange(len(clip.video), dtype=np.uint8)[:, None, None, None]
    curves = {"aperture": (100.0, (0.0, 1.0))}
    return dataclasses.replace(
        clip, labels=("speech",), events=(), curves=curves, transcript="one", video=video
    )


@pytest.fixture(scope="module")
def clips(toy_clips):
    return [*toy_clips[:12], face(12), face(13)]


def test_no_condition_takes_more_clips_than_it_may(clips):
    made = takes(clips, FEW, {"dark": darker})
    assert set(made) == set(CONDITIONS)
    most = dict(again=3, negative_seen=2, negative_absent=2, short=5, still=1, damaged=4)
    assert {name: len(made[name].words) for name in most} == most
    assert list(made["prompted"].words) == list(range(14))


def test_without_other_sounds_there_are_none(clips):
    made = takes(clips, Amounts(**dict.fromkeys(AMOUNTS, 0)), {"dark": darker})
    others = {name for name in CONDITIONS if made[name].words} - {"prompted"}
    assert others == {"unprompted", "negative"}  # of the figures that are of all clips
    with pytest.raises(UserError, match="evaluation.protocol.damaged=-1"):
        Amounts(**AMOUNTS | {"damaged": -1})


def test_words_of_each_condition(clips):
    made = takes(clips, Amounts(**AMOUNTS), {})
    full, short = "hits on metal while a siren is heard", "metal, siren"
    said = {name: made[name].words.get(2) for name in CONDITIONS}
    assert said == {
        "prompted": Words(full),
        "again": Words(full),
        "unprompted": Words(),
        "short": Words(short),
        "negative": Words(full, "a siren is heard"),
        "negative_seen": Words(full, "hits on metal"),
        "negative_absent": Words(full, "rain"),
        "still": None,
        "damaged": None,
    }
    assert made["prompted"].words[12].transcript == "one"
    assert made["still"].words == {12: Words(), 13: Words()}


def test_lists_of_what_is_absent_take_turns(clips):
    words = takes(clips, Amounts(**AMOUNTS), {})["negative_absent"].words
    assert [words[i].negative for i in range(3)] == ["rain", "thunder, rain", "rain"]


def test_half_of_the_clips_whose_lacks_are_named_are_timed(clips):
    words = takes(clips, Amounts(**AMOUNTS), {})["negative_absent"].words
    assert list(words) == [0, 1, 2, 5]  # 2 and 5 have a siren


def test_a_negative_prompt_that_would_cancel_the_prompt_is_not_asked_for(clips):
    made = takes(clips, Amounts(**AMOUNTS), {})
    for name in ("negative", "negative_seen"):
        assert list(made[name].words) == [2, 5, 8, 11]


def test_what_is_to_be_said_is_not_taken_away(clips):
    speaking = [dataclasses.replace(clip, transcript="one") for clip in clips]
    assert not takes(speaking, FEW, {})["negative_seen"].words


def test_a_still_face_does_not_move(clips):
    still = takes(clips, FEW, {})["still"].picture(12)
    assert still.shape == clips[12].video.shape
    assert (still == clips[12].video[0]).all()
    assert not (clips[12].video == clips[12].video[0]).all()


def test_artefacts_take_turns_and_are_always_the_same(clips):
    first, again = (takes(clips, FEW, {"dark": darker, "no": plain})["damaged"] for _ in range(2))
    assert list(first.words) == [0, 1, 3, 4]
    shown = [first.picture(i) for i in first.words]
    assert [picture.any() for picture in shown] == [True, False, True, False]
    np.testing.assert_array_equal(shown, [again.picture(i) for i in first.words])
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(shown[2], darker(clips[3].video, severity=SEVERITY, rng=rng))


def test_without_artefacts_nothing_is_damaged(clips):
    assert not takes(clips, FEW, {})["damaged"].words
