import numpy as np
import pytest

from v2a_jax.media.shots import shot_changes

FPS, SIZE = 25, 32


def scene(seed, count, speed=0.3):
    """A textured picture that drifts, and a square that moves across it: float[F,S,S,3]."""
    draw = np.random.default_rng(seed)
    base = draw.uniform(30, 220, 3)
    texture = draw.normal(0, 25, (SIZE, SIZE, 3))
    for k in range(count):
        picture = base + np.roll(texture, round(speed * k), axis=1) + draw.normal(0, 3, 1)
        x = 2 + (k // 2) % (SIZE - 10)
        picture[8:14, x : x + 6] = 255 - base
        yield picture


def film(*lengths):
    return [list(scene(seed, count)) for seed, count in enumerate(lengths)]


def shots(*parts):
    frames = np.clip(np.concatenate(parts), 0, 255).astype(np.uint8)
    return np.asarray(shot_changes(frames, FPS))


def test_hard_cuts_are_found_to_the_frame():
    np.testing.assert_allclose(shots(*film(60, 40, 75, 20)), np.array([60, 100, 175]) / FPS)


@pytest.mark.parametrize("seed", range(4))
def test_one_shot_has_none(seed):
    assert not len(shots(list(scene(seed, 150, speed=1.0))))


@pytest.mark.parametrize("length", [12, 25, 40])
def test_a_dissolve_is_one_change_amid_it(length):
    first, second = film(80 + length, 80 + length)
    share = np.linspace(0, 1, length)[:, None, None, None]
    blend = (1 - share) * np.array(first[80:]) + share * np.array(second[:length])
    (found,) = shots(first[:80], blend, second[length:])
    assert abs(found - (80 + length / 2) / FPS) < 0.2


def test_a_fade_through_black_lies_between_the_shots():
    first, second = (np.array(part) for part in film(100, 100))
    down = np.linspace(1, 0, 25)[:, None, None, None]
    first[-25:] *= down
    second[:25] *= down[::-1]
    found = shots(first, second)
    assert 1 <= len(found) <= 2 and (found > 3.0).all() and (found < 5.0).all()


def test_a_flash_and_a_slow_change_of_light_are_no_shots():
    flashed = np.array(film(100)[0])
    flashed[50:52] = 255
    assert not len(shots(flashed))
    light = np.linspace(0, 40, 200)[:, None, None, None]
    assert not len(shots(np.array(list(scene(1, 200))) * 0.7 + light))


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_few_frames_will_do(count):
    assert not shot_changes(np.zeros((count, 8, 8, 3), np.uint8), FPS)
