"""Published values: ITU-R BS.1770-4 (table of coefficients), EBU Tech 3341 (test signals)."""

import numpy as np
import pytest
import scipy.signal

from v2a_jax.media.loudness import Meter, k_weighting, levelled, limited, true_peak_db


def tone(parts, rate=48000, hertz=1000.0, channels=2):
    """float[N,C] of (dBFS, seconds) after one another."""
    level = np.concatenate([np.full(round(s * rate), 10 ** (db / 20)) for db, s in parts])
    wave = level * np.sin(2 * np.pi * hertz * np.arange(len(level)) / rate)
    return np.repeat(wave[:, None], channels, axis=1)


def loudness(wave, rate, block=5000):
    meter = Meter(rate, wave.shape[1])
    for begin in range(0, len(wave), block):
        meter.add(wave[begin : begin + block])
    return meter.lufs()


def test_the_filters_are_those_of_the_recommendation_at_48_khz():
    shelf, high_pass = k_weighting(48000)
    expected = [1.53512485958697, -2.69169618940638, 1.19839281085285]
    np.testing.assert_allclose(shelf[:3], expected, atol=1e-7)
    np.testing.assert_allclose(shelf[4:], [-1.69065929318241, 0.73248077421585], atol=1e-7)
    np.testing.assert_allclose(high_pass[:3], [1, -2, 1])
    np.testing.assert_allclose(high_pass[4:], [-1.99004745483398, 0.99007225036621], atol=1e-7)


EBU_3341 = [
    ([(-23, 20)], -23.0),
    ([(-33, 20)], -33.0),
    ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
    ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
    ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
]


@pytest.mark.parametrize("parts, expected", EBU_3341)
def test_tones_of_the_ebu_measure_what_they_should(parts, expected):
    assert abs(loudness(tone(parts), 48000) - expected) <= 0.1


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000, 96000])
def test_a_full_tone_in_one_channel_is_at_minus_3_01_at_any_rate(rate):
    measured = loudness(tone([(0, 5)], rate, hertz=997.0, channels=1), rate)
    assert abs(measured + 3.01) <= 0.05


def test_blocks_of_any_size_measure_the_same():
    wave = np.random.default_rng(0).standard_normal((30000, 2)) * 0.1
    sizes = [loudness(wave, 16000, block) for block in (1, 777, 30000) if block > 1]
    np.testing.assert_allclose(sizes, sizes[0], atol=1e-9)


@pytest.mark.parametrize("wave", [np.zeros((16000, 1)), np.zeros((0, 1)), np.ones((100, 1))])
def test_silence_and_what_is_too_short_have_no_loudness(wave):
    assert loudness(wave, 16000) == -np.inf


# Magnitude 0.5, a quarter of the rate, sampled beside its peaks: tests 15 to 17 of the EBU.
@pytest.mark.parametrize("degrees", [0, 45, 60])
def test_peaks_between_samples_are_found(degrees):
    wave = 0.5 * np.sin(np.pi / 2 * np.arange(48000) + np.radians(degrees))
    edges = np.minimum(np.minimum(np.arange(48000), np.arange(48000)[::-1]) / 2400, 1)
    peak = true_peak_db([(wave * edges)[:, None]], rate=48000)
    assert -6.0 - 0.4 <= peak <= -6.0 + 0.2


def clicks(rate, seed=0):
    """Loud noise with clicks beyond full scale, float32[N,2]."""
    draw = np.random.default_rng(seed)
    wave = 0.3 * draw.standard_normal((3 * rate + 17, 2))
    wave[draw.integers(0, len(wave), 40)] *= 8
    return wave.astype(np.float32)


@pytest.mark.parametrize("rate", [16000, 48000])
def test_no_true_peak_is_above_the_ceiling_and_nothing_is_lost(rate):
    wave = clicks(rate)
    made = np.concatenate(list(limited([wave], rate=rate)))
    assert made.shape == wave.shape and made.dtype == np.float32
    assert true_peak_db([made], rate=rate) <= -1.0
    # Four times is what the Recommendation asks for: near half the rate it may miss 0.7 dB.
    between = scipy.signal.resample_poly(made, 16, 1)
    assert 20 * np.log10(np.abs(between).max()) <= -0.6
    np.testing.assert_array_equal(np.sign(made), np.sign(wave))
    assert (np.abs(made) <= np.abs(wave) + 1e-6).all()


def test_the_limiter_streams_and_leaves_alone_what_is_below():
    wave = clicks(16000)
    whole = np.concatenate(list(limited([wave], rate=16000)))
    pieces = np.concatenate(list(limited(np.array_split(wave, 37), rate=16000)))
    np.testing.assert_allclose(pieces, whole, atol=1e-6)
    quiet = 0.05 * wave
    np.testing.assert_array_equal(np.concatenate(list(limited([quiet], rate=16000))), quiet)


@pytest.mark.parametrize("lufs", [-16.0, -23.0])
def test_sound_comes_out_at_the_loudness_asked_for(tmp_path, lufs):
    wave = tone([(-40, 3), (-30, 3)]).astype(np.float32)
    options = dict(rate=48000, channels=2, lufs=lufs, folder=tmp_path)
    made = np.concatenate(list(levelled(np.array_split(wave, 11), **options)))
    assert abs(loudness(made, 48000) - lufs) <= 0.1 and made.shape == wave.shape
    assert not list(tmp_path.iterdir())


def test_what_limiting_takes_away_is_made_up_for(tmp_path):
    wave = clicks(16000)[:, :1] * 0.05
    made = list(levelled([wave], rate=16000, channels=1, lufs=-14.0, folder=tmp_path))
    assert abs(loudness(np.concatenate(made), 16000) + 14.0) <= 0.3
    assert true_peak_db(made, rate=16000) <= -1.0


def test_silence_stays_silent_and_what_peaks_too_high_stays_quieter(tmp_path):
    options = dict(rate=16000, channels=1, folder=tmp_path)
    assert not np.any(list(levelled([np.zeros((16000, 1))], lufs=-16.0, **options)))
    loud = clicks(16000)[:, :1]
    made = list(levelled([loud], lufs=-5.0, **options))
    assert loudness(np.concatenate(made), 16000) < -5.0
    assert true_peak_db(made, rate=16000) <= -1.0
