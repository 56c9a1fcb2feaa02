import jax
import numpy as np
import pytest

from v2a_jax.models.audio_codec import fold, unfold


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("f")


@pytest.fixture(scope="module")
def codec(system, weights):
    """codec(method, x): one of the codec's functions, compiled."""
    apply = jax.jit(system.codec.apply, static_argnames="method")
    return lambda method, x: jax.device_get(apply(weights["codec"], x, method=method))


@pytest.mark.parametrize("rest", [0, 1, 639])
def test_shapes_of_any_length(system, weights, rest):
    c = system.codec_config
    assert c.samples_per_latent == 640 and c.latent_rate == 25

    def shape(method, *sizes):
        made = jax.eval_shape(
            lambda x: system.codec.apply(weights["codec"], x, method=method),
            jax.ShapeDtypeStruct(sizes, np.float32),
        )
        return jax.tree.map(lambda x: x.shape, made)

    assert shape("encode", 2, 7 * 640 + rest, 1) == ((2, 7, c.latent), (2, 7, c.latent))
    assert shape("decode", 2, 7, c.latent) == (2, 7 * 640, 1)


def test_decoding_in_overlapping_windows_is_decoding_at_once(system, codec):
    c = system.codec_config
    z = noise(1, 40, c.latent)
    whole = codec("decode", z)
    first, last = 11, 29
    part = codec("decode", z[:, first:last])
    kept = slice((first + c.context) * 640, (last - c.context) * 640)
    inner = slice(c.context * 640, (last - first - c.context) * 640)
    assert inner.stop > inner.start
    np.testing.assert_allclose(part[:, inner], whole[:, kept], atol=1e-5 * np.abs(whole).max())
    edge = np.abs(part[:, -640:] - whole[:, (last - 1) * 640 : last * 640]).max()
    assert edge > 1e-3 * np.abs(whole).max()  # beyond it, the neighbours are heard


def test_encoding_a_beginning_is_the_beginning_of_the_encoding(system, codec):
    audio = noise(1, 20 * 640, 1)
    whole, part = codec("encode", audio)[0], codec("encode", audio[:, : 14 * 640])[0]
    kept = 14 - system.codec_config.context
    np.testing.assert_allclose(part[:, :kept], whole[:, :kept], atol=1e-4)


def test_normalising_has_an_inverse_and_makes_the_moments_standard(system, weights):
    rng = np.random.default_rng(0)
    latent = system.codec_config.latent
    z = rng.normal(rng.normal(size=latent), rng.uniform(0.5, 3, latent), (4, 500, latent))
    z = z.astype("f")
    moments = {"latent_mean": z.mean((0, 1)), "latent_square": (z**2).mean((0, 1))}
    params = weights["codec"] | moments
    x = system.codec.apply(params, z, method="normalize")
    np.testing.assert_allclose(x.mean((0, 1)), 0, atol=1e-3)
    np.testing.assert_allclose(x.std((0, 1)), 1, atol=1e-3)
    np.testing.assert_allclose(system.codec.apply(params, x, method="denormalize"), z, atol=1e-4)


def test_unfold_undoes_fold():
    x = noise(2, 12, 3)
    np.testing.assert_array_equal(unfold(fold(x, 4), 4), x)
    np.testing.assert_array_equal(fold(np.concatenate([x, x[:, :3]], axis=1), 4), fold(x, 4))
