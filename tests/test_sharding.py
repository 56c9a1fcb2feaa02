import contextlib
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
from mesh_losses import losses

from v2a_jax.errors import UserError
from v2a_jax.sharding import MeshConfig, in_mesh, make_mesh, reshape_rows, spec
from v2a_jax.training.stages import STAGES

MESHES = ("8,1,1", "1,8,1", "2,2,2", "4,1,2")
HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def on_eight_devices(tmp_path_factory):
    out = tmp_path_factory.mktemp("meshes") / "found.npz"
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",  # a third of the time to compile
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "PYTHONPATH": f"{HERE.parent}:{HERE}",
    }
    script = str(HERE / "mesh_losses.py")
    done = subprocess.run(
        [sys.executable, script, str(out), *MESHES], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(out))


@pytest.fixture(scope="module")
def on_one_device():
    return {name: losses(name, None) for name in STAGES}


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("mesh", MESHES)
def test_eight_devices_give_the_loss_and_gradients_of_one(
    on_eight_devices, on_one_device, mesh, name
):
    for path, expected in on_one_device[name].items():
        found = on_eight_devices[f"{mesh}:{name}:{path}"]
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            found, expected, rtol=1e-4, atol=1e-4 * scale + 1e-7, err_msg=path
        )


def test_axes_that_claim_one_mesh_axis_collide():
    assert spec(("batch", None, "mlp")) == jax.sharding.PartitionSpec(
        ("data", "fsdp"), None, "tensor"
    )
    with pytest.raises(ValueError, match="collide"):
        spec(("batch", "embed"))
    with pytest.raises(ValueError, match="collide"):
        spec(("heads", "mlp"))


@pytest.mark.parametrize(
    "sizes", [(2, 1, 1), (-1, 2, 1), (1, 0, 1), (-1, 0, 1), (1, -1, -1), (0, 1, 1)]
)
def test_a_mesh_that_does_not_fit_the_devices_is_refused(sizes):
    config = MeshConfig(**dict(zip(("data", "fsdp", "tensor"), sizes, strict=True)))
    with pytest.raises(UserError, match="does not fit 1 device"):
        make_mesh(config, jax.devices()[:1])


def test_one_device_takes_what_is_left():
    mesh = make_mesh(MeshConfig(data=-1, fsdp=1, tensor=1), jax.devices()[:1])
    assert dict(mesh.shape) == {"data": 1, "fsdp": 1, "context": 1, "tensor": 1}


@pytest.mark.parametrize("meshed", [False, True])
def test_reshaping_neither_loses_nor_invents_numbers(meshed):
    one = make_mesh(MeshConfig(data=1, fsdp=1, tensor=1), jax.devices()[:1])
    with jax.set_mesh(one) if meshed else contextlib.nullcontext():
        assert in_mesh() == meshed
        x = np.arange(24).reshape(4, 6)
        made = jax.jit(lambda x: reshape_rows(x, (4, 3, 2)))(x)
        np.testing.assert_array_equal(made, x.reshape(4, 3, 2))
        with pytest.raises(ValueError, match="does not fill"):
            jax.eval_shape(lambda x: reshape_rows(x, (4, 3, 1)), x)
