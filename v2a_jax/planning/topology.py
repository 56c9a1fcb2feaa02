"""TPU slices by name, and what a chip of each generation is made of.

Peak bf16 compute, memory and network bandwidths are the manufacturer's: the pages v5e, v5p, v6e and
tpu7x of https://docs.cloud.google.com/tpu/docs. `hbm_bytes` is what the compiler gives to a
program, which is less than the chip has: what libtpu 0.0.51 says when one is too large. JAX is
imported only to compile, for launchers name slices too.
"""

import contextlib
import dataclasses
import importlib.util
import math
import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from v2a_jax.errors import UserError

if TYPE_CHECKING:
    import jax

GIB = 1 << 30
NAME = re.compile(r"(?P<kind>[a-z0-9]+):(?P<shape>\d+(x\d+)*)")
# Chips of a host, by kind: a slice is made of whole hosts, or is a single chip.
HOSTS = {
    "v4": (2, 2, 1),
    "v5e": (2, 2),
    "v5p": (2, 2, 1),
    "v6e": (2, 2),
    "tpu7x": (2, 2, 1),
}
# libtpu is loaded to compile, beside others that do, and not to look for a TPU or its metadata.
ENVIRONMENT = {
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "true",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-16",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_MIN_LOG_LEVEL": "3",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chip:
    """FLOP/s of bf16 matrix products, bytes of memory, bytes/s of memory and of both networks.

    All are of one of the chip's `devices`: what a program sees as a device. `ici` counts both
    directions of all links to the slice's other chips, a torus of `dimensions`; `dcn` is its share
    of its host's network.
    """

    flops: float
    hbm_bytes: int
    hbm: float
    ici: float
    dcn: float
    dimensions: int
    devices: int = 1


CHIPS = {
    "v5e": Chip(
        flops=197e12,
        hbm_bytes=round(15.75 * GIB),
        hbm=819e9,
        ici=400e9,
        dcn=6.4e12 / 8 / 256,  # 6.4 Tbit/s for a pod of 256
        dimensions=2,
    ),
    "v5p": Chip(
        flops=459e12,
        hbm_bytes=round(95.73 * GIB),
        hbm=2765e9,
        ici=1200e9,
        dcn=50e9 / 8,
        dimensions=3,
    ),
    "v6e": Chip(
        flops=918e12,
        hbm_bytes=round(31.24 * GIB),
        hbm=1600e9,
        ici=800e9,
        dcn=25.6e12 / 8 / 256,  # 25.6 Tbit/s for a pod of 256
        dimensions=2,
    ),
    "tpu7x": Chip(
        flops=2307e12 / 2,
        hbm_bytes=round(94.74 * GIB),
        hbm=7380e9 / 2,
        ici=1200e9 / 2,
        dcn=100e9 / 8 / 2,
        dimensions=3,
        devices=2,
    ),
}


def slice_shape(name: str) -> tuple[str, tuple[int, ...]]:
    """Kind and chips along each dimension of the slice `v5p:4x4x4`; UserError for none."""
    found = NAME.fullmatch(name)
    if not found:
        raise UserError(f"--topology={name} is not KIND:SHAPE, as in v5e:4x4 or v5p:4x4x4")
    kind, shape = found["kind"], tuple(int(size) for size in found["shape"].split("x"))
    if kind not in HOSTS:
        raise UserError(f"--topology={name}: kind '{kind}' is not one of: {', '.join(HOSTS)}")
    host = HOSTS[kind]
    if len(shape) != len(host):
        raise UserError(f"--topology={name}: a slice of {kind} has {len(host)} sizes")
    whole = all(a > 0 and a % b == 0 for a, b in zip(shape, host, strict=True))
    if not whole and set(shape) != {1}:
        sizes = "x".join(map(str, host))
        raise UserError(f"--topology={name}: its sizes must be multiples of {sizes}, or all 1")
    return kind, shape


@dataclasses.dataclass(frozen=True, kw_only=True)
class Topology:
    """`slices` equal slices of `shape` chips, joined by the data centre's network."""

    kind: str
    shape: tuple[int, ...]
    slices: int

    @classmethod
    def parse(cls, name: str, slices: int = 1) -> "Topology":
        """The topology of a name such as `v5p:4x4x4`; UserError for one that there is not."""
        kind, shape = slice_shape(name)
        if kind not in CHIPS:
            raise UserError(f"--topology={name}: plans are made for {', '.join(CHIPS)}")
        if slices < 1:
            raise UserError(f"--slices={slices} must be at least 1")
        return cls(kind=kind, shape=shape, slices=slices)

    @property
    def chip(self) -> Chip:
        """What its chips are."""
        return CHIPS[self.kind]

    @property
    def chips(self) -> int:
        """How many chips it has in all."""
        return math.prod(self.shape) * self.slices

    @property
    def device_count(self) -> int:
        """How many devices a program sees."""
        return self.chips * self.chip.devices

    def one_chip(self) -> "Topology":
        """A single chip of its kind."""
        return Topology(kind=self.kind, shape=(1,) * self.chip.dimensions, slices=1)

    @property
    def slice_name(self) -> str:
        """One slice, as it is written."""
        return f"{self.kind}:{'x'.join(map(str, self.shape))}"

    @property
    def name(self) -> str:
        """All of it, e.g. `2 x v5e:4x4`."""
        return self.slice_name if self.slices == 1 else f"{self.slices} x {self.slice_name}"

    def devices(self) -> Sequence["jax.Device"]:
        """Devices that programs can be compiled for, and nothing else; UserError without libtpu."""
        from jax.experimental import topologies

        if importlib.util.find_spec("libtpu") is None:
            raise UserError("planning compiles with libtpu: pip install 'v2a-jax[plan]'")
        chosen = {"num_slices": self.slices} if self.slices > 1 else {}
        if set(self.shape) == {1}:
            chosen["chips_per_host_bounds"] = (1, 1, 1)
        with _environment():
            try:
                described = topologies.get_topology_desc(
                    platform="tpu", topology_name=self.slice_name, **chosen
                )
            except Exception as error:
                raise UserError(f"topology '{self.name}': {first_line(error)}") from error
        return described.devices


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """libtpu's settings, while it is loaded, where nothing else is set."""
    added = {name: value for name, value in ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)  # another thread may have been first


def first_line(error: Exception) -> str:
    """What an error says, before its details."""
    return str(error).strip().split("\n")[0]
