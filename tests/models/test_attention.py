"""The kernels of attention against plain einsums, forward and backward."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, AxisType

from v2a_jax.errors import UserError
from v2a_jax.models.attention import attend, attend_jointly, choose, cudnn, reference, splash
from v2a_jax.sharding import MESH_AXES

# The fused computation that cuDNN would do, done by XLA: what is tested is what it is given.
RUNS = {"splash": splash, "cudnn": functools.partial(cudnn, implementation="xla")}
ROWS, HEADS, WIDTH = 2, 2, 16


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("f")


def arrays(queries, keys):
    """q, k, v, and a mask of keys with holes; one row has a single key."""
    q = noise(ROWS, queries, HEADS, WIDTH)
    k, v = (noise(ROWS, keys, HEADS, WIDTH, seed=seed) for seed in (1, 2))
    mask = np.random.default_rng(3).random((ROWS, keys)) < 0.6
    mask[0] = np.arange(keys) == keys // 2
    return q, k, v, mask


def value_and_slopes(run, q, k, v, mask):
    direction = noise(*q.shape, seed=4)

    def along(q, k, v):
        made = run(q, k, v, mask)
        return jnp.sum(direction * made), made

    return jax.jit(jax.grad(along, argnums=(0, 1, 2), has_aux=True))(q, k, v)


@pytest.mark.slow
@pytest.mark.parametrize(
    "queries, keys, masked", [(5, 7, True), (130, 600, True), (300, 300, False)]
)
@pytest.mark.parametrize("name", RUNS)
def test_kernels_give_the_attention_and_slopes_of_the_reference(name, queries, keys, masked):
    q, k, v, mask = arrays(queries, keys)
    given = (q, k, v, mask if masked else None)
    jax.tree.map(
        lambda made, expected: np.testing.assert_allclose(made, expected, atol=1e-5),
        value_and_slopes(RUNS[name], *given),
        value_and_slopes(reference, *given),
    )


@pytest.mark.parametrize("run", [reference, RUNS["cudnn"]])
def test_what_is_masked_has_no_say(run):
    q, k, v, mask = arrays(4, 9)
    other = [np.where(mask[..., None, None], x, 7.0) for x in (k, v)]
    np.testing.assert_allclose(run(q, *other, mask), run(q, k, v, mask), atol=1e-6)
    np.testing.assert_allclose(
        run(q, k, v, mask)[0], np.broadcast_to(v[0, 4], q[0].shape), atol=1e-6
    )


def test_bfloat16_is_attended_in_float32():
    q, k, v, mask = arrays(8, 512)
    exact = reference(q, k, v, mask)
    rounded = (jnp.asarray(x, jnp.bfloat16) for x in (q, k, v))
    np.testing.assert_allclose(reference(*rounded, mask), exact, atol=0.03)


def test_streams_attend_as_one_sequence_and_come_back_apart():
    q, k, v, mask = arrays(9, 9)
    streams = [tuple(x[:, a:b] for x in (q, k, v)) for a, b in ((0, 2), (2, 3), (3, 9))]
    made = attend_jointly(streams, mask, "reference")
    assert [x.shape[1] for x in made] == [2, 1, 6]
    np.testing.assert_allclose(jnp.concatenate(made, axis=1), attend(q, k, v, mask), atol=1e-6)


@pytest.mark.parametrize(
    "platform, dtype, keys, width, kernel",
    [
        ("cpu", "bfloat16", 4096, 64, "reference"),
        ("gpu", "bfloat16", 40, 64, "cudnn"),
        ("gpu", "bfloat16", 40, 12, "reference"),
        ("gpu", "float32", 4096, 64, "reference"),
        ("tpu", "float32", 4096, 64, "splash"),
        ("tpu", "bfloat16", 36, 64, "reference"),
    ],
)
def test_the_devices_of_the_mesh_choose_the_kernel(platform, dtype, keys, width, kernel):
    device = AbstractDevice(device_kind="any", num_cores=None, platform=platform)
    shape = (1,) * len(MESH_AXES)
    mesh = AbstractMesh(
        shape, MESH_AXES, axis_types=(AxisType.Explicit,) * len(shape), abstract_device=device
    )
    x = jax.ShapeDtypeStruct((1, keys, 2, width), dtype)
    with jax.sharding.use_abstract_mesh(mesh):
        assert choose(x, x) == kernel
        if platform != "gpu":
            with pytest.raises(UserError, match=f"needs a GPU.*{platform}"):
                attend(x, x, x, None, "cudnn")
        elif kernel != "cudnn":
            with pytest.raises(UserError, match=f"not for {dtype} and {width}"):
                attend(x, x, x, None, "cudnn")
