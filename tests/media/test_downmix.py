"""Mono and stereo are made of more channels as BS.775 says, and never cancel out."""

import av
import numpy as np
import pytest

from v2a_jax.media.decode import read_audio, read_clip
from v2a_jax.media.downmix import matrix, mixed

RATE = 16000
HALF = np.sqrt(0.5)


def mix(wave_NC, channels, layout=None, piece=1000):
    pieces = (wave_NC[begin : begin + piece] for begin in range(0, len(wave_NC), piece))
    found = list(mixed(pieces, layout=layout, channels=channels, sample_rate=RATE))
    return np.concatenate(found)


def noise(channels, seconds=2.0, seed=0):
    shape = round(seconds * RATE), channels
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def level(wave):
    return 10 * np.log10(np.square(wave).mean())


@pytest.mark.parametrize(
    ("layout", "shares"),
    [
        ("5.1", [(1, 0), (0, 1), (HALF, HALF), (0, 0), (HALF, 0), (0, HALF)]),
        ("5.0(side)", [(1, 0), (0, 1), (HALF, HALF), (HALF, 0), (0, HALF)]),
        ("3.0", [(1, 0), (0, 1), (HALF, HALF)]),
    ],
)
def test_the_coefficients_are_those_of_bs775(layout, shares):
    found = matrix(layout, len(shares))
    np.testing.assert_allclose(found / found[0, 0], shares, atol=1e-6)
    assert found.sum(axis=0).max() == pytest.approx(1)


LAYOUTS = ["2.1", "4.0", "quad", "6.0", "6.1", "7.1", "7.1(wide)", "hexadecagonal"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_layout_clips_or_loses_a_side(layout):
    channels = av.AudioLayout(layout).nb_channels
    found = matrix(layout, channels)
    assert (found.sum(axis=0) <= 1 + 1e-6).all()
    assert found.any(axis=0).all()
    assert np.abs(mix(noise(channels), 2, layout)).max() <= 1


def test_channels_of_unknown_places_count_alike():
    wave = noise(12)
    np.testing.assert_allclose(mix(wave, 1)[:, 0], wave.mean(axis=1), atol=1e-6)


def test_mono_made_stereo_and_mono_again_is_the_same():
    wave = noise(1)
    stereo = mix(wave, 2)
    assert stereo.shape == (len(wave), 2)
    np.testing.assert_array_equal(mix(stereo, 1), wave)


def test_mono_is_the_mean_of_both_sides():
    wave = noise(2)
    np.testing.assert_allclose(mix(wave, 1)[:, 0], wave.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("balance", [1.0, 0.8])
def test_opposite_phases_do_not_cancel_out(balance):
    wave = noise(1)
    opposite = np.concatenate([wave, -balance * wave], axis=1)
    assert level(mix(opposite, 1)[RATE:]) > level(opposite[RATE:]) - 1


def test_a_loss_of_less_than_6_db_is_the_plain_sum():
    wave, other = noise(1), noise(1, seed=1)
    for second in (0 * wave, other, -0.3 * wave + 0.9 * other):
        both = np.concatenate([wave, second], axis=1)
        np.testing.assert_allclose(mix(both, 1)[:, 0], both.mean(axis=1), atol=1e-6)


def test_the_change_from_one_to_the_other_makes_no_click():
    time = np.arange(2 * RATE) / RATE
    tone = np.sin(2 * np.pi * 100 * time).astype(np.float32)
    other = np.where(time < 1, tone, -tone)
    found = mix(np.stack([tone, other], axis=1), 1)[:, 0]
    assert np.abs(np.diff(found)).max() < 1.5 * np.abs(np.diff(tone)).max()
    assert level(found[-RATE // 2 :]) == pytest.approx(level(tone), abs=0.1)


def test_the_mix_does_not_depend_on_how_it_arrives():
    wave = np.concatenate([noise(2), np.repeat(noise(1), 2, axis=1) * [1, -1]]).astype(np.float32)
    np.testing.assert_array_equal(mix(wave, 1, piece=777), mix(wave, 1, piece=50_000))


def test_files_are_mixed_on_request(make, measure):
    path = make("a.mp4", channels=2)
    for channels in (1, 2):
        clip = read_clip(path, fps=25, sample_rate=RATE, channels=channels)
        assert clip.audio.shape == (2 * RATE, channels)
        np.testing.assert_allclose(measure.heard(clip.audio, RATE), measure.times, atol=0.005)
    assert read_audio(make("b.mp4"), sample_rate=None, channels=2)[0].shape[1] == 2
    with pytest.raises(ValueError, match="channels"):
        read_audio(path, sample_rate=None, channels=3)
