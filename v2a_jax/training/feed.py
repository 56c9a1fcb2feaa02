"""From a host's rows to a global batch on the mesh: which rows a host reads, and their transfer."""

from typing import TypeVar

import jax
from jax.sharding import NamedSharding

from v2a_jax.errors import UserError
from v2a_jax.types import Batch, Encoded

Examples = TypeVar("Examples", Batch, Encoded)


def local_part(sharding: NamedSharding, batch_size: int) -> tuple[int, int]:
    """(k, P): this host reads part k of P equal, contiguous parts of every global batch.

    Hosts that hold the same rows (split over another axis than the batch's) get the same part.
    Raises UserError when the batch does not divide over the devices.
    """
    if batch_size < 1:
        raise UserError(f"run.batch_size={batch_size} must be at least 1")
    try:
        places = sharding.devices_indices_map((batch_size,))
    except ValueError as error:
        raise UserError(f"run.batch_size={batch_size} does not divide over the mesh") from error
    spans = {device: place[0].indices(batch_size)[:2] for device, place in places.items()}
    mine = {spans[device] for device in sharding.addressable_devices}
    start, stop = min(a for a, _ in mine), max(b for _, b in mine)
    rows = stop - start
    if sum(b - a for a, b in mine) != rows or start % rows:
        raise UserError("the mesh gives this host rows that are not contiguous in the batch")
    return start // rows, batch_size // rows


def to_device(batch: Examples, sharding: NamedSharding, batch_size: int) -> Examples:
    """The global batch of `batch_size` examples, from the rows each host has read (numpy)."""
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(sharding, x, (batch_size, *x.shape[1:])),
        batch,
    )
