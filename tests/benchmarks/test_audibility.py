"""The measures of audibility order changes as an ear would."""

import numpy as np
import pytest
from marking.audibility import segmental_snr
from marking.changes import noisy
from marking.nmr import SILENT_DB, noise_to_mask
from marking.sounds import notes, speech

RATE = 48000


def _tone(hz, level):
    t = np.arange(2 * RATE) / RATE
    return (level * np.sin(2 * np.pi * hz * t)).astype(np.float32)[:, None]


def _noise(snr, plain):
    return noisy(plain, RATE, np.random.default_rng(0), snr=snr, exponent=0)


@pytest.mark.parametrize("make", [speech, notes])
def test_nmr_of_nothing_is_lowest_and_grows_with_noise(make):
    plain = make(2.0, RATE, 1)
    levels = [noise_to_mask(plain, _noise(snr, plain), RATE) for snr in (60, 40, 20)]
    assert noise_to_mask(plain, plain, RATE) == SILENT_DB
    assert np.all(np.diff([SILENT_DB, *levels]) > 15)


def test_nmr_of_digital_silence_is_lowest():
    silence = np.zeros((RATE, 1), np.float32)
    assert noise_to_mask(silence, silence, RATE) == SILENT_DB


def test_what_lies_near_a_sound_is_masked_and_what_lies_far_is_not():
    masker = _tone(1000, 0.5)
    near, far, below = (
        noise_to_mask(masker, masker + _tone(hz, 0.01), RATE) for hz in (1080, 6000, 300)
    )
    assert near < far - 15 and near < below - 10


def test_what_nobody_hears_counts_little():
    plain = 1e-3 * _tone(1000, 0.5)
    audible = noise_to_mask(plain, plain + _tone(3000, 1e-3), RATE)
    faint = noise_to_mask(plain, plain + _tone(3000, 1e-6), RATE)
    assert faint < -10 < 10 < audible


def test_nmr_hardly_depends_on_the_rate_and_counts_channels_alike():
    plain = speech(2.0, 16000, 2)
    changed = plain * np.float32(1.02)
    stereo = noise_to_mask(np.repeat(plain, 2, 1), np.repeat(changed, 2, 1), 16000)
    assert stereo == pytest.approx(noise_to_mask(plain, changed, 16000), abs=1e-6)


def test_segmental_snr_is_that_of_each_moment():
    plain = np.concatenate([_tone(500, 0.5), _tone(500, 0.01), np.zeros((RATE, 1), np.float32)])
    assert segmental_snr(plain, plain * np.float32(1.1), RATE) == pytest.approx(20, abs=0.1)
