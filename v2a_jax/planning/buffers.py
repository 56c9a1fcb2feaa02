"""The largest arrays that a traced function keeps, by the line that makes them.

The compiler says how much memory is missing, but not what would take it. These are found in the
trace: the arguments, what a loop keeps of every turn (for the backward pass, or as its result), and
what is made by a matrix product; of each, the part that one chip has. Not all of them live at once.
"""

import dataclasses
import math
import re
from collections.abc import Iterator
from typing import Any

from jax.extend import core, source_info_util
from jax.sharding import AxisType

KEPT = ("scan", "dot_general")


@dataclasses.dataclass(frozen=True)
class Buffer:
    """Bytes on one chip, and what it is: `float32[8,200,640]`, made in `layers.py:76`."""

    bytes: int
    what: str
    where: str


def largest(jaxpr: core.Jaxpr, count: int) -> list[Buffer]:
    """The largest buffers of one chip, alike ones once, the largest first."""
    given = (_buffer(variable.aval, "an argument") for variable in jaxpr.invars)
    found = dict.fromkeys([*given, *_made(jaxpr)])
    return sorted(found, key=lambda buffer: -buffer.bytes)[:count]


def _made(jaxpr: core.Jaxpr) -> Iterator[Buffer]:
    for equation in jaxpr.eqns:
        if equation.primitive.name in KEPT:
            for made in equation.outvars:
                yield _buffer(made.aval, _line(equation))
        for inner in core.jaxprs_in_params(equation.params):
            yield from _made(inner)


def _line(equation: core.JaxprEqn) -> str:
    """Where an equation was written, from the package's folder on."""
    return re.sub(r".*/(?=v2a_jax/)", "", source_info_util.summarize(equation.source_info))


def _buffer(aval: Any, where: str) -> Buffer:
    manual = AxisType.Manual in aval.sharding.mesh.axis_types  # a shape is one shard's already
    local = aval.shape if manual else aval.sharding.shard_shape(aval.shape)
    return Buffer(
        math.prod(local) * aval.dtype.itemsize,
        f"{aval.dtype}[{','.join(map(str, local))}]",
        where,
    )
