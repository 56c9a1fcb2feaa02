import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest

from v2a_jax.models import spectral

SIZES = [(640, 160), (512, 128), (1920, 480), (64, 32)]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("f")


@pytest.mark.parametrize("window, hop", SIZES)
@pytest.mark.parametrize("rest", [0, 1])
def test_the_inverse_gives_back_every_whole_hop(window, hop, rest):
    hops = 9
    x_BN = noise(2, hops * hop + rest)
    back = spectral.istft(spectral.stft(x_BN, window, hop), window, hop)
    np.testing.assert_allclose(back, x_BN[:, : hops * hop], atol=1e-4)


@pytest.mark.parametrize("window, hop", SIZES)
def test_overlap_add_is_the_transpose_of_frame(window, hop):
    x_BN, frames_BTW = noise(2, 7 * hop), noise(2, 7, window, seed=1)
    here = jnp.vdot(spectral.frame(x_BN, window, hop), frames_BTW)
    there = jnp.vdot(x_BN, spectral.overlap_add(frames_BTW, hop))
    np.testing.assert_allclose(here, there, rtol=1e-4)


def test_frames_are_centred_on_their_hop():
    click = np.zeros((1, 1600), np.float32)
    click[0, 5 * 160 + 80] = 1
    size = spectral.magnitude(spectral.stft(click, 640, 160)).sum(-1)[0]
    assert size.argmax() == 5
    np.testing.assert_allclose(size[4], size[6], rtol=1e-4)


@pytest.mark.parametrize("bin_", [8, 40, 100])
def test_a_unit_sine_reads_one_half_and_peaks_in_its_mel_band(bin_):
    window, rate, bands = 512, 16000, 40
    hertz = bin_ * rate / window
    wave = np.sin(2 * np.pi * hertz * np.arange(4096) / rate)[None].astype("f")
    size = spectral.magnitude(spectral.stft(wave, window, 128))[:, 8:-8]
    np.testing.assert_allclose(size[..., bin_], 0.5, rtol=1e-3)
    centres = librosa.mel_frequencies(bands + 2, fmin=20, fmax=rate / 2)[1:-1]
    loudest = np.asarray(spectral.log_mel(size, rate, bands).argmax(-1))
    assert (loudest == np.abs(centres - hertz).argmin()).all()


def test_magnitude_has_a_finite_gradient_in_silence():
    def loudness(x_BN):
        return spectral.magnitude(spectral.stft(x_BN, 64, 16)).sum()

    assert np.isfinite(jax.grad(loudness)(jnp.zeros((1, 256)))).all()
