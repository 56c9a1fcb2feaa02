import numpy as np
import pytest

from v2a_jax.watermark import payload


def test_code_distance_is_24():
    weights = ((1 - payload.codewords()) / 2).sum(1)
    assert weights[0] == 0
    assert np.all(weights[1:] >= 24)


def test_words_follow_the_bits():
    for number in (0, 1, 0x8001, 0xFFFF):
        word = payload.to_bits(number) @ payload.generator() % 2
        np.testing.assert_array_equal(1 - 2 * word, payload.codewords()[number])


def test_eleven_flipped_signs_and_twenty_three_erased_ones_are_corrected():
    rng = np.random.default_rng(0)
    for number in rng.integers(0, 1 << 16, 20):
        word = payload.codewords()[number].copy()
        damaged, erased = word.copy(), word.copy()
        damaged[rng.permutation(64)[:11]] *= -1
        erased[rng.permutation(64)[:23]] = 0
        assert payload.decode(damaged)[0] == number
        assert payload.decode(erased)[0] == number


@pytest.mark.parametrize("number", [-1, 1 << 16])
def test_a_payload_out_of_range_is_refused(number):
    with pytest.raises(ValueError, match="payload"):
        payload.to_bits(number)
