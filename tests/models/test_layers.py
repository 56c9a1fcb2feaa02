import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_system import lively

from v2a_jax.models import layers
from v2a_jax.models.attention import attend
from v2a_jax.models.functional import Functional
from v2a_jax.models.layers import Block, Stack, StackConfig

COUNT, WIDTH, HEADS = 2, 16, 2


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("f")


def stacked(remat, unroll):
    config = StackConfig(remat=remat, unroll=unroll, attention="reference")
    return Functional(
        lambda rngs: Stack(
            lambda r: Block(WIDTH, HEADS, attention="reference", rngs=r),
            COUNT,
            config=config,
            rngs=rngs,
        )
    )


SECONDS, X = np.arange(5) / 25, noise(2, 5, WIDTH)
KINDS = [("none", False), ("none", True), ("dots", False), ("full", True)]


@pytest.fixture(scope="module")
def one_by_one():
    """Loss and gradients of the blocks, one after another."""
    block = Functional(lambda rngs: Block(WIDTH, HEADS, attention="reference", rngs=rngs))
    params = lively(stacked("none", False).shapes)

    def loss(params):
        x = X
        for i in range(COUNT):
            layer = jax.tree.map(lambda p, i=i: p[i], params["blocks"])
            x = block.apply(layer, x, SECONDS, None)
        return jnp.mean(jnp.sin(x))

    return params, jax.jit(jax.value_and_grad(loss))(params)


@pytest.mark.parametrize("remat, unroll", KINDS)
def test_a_stack_is_its_blocks_one_after_another(one_by_one, remat, unroll):
    params, (expected, slopes) = one_by_one
    stack = stacked(remat, unroll)

    def loss(params):
        return jnp.mean(jnp.sin(stack.apply(params, X, SECONDS, None)))

    value, gradient = jax.jit(jax.value_and_grad(loss))(params)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), gradient, slopes)


def test_blocks_of_a_stack_begin_with_weights_of_their_own():
    config = StackConfig(remat="none", unroll=False, attention="reference")
    made = Functional(
        lambda rngs: Stack(lambda r: layers.ConvNeXt(4, 3, rngs=r), 2, config=config, rngs=rngs)
    )
    taps = made.init(jax.random.key(0))["blocks"]["taps"]
    assert taps.shape == (2, 3, 4) and not np.allclose(taps[0], taps[1])


def test_masked_keys_are_as_if_they_were_not_there():
    q, k, v = noise(2, 4, HEADS, 8), noise(2, 6, HEADS, 8, seed=1), noise(2, 6, HEADS, 8, seed=2)
    mask = np.array([[True, True, False, True, False, False]] * 2)
    masked = attend(q, k, v, mask)
    np.testing.assert_allclose(masked, attend(q, k[:, [0, 1, 3]], v[:, [0, 1, 3]], None), atol=1e-6)
    only = attend(q, k, v, np.eye(6, dtype=bool)[[3, 3]])
    np.testing.assert_allclose(only, np.broadcast_to(v[:, 3:4], only.shape), atol=1e-6)


@pytest.mark.parametrize("later", [0.04, 1.0, 37.2])
def test_rotation_keeps_lengths_and_knows_only_differences_of_time(later):
    q, k = noise(1, 6, HEADS, 8), noise(1, 6, HEADS, 8, seed=1)
    seconds = jnp.arange(6) / 25

    def logits(start):
        a, b = (layers.rotate(x, seconds + start) for x in (q, k))
        return jnp.einsum("btnh,bsnh->bnts", a, b)

    np.testing.assert_allclose(
        jnp.linalg.norm(layers.rotate(q, seconds), axis=-1), np.linalg.norm(q, axis=-1), rtol=1e-5
    )
    np.testing.assert_allclose(logits(0.0), logits(later), atol=0.01)
    assert np.abs(logits(0.0) - jnp.einsum("btnh,bsnh->bnts", q, k)).max() > 0.1


def test_depthwise_is_a_convolution_of_each_channel():
    x, taps = noise(1, 12, 3), noise(5, 3, seed=1)
    made = layers.depthwise(x, taps)
    for d in range(3):
        expected = np.convolve(x[0, :, d], taps[::-1, d], mode="same")
        np.testing.assert_allclose(made[0, :, d], expected, atol=1e-5)


def test_embedding_lookup_is_a_product_with_one_hot_rows():
    table, ids = noise(7, 4), np.array([[0, 6, 3], [2, 2, 1]])
    np.testing.assert_allclose(layers.embedding_lookup(table, ids), np.eye(7)[ids] @ table)


def test_a_linear_layer_contracts_the_trailing_dims():
    linear = Functional(
        lambda rngs: layers.Linear((2, 3), (4, 5), axes=(None,) * 4, rngs=rngs, scale=2.0)
    )
    params = linear.init(jax.random.key(0))
    x = noise(6, 7, 2, 3)
    expected = np.einsum("abij,ijkl->abkl", x, params["kernel"]) + params["bias"]
    np.testing.assert_allclose(linear.apply(params, x), expected, atol=1e-5)
