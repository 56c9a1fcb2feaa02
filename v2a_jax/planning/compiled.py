"""A program compiled for a topology, and what the compiler says of it."""

import dataclasses
import math
import re
import time
from typing import Any

import jax

from v2a_jax.errors import UserError
from v2a_jax.planning import flops, hlo, traffic
from v2a_jax.planning.buffers import Buffer, largest
from v2a_jax.planning.flops import Flops
from v2a_jax.planning.program import Program
from v2a_jax.planning.topology import GIB, Topology, first_line
from v2a_jax.planning.traffic import Collective

TOO_LARGE = "RESOURCE_EXHAUSTED"
ASKED = re.compile(r"\(([\d.]+)([KMGT])\) exceeds")
BUFFERS = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compiled:
    """Of a program that fits: bytes of one chip by category, which sum to what it takes.

    Of one that does not, `held` is what it has between steps, `missing` what the compiler says and
    `needed` the bytes that it is known to need.
    """

    held: dict[str, int]
    state: int
    flops: Flops
    buffers: tuple[Buffer, ...]
    seconds: float
    aliased: int = 0
    collectives: tuple[Collective, ...] = ()
    memory_traffic: float = 0.0
    missing: str = ""
    needed: int = 0

    @property
    def fits(self) -> bool:
        """Whether the compiler could place everything."""
        return not self.missing

    @property
    def hbm(self) -> int:
        """Bytes that a chip needs: as the compiler found, or as far as it came."""
        return sum(self.held.values()) if self.fits else self.needed

    @property
    def donated(self) -> bool:
        """Whether what the call consumes is given back in its own place."""
        return self.aliased >= self.state


def compile_program(program: Program, topology: Topology) -> Compiled:
    """Traces, lowers and compiles; UserError for what the compiler cannot do.

    What is already too large by what it holds is not compiled.
    """
    began = time.monotonic()
    held = {name: chip_bytes(tree) for name, tree in program.held.items()}
    with jax.set_mesh(program.mesh):
        traced = program.function.trace(*program.arguments)
        known = dict(
            state=chip_bytes(program.donated),
            flops=flops.count(traced.jaxpr.jaxpr),
            buffers=tuple(largest(traced.jaxpr.jaxpr, BUFFERS)),
        )
        try:
            if sum(held.values()) > topology.chip.hbm_bytes:
                raise _TooLarge("what is held between steps alone is more than a chip has")
            made = _compile(traced, topology)
        except _TooLarge as error:
            missing, needed = str(error), _needed(str(error), held)
            seconds = time.monotonic() - began
            return Compiled(held=held, missing=missing, needed=needed, seconds=seconds, **known)
    module, memory = hlo.parse(made.as_text()), made.memory_analysis()
    return Compiled(
        held=_categories(held, memory),
        aliased=memory.alias_size_in_bytes,
        collectives=traffic.collectives(module),
        memory_traffic=traffic.memory_traffic(module),
        seconds=time.monotonic() - began,
        **known,
    )


class _TooLarge(Exception):
    """What the compiler says of a program for which a chip has not the memory."""


def _compile(traced: jax.stages.Traced, topology: Topology) -> jax.stages.Compiled:
    try:
        return traced.lower().compile()
    except jax.errors.JaxRuntimeError as error:
        if TOO_LARGE in str(error):
            raise _TooLarge(first_line(error)) from error
        raise UserError(f"{topology.name}: {first_line(error)}") from error


def chip_bytes(tree: Any) -> int:
    """Bytes that one chip holds of a tree of sharded shapes, without the layout's padding."""
    return sum(
        math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
        for leaf in jax.tree.leaves(tree)
        if not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    )


def _categories(held: dict[str, int], memory: Any) -> dict[str, int]:
    """What is held all along, and what the call adds to it."""
    padding = memory.argument_size_in_bytes - sum(held.values())
    return held | {
        "padding of these": max(0, padding),
        "results": memory.output_size_in_bytes - memory.alias_size_in_bytes,
        "temporaries": memory.temp_size_in_bytes,
        "program": memory.generated_code_size_in_bytes,
    }


def _needed(message: str, held: dict[str, int]) -> int:
    """Bytes as far as they are known: the compiler stops at temporaries that alone are too much."""
    found = ASKED.search(message)
    scale = {"K": 1 << 10, "M": 1 << 20, "G": GIB, "T": GIB << 10}
    asked = round(float(found[1]) * scale[found[2]]) if found else 0
    return asked + sum(held.values())
