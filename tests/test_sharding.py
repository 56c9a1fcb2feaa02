import contextlib
import dataclasses

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from mesh_losses import eight
from tiny_system import tiny_config, tiny_system

from v2a_jax.config import build
from v2a_jax.errors import UserError
from v2a_jax.models.functional import flatten
from v2a_jax.sharding import (
    MESH_AXES,
    MeshConfig,
    in_mesh,
    make_mesh,
    param_shardings,
    require_even,
    reshape_rows,
    spec,
)
from v2a_jax.training.ema import EmaConfig
from v2a_jax.training.optimizer import OptimizerConfig, make_optimizer
from v2a_jax.training.stages import STAGES, make_stage
from v2a_jax.training.state import abstract_state, state_maker


@pytest.mark.parametrize(
    "name", ["codec", *(pytest.param(x, marks=pytest.mark.slow) for x in STAGES if x != "codec")]
)
def test_moments_and_averages_lie_as_their_parameters_do(name):
    mesh, config = eight(data=2, fsdp=2, tensor=2), tiny_config(name)
    stage = make_stage(name, config, tiny_system(config))
    optimizer = make_optimizer(build(OptimizerConfig, config.optimizer), stage, 4)
    with jax.sharding.use_abstract_mesh(mesh):
        make = state_maker(stage, optimizer, EmaConfig(sigma_rel=(0.05, 0.1)), 0, mesh)
        state = abstract_state(make, mesh)
    wanted = flatten(param_shardings(mesh, stage.axes()))
    assert {path: leaf.sharding for path, leaf in flatten(state.params).items()} == wanted
    assert len({sharding.spec for sharding in wanted.values()}) > 3
    for average in state.ema.values():
        assert {path: leaf.sharding for path, leaf in flatten(average).items()} == wanted
    moments = {path: leaf for path, leaf in flatten(state.opt_state).items() if leaf.shape}
    for path, leaf in moments.items():
        (own,) = {name for name in wanted if path.endswith(f"/{name}")}
        assert leaf.sharding == wanted[own], path
    trained = sum(group == "model" for group in jax.tree.leaves(stage.groups(state.params)))
    assert len(moments) >= 2 * trained - 10  # all that are no scalars, in two moments


def test_a_parameter_that_a_mesh_does_not_divide_is_named():
    shapes = {"a": {"kernel": jax.ShapeDtypeStruct((6, 4), "float32")}}
    axes = {"a": {"kernel": ("embed", "mlp")}}
    require_even(shapes, param_shardings(eight(fsdp=2, tensor=4), axes))
    with pytest.raises(UserError, match=r"tensor=2 does not divide a/kernel of shape \(6, 4\)"):
        require_even(shapes, param_shardings(eight(fsdp=4, tensor=2), axes))


def test_axes_that_claim_one_mesh_axis_collide():
    assert spec(("batch", None, "mlp")) == PartitionSpec(("data", "fsdp"), None, "tensor")
    with pytest.raises(ValueError, match="collide"):
        spec(("batch", "embed"))
    with pytest.raises(ValueError, match="collide"):
        spec(("heads", "mlp"))


@pytest.mark.parametrize(
    "sizes",
    [
        (2, 1, 1, 1),
        (-1, 2, 1, 1),
        (-1, 1, 2, 1),
        (1, 0, 1, 1),
        (-1, 0, 1, 1),
        (1, 1, -1, -1),
        (0, 1, 1, 1),
    ],
)
def test_a_mesh_that_does_not_fit_the_devices_is_refused(sizes):
    config = MeshConfig(**dict(zip(("data", "fsdp", "context", "tensor"), sizes, strict=True)))
    with pytest.raises(UserError, match="does not fit 1 device"):
        make_mesh(config, jax.devices()[:1])


@dataclasses.dataclass(frozen=True)
class Chip:
    """A TPU chip that is not there, of one of two slices."""

    id: int
    platform = "tpu"
    device_kind = "any"
    process_index = core_on_chip = 0

    @property
    def slice_index(self):
        return self.id % 2

    @property
    def coords(self):
        return (self.id // 2, 0, 0)


@pytest.mark.parametrize("sizes", [dict(data=2, fsdp=4), dict(data=4, tensor=2), dict(data=8)])
def test_only_the_data_axis_leaves_a_slice(sizes):
    config = MeshConfig(**dict.fromkeys(MESH_AXES, 1) | sizes)
    placed = make_mesh(config, [Chip(i) for i in range(8)]).devices
    slices = np.vectorize(lambda chip: chip.slice_index)(placed).reshape(2, 4)
    np.testing.assert_array_equal(slices, [[0] * 4, [1] * 4])
    with pytest.raises(UserError, match="data=1 is not a multiple of the 2 slices"):
        make_mesh(MeshConfig(data=1, fsdp=8, context=1, tensor=1), [Chip(i) for i in range(8)])


def test_one_device_takes_what_is_left():
    mesh = make_mesh(MeshConfig(data=-1, fsdp=1, context=1, tensor=1), jax.devices()[:1])
    assert dict(mesh.shape) == {"data": 1, "fsdp": 1, "context": 1, "tensor": 1}


@pytest.mark.parametrize("meshed", [False, True])
def test_reshaping_neither_loses_nor_invents_numbers(meshed):
    one = make_mesh(MeshConfig(data=1, fsdp=1, context=1, tensor=1), jax.devices()[:1])
    with jax.set_mesh(one) if meshed else contextlib.nullcontext():
        assert in_mesh() == meshed
        x = np.arange(24).reshape(4, 6)
        made = jax.jit(lambda x: reshape_rows(x, (4, 3, 2)))(x)
        np.testing.assert_array_equal(made, x.reshape(4, 3, 2))
        with pytest.raises(ValueError, match="does not fill"):
            jax.eval_shape(lambda x: reshape_rows(x, (4, 3, 1)), x)
