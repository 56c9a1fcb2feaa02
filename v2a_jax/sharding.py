"""The mesh, and the one table that maps logical axis names to mesh axes.

Every parameter and activation names its axes; only `RULES` knows where they live. All mesh axes are
Explicit: shardings are part of an array's type, and a wrong one is an error while tracing.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from v2a_jax.errors import UserError
from v2a_jax.types import Array

MESH_AXES = ("data", "fsdp", "context", "tensor")

# Weights are stored split over `fsdp` along their model dimension and gathered for use; heads and
# hidden units stay split over `tensor` throughout. The audio of a long clip is split in time over
# `context`, and while its tokens attend to each other their heads are. Names not listed are
# replicated: what has neither time nor heads is the same on all devices of a context.
RULES: dict[str, str | tuple[str, ...]] = {
    "batch": ("data", "fsdp"),
    "embed": "fsdp",
    "time": "context",
    "heads": "tensor",
    "attending heads": ("tensor", "context"),
    "mlp": "tensor",
}
# Axes on which a weight is gathered before it meets an activation.
GATHERED = ("embed",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """Devices along each mesh axis; `data=-1` takes all that the others leave."""

    data: int
    fsdp: int
    context: int
    tensor: int


def make_mesh(config: MeshConfig, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh over all devices; UserError when the sizes don't multiply to their number.

    Slices of a TPU pod, joined by the data centre's network alone, are parts of the `data` axis:
    gradients cross it once a step, everything else stays on a slice's own links.
    """
    devices = jax.devices() if devices is None else devices
    sizes = (config.fsdp, config.context, config.tensor)
    others, split = math.prod(sizes), min(sizes) > 0
    data = len(devices) // others if config.data == -1 and split else config.data
    if not split or data < 1 or data * others != len(devices):
        raise UserError(
            f"mesh data={config.data} fsdp={config.fsdp} context={config.context} "
            f"tensor={config.tensor} does not fit {len(devices)} device(s)"
        )
    slices = _slices(devices)
    if data % slices:
        raise UserError(f"mesh data={data} is not a multiple of the {slices} slices")
    shape = (data // slices, *sizes)
    # A dimension of the torus that suits no axis of the mesh is shared by several.
    arranged = (
        mesh_utils.create_device_mesh(shape, devices, allow_split_physical_axes=True)
        if slices == 1
        else mesh_utils.create_hybrid_device_mesh(
            shape, (slices, 1, 1, 1), devices, allow_split_physical_axes=True
        )
    )
    return Mesh(arranged, MESH_AXES, axis_types=(AxisType.Explicit,) * len(MESH_AXES))


def _slices(devices: Sequence[jax.Device]) -> int:
    """How many TPU slices the devices are of; other devices have none."""
    return len({getattr(d, "slice_index", 0) if d.platform == "tpu" else 0 for d in devices})


def spec(axes: Sequence[str | None]) -> PartitionSpec:
    """Partition of an array with these logical axes; an error when two claim one mesh axis."""
    parts = [RULES.get(axis) if axis else None for axis in axes]
    claimed = [name for part in parts if part for name in np.atleast_1d(part)]
    if len(claimed) != len(set(claimed)):
        raise ValueError(f"logical axes {tuple(axes)} collide on mesh axes {claimed}")
    return PartitionSpec(*parts)


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Sharding of a batch: the first dimension over `data` and `fsdp`."""
    return NamedSharding(mesh, spec(("batch",)))


def param_shardings(mesh: Mesh, axes: dict) -> dict:
    """Shardings of a tree of logical axes, leaf for leaf."""
    return jax.tree.map(
        lambda names: NamedSharding(mesh, spec(names)), axes, is_leaf=lambda x: isinstance(x, tuple)
    )


def require_even(shapes: dict, shardings: dict) -> None:
    """UserError that names a leaf which its sharding cannot split evenly, where there is one."""

    def check(path: tuple, leaf: jax.ShapeDtypeStruct, sharding: NamedSharding) -> None:
        try:
            sharding.shard_shape(leaf.shape)
        except ValueError as error:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            sizes = " ".join(f"{axis}={size}" for axis, size in sharding.mesh.shape.items())
            raise UserError(
                f"mesh {sizes} does not divide {name} of shape {leaf.shape}, which is split as "
                f"{tuple(sharding.spec)}"
            ) from error

    jax.tree_util.tree_map_with_path(check, shapes, shardings)


def in_mesh() -> bool:
    """Whether a mesh is set; without one, arrays carry no sharding and none is asked for."""
    return not jax.sharding.get_abstract_mesh().empty


def mesh_size(name: str) -> int:
    """Devices along a mesh axis; 1 without a mesh."""
    return jax.sharding.get_abstract_mesh().shape[name] if in_mesh() else 1


def split_of(x: Array) -> tuple:
    """For each dimension of `x`, the mesh axes it is split over, or None."""
    parts = tuple(jax.typeof(x).sharding.spec)
    return parts + (None,) * (x.ndim - len(parts))


def resplit(x: Array, axes: Mapping[int, str | None]) -> Array:
    """`x` with some dimensions split as their logical names say, None for whole, the rest as is."""
    if not in_mesh():
        return x
    parts = dict(enumerate(split_of(x)))
    parts |= {i: RULES[name] if name else None for i, name in axes.items()}
    return jax.sharding.reshard(x, PartitionSpec(*parts.values()))


def gathered(w: Array, axes: Sequence[str | None]) -> Array:
    """A weight ready for use: whole along the axes that are only split to save memory."""
    if not in_mesh():
        return w
    return jax.sharding.reshard(w, spec([None if a in GATHERED else a for a in axes]))


def replicated(x: Array) -> Array:
    """The same array on every device."""
    return jax.sharding.reshard(x, PartitionSpec()) if in_mesh() else x


def reshape_rows(x: Array, shape: Sequence[int]) -> Array:
    """`x` in a new shape whose first axis holds the same rows, split as before."""
    if math.prod(shape) != x.size:  # lax.reshape does not look
        raise ValueError(f"{jax.typeof(x)} does not fill the shape {tuple(shape)}")
    if not in_mesh():
        return x.reshape(shape)
    rows, *rest = jax.typeof(x).sharding.spec
    if any(rest):
        raise ValueError(f"only the first axis may be split to reshape {jax.typeof(x)}")
    out = PartitionSpec(rows, *(None,) * (len(shape) - 1))
    return jax.lax.reshape(x, tuple(shape), out_sharding=out)


def repeat_rows(x: Array, times: int) -> Array:
    """Each row so many times, one after another, where the row is: [B,..] to [B times,..]."""
    rows, *rest = x.shape
    each = jnp.broadcast_to(x[:, None], (rows, times, *rest))
    return reshape_rows(each, (rows * times, *rest))


def output_spec(x: Array, kept: int, axes: Sequence[str | None]) -> PartitionSpec | None:
    """Spec of a product: the first `kept` dims as in `x`, the rest as the weight's `axes`."""
    if not in_mesh():
        return None
    leading = tuple(jax.typeof(x).sharding.spec)
    leading = (leading + (None,) * kept)[:kept]
    return PartitionSpec(*leading, *spec([None if a in GATHERED else a for a in axes]))
