import numpy as np
import pytest

from v2a_jax.media.original import DEPTH_DB, combined, ducking

RATE = 16000


def noise(level_db, seconds, channels=1, seed=0):
    draw = np.random.default_rng(seed).standard_normal((round(seconds * RATE), channels))
    return (10 ** (level_db / 20) * draw).astype(np.float32)


def together(made, old, *, duck, parts=1):
    blocks = combined(np.array_split(made, parts), [old], duck=duck, rate=RATE)
    return np.concatenate(list(blocks))


@pytest.mark.parametrize("channels", [1, 2])
def test_mixing_adds_sample_by_sample(channels):
    made, old = noise(-20, 1.003, seed=1), noise(-20, 1.003, channels)
    np.testing.assert_array_equal(together(made, old, duck=False, parts=7), made + old)


def test_the_generated_sound_is_held_down_while_the_original_is_loud():
    old = np.concatenate([noise(-90, 2), noise(-12, 1), noise(-90, 4)])
    made = noise(-20, 7, seed=1)
    heard = together(made, old, duck=True) - old
    spans = [slice(0, 30000), slice(34000, 46000), slice(-16000, None)]
    gain = np.sqrt([np.mean(heard[span] ** 2) / np.mean(made[span] ** 2) for span in spans])
    np.testing.assert_allclose(20 * np.log10(gain), [0, -DEPTH_DB, 0], atol=0.3)


def test_it_is_down_when_the_original_begins_and_no_gain_jumps():
    old = np.concatenate([noise(-100, 1), noise(-12, 1), noise(-100, 3)])
    gain = np.array(list(ducking(np.split(old, len(old) // 160), rate=RATE)))
    np.testing.assert_array_equal(gain[1:, 0], gain[:-1, 1])
    assert gain[100, 0] == -DEPTH_DB and gain[98, 0] == 0
    rising = np.diff(gain[200:, 0])
    assert (rising >= 0).all() and rising.max() < 0.5


def test_ducking_does_not_depend_on_the_blocks():
    made, old = noise(-20, 1.234, 2, seed=1), noise(-25, 1.234)
    np.testing.assert_array_equal(
        together(made, old, duck=True), together(made, old, duck=True, parts=13)
    )
