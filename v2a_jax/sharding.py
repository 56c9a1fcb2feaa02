"""The mesh, and the one table that maps logical axis names to mesh axes.

Every parameter and activation names its axes; only `RULES` knows where they live. All mesh axes are
Explicit: shardings are part of an array's type, and a wrong one is an error while tracing.
"""

import dataclasses
import math
from collections.abc import Sequence

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from v2a_jax.errors import UserError
from v2a_jax.types import Array

MESH_AXES = ("data", "fsdp", "context", "tensor")

# Weights are stored split over `fsdp` along their model dimension and gathered for use; heads and
# hidden units stay split over `tensor` throughout. Names not listed are replicated.
RULES: dict[str, str | tuple[str, ...]] = {
    "batch": ("data", "fsdp"),
    "embed": "fsdp",
    "heads": "tensor",
    "mlp": "tensor",
}
# Axes on which a weight is gathered before it meets an activation.
GATHERED = ("embed",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """Devices along each mesh axis; `data=-1` takes all that the others leave."""

    data: int
    fsdp: int
    tensor: int


def make_mesh(config: MeshConfig, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh over all devices; UserError when the sizes don't multiply to their number."""
    devices = jax.devices() if devices is None else devices
    others = config.fsdp * config.tensor
    split = min(config.fsdp, config.tensor) > 0
    data = len(devices) // others if config.data == -1 and split else config.data
    if not split or data < 1 or data * others != len(devices):
        raise UserError(
            f"mesh data={config.data} fsdp={config.fsdp} tensor={config.tensor} does not fit "
            f"{len(devices)} device(s)"
        )
    shape = (data, config.fsdp, 1, config.tensor)
    return jax.make_mesh(
        shape, MESH_AXES, axis_types=(AxisType.Explicit,) * len(shape), devices=devices
    )


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


def in_mesh() -> bool:
    """Whether a mesh is set; without one, arrays carry no sharding and none is asked for."""
    return not jax.sharding.get_abstract_mesh().empty


def gathered(w: Array, axes: Sequence[str | None]) -> Array:
    """A weight ready for use: whole along the axes that are only split to save memory."""
    if not in_mesh():
        return w
    return jax.sharding.reshard(w, spec([None if a in GATHERED else a for a in axes]))


def replicated(x: Array) -> Array:
    """The same array on every device."""
    return jax.sharding.reshard(x, PartitionSpec()) if in_mesh() else x


def batch_split(x: Array) -> Array:
    """The array with its first dimension split as a batch is."""
    return jax.sharding.reshard(x, spec(("batch",))) if in_mesh() else x


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


def output_spec(x: Array, kept: int, axes: Sequence[str | None]) -> PartitionSpec | None:
    """Spec of a product: the first `kept` dims as in `x`, the rest as the weight's `axes`."""
    if not in_mesh():
        return None
    leading = tuple(jax.typeof(x).sharding.spec)
    leading = (leading + (None,) * kept)[:kept]
    return PartitionSpec(*leading, *spec([None if a in GATHERED else a for a in axes]))
