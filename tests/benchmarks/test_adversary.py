"""The adversary's tools work when they should: what fails in a report fails for its own reason."""

import numpy as np
import pytest
from marking import ours
from marking.adversary import _agreement, _best, _on_pattern
from marking.ours import PERIOD, DepthConfig, Guess
from marking.sounds import speech

from configs.base import get_config
from v2a_jax.config import build

RATE = 16000
DEPTH = build(DepthConfig, get_config().watermark)


def _mark(wave, key, payload, start):
    return ours.mark(wave, key, payload, sample_rate=RATE, depth=DEPTH, offset=start)


def test_right_signs_forge_a_mark_and_the_opposite_ones_take_it_away():
    plain, key = speech(4.0, RATE, 0), ours.throwaway_key("a test")
    signs = ours.true_signs(key, 0x1234)
    forged = _mark(plain, Guess(signs), 0, 5)
    assert ours.detect(forged, key, sample_rate=RATE).payload == 0x1234
    marked = _mark(plain, key, 0x1234, 5)
    assert ours.detect(marked, key, sample_rate=RATE).watermarked
    assert not ours.detect(_mark(marked, Guess(-signs), 0, 5), key, sample_rate=RATE).watermarked


def test_a_guess_finds_its_place_on_the_pattern():
    key = ours.throwaway_key("another test")
    signs = ours.true_signs(key, 7)
    heard = _on_pattern(_mark(speech(4.0, RATE, 1), key, 7, 300), RATE)
    assert _best(signs[:, : heard.shape[1]].astype(float), heard) == 300
    assert _best(np.zeros(()), heard) == 0


@pytest.mark.parametrize("wrong, agreement", [(0.0, 1.0), (0.25, 0.75)])
def test_agreement_is_the_share_of_right_signs_wherever_they_lie(wrong, agreement):
    rng = np.random.default_rng(0)
    truth = rng.choice([-1.0, 1.0], (PERIOD, 20))
    guess = truth * np.where(rng.random(truth.shape) < wrong, -1, 1)
    assert _agreement(np.roll(guess, 99, axis=0), truth) == pytest.approx(agreement, abs=0.01)


def test_silence_says_nothing_against_any_key():
    names = ["one", "two", "three"]
    assert ours.log10_p_values(np.zeros((RATE, 1)), names, RATE, stretched=True) == [0.0] * 3


def test_each_key_of_many_has_the_p_value_it_has_alone():
    key = ours.throwaway_key("third")
    marked = _mark(speech(3.0, RATE, 2), key, 9, 0)
    one, two, three = ours.log10_p_values(
        marked, ["first", "second", "third"], RATE, stretched=False
    )
    assert three < -6 < min(one, two)
    alone = ours.detect(marked, key, sample_rate=RATE)
    assert three == pytest.approx(np.log10(alone.p_value), abs=1e-6) or alone.p_value <= 1e-300
