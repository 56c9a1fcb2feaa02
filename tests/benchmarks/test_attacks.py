"""Attacks do what their names say."""

import numpy as np
import pytest
from marking import changes
from marking.attacks import CODECS, of, registry
from marking.ffmpeg import filtered, transcode
from marking.sounds import speech

RATE = 16000
ATTACKS = {name: attack for group in registry().values() for name, attack in group.items()}


def _rng():
    return np.random.default_rng(0)


def _tone(hz, seconds=2.0, rate=RATE):
    t = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * hz * t)).astype(np.float32)[:, None]


def _pitch(wave, rate=RATE):
    """Hz of the strongest component of its middle."""
    middle = wave[len(wave) // 4 : 3 * len(wave) // 4, 0]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), n=1 << 18))
    return spectrum.argmax() * rate / (1 << 18)


def _db(part, whole):
    return 10 * np.log10(np.mean(np.square(part)) / np.mean(np.square(whole)))


def _lag(wave, other):
    size = 2 * len(wave)
    product = np.fft.rfft(other[:, 0], size) * np.fft.rfft(wave[:, 0], size).conj()
    lag = int(np.fft.irfft(product).argmax())
    return lag if lag < len(wave) else lag - size


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_gives_sound(name):
    plain = np.concatenate([speech(6.5, RATE, 0), speech(6.5, RATE, 1)], axis=1)
    before = plain.copy()
    wave, rate = ATTACKS[name](plain, RATE, _rng())
    again, _ = ATTACKS[name](plain, RATE, _rng())
    assert wave.dtype == np.float32 and wave.ndim == 2 and rate > 0
    assert np.isfinite(wave).all() and np.abs(wave).max() > 0.01
    assert np.array_equal(plain, before)
    assert np.array_equal(wave, again)


@pytest.mark.parametrize("factor", [0.9, 1.1])
@pytest.mark.parametrize("how", ["WSOLA", "vocoder"])
def test_tempo_changes_length_and_keeps_pitch(factor, how):
    wave, _ = ATTACKS[f"tempo {factor} ({how})"](_tone(440), RATE, _rng())
    assert len(wave) == pytest.approx(2 * RATE / factor, rel=0.02)
    assert _pitch(wave) == pytest.approx(440, rel=0.003)


@pytest.mark.parametrize("step", [-2, 1])
def test_pitch_moves_a_tone_and_keeps_length(step):
    wave, _ = ATTACKS[f"pitch {step:+d}"](_tone(440), RATE, _rng())
    assert len(wave) == 2 * RATE
    assert _pitch(wave) == pytest.approx(440 * 2 ** (step / 12), rel=0.003)


def test_speed_changes_length_and_pitch():
    wave, _ = ATTACKS["speed 1.25"](_tone(440), RATE, _rng())
    assert len(wave) == pytest.approx(2 * RATE / 1.25, abs=2)
    assert _pitch(wave) == pytest.approx(550, rel=0.002)


@pytest.mark.parametrize("exponent", [0, 1])
@pytest.mark.parametrize("snr", [20, 5])
def test_noise_has_the_ratio_asked_for(snr, exponent):
    plain = np.repeat(_tone(300), 2, axis=1)
    added = changes.noisy(plain, RATE, _rng(), snr=snr, exponent=exponent) - plain
    assert _db(added, plain) == pytest.approx(-snr, abs=0.01)
    low, high = (
        np.abs(np.fft.rfft(added[:, 0])[band]) for band in (slice(10, 500), slice(9000, -1))
    )
    assert _db(high, low) < -10 if exponent else abs(_db(high, low)) < 1


def test_mixing_puts_the_wave_so_far_above_the_other():
    plain, other = np.repeat(_tone(300), 2, axis=1), _tone(1000)
    added = changes.mixed(plain, RATE, _rng(), other=other, db=-6) - plain
    assert _db(plain, added) == pytest.approx(-6, abs=0.01)
    assert _pitch(added) == pytest.approx(1000, rel=0.01)


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("name", [name for name, codec in CODECS.items() if codec.available])
def test_codecs_keep_length_place_and_sound(name, rate):
    plain = np.repeat(speech(2.0, rate, 0), 2, axis=1)
    heard = transcode(plain, rate, CODECS[name])
    assert heard.shape == plain.shape
    assert abs(_lag(plain, heard)) <= 0.01 * rate
    assert np.abs(heard - plain).max() > 1e-4
    assert _db(heard, plain) == pytest.approx(0, abs=2)


def test_a_crop_has_its_length_and_sounds():
    plain = np.zeros((8 * RATE, 1), np.float32)
    plain[3 * RATE : 5 * RATE] = _tone(500)
    for seed in range(5):
        piece = changes.cropped(plain, RATE, np.random.default_rng(seed), seconds=1)
        assert len(piece) == RATE
        assert np.mean(piece != 0) >= 0.45


def test_edits_keep_what_they_leave():
    plain = np.arange(1, 4 * RATE + 1, dtype=np.float32)[:, None]
    cut = changes.cut(plain, RATE, _rng(), count=20, seconds=0.01)
    assert len(plain) - 20 * 160 <= len(cut) < len(plain)
    assert np.all(np.diff(cut[:, 0]) > 0)
    muted = changes.muted(plain, RATE, _rng(), count=10, seconds=0.05)
    assert len(muted) == len(plain) and 0 < np.sum(muted == 0) <= 10 * 800
    back = changes.backwards(plain, RATE, _rng(), seconds=2.0)
    assert np.array_equal(back, np.concatenate([plain[2 * RATE :], plain[: 2 * RATE]]))
    zeroed = changes.dropping(plain, RATE, _rng(), share=0.01)
    assert np.mean(zeroed == 0) == pytest.approx(0.01, abs=0.002)


def test_eight_bits_are_eight_bits():
    plain = 1e-3 * speech(2.0, RATE, 0)
    rounded = changes.rounded(plain, RATE, _rng(), bits=8)
    assert len(np.unique(rounded)) <= 255
    assert np.abs(rounded - plain).max() <= np.abs(plain).max() / 254 * 1.001


def test_filters_pass_what_they_should():
    low, high = _tone(200), _tone(3000)
    passed = changes.passed(low + high, RATE, _rng(), hz=1000, kind="high")
    assert _pitch(passed) == pytest.approx(3000, rel=0.01)
    louder = filtered(low, RATE, volume="6dB")
    assert _db(louder, low) == pytest.approx(6, abs=0.1)
    assert louder.shape == low.shape


def test_an_attack_keeps_the_rate_of_a_change():
    wave, rate = of(changes.louder, db=-6)(_tone(200), RATE, _rng())
    assert rate == RATE and wave.dtype == np.float32
    assert _db(wave, _tone(200)) == pytest.approx(-6, abs=0.01)
