"""Compiles collectives of known sizes for 8 simulated devices; prints what the plan reads of them.

Usage: python known_collectives.py   prints a list of [kind, network, count, payload, sent]
"""

import functools
import json

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from v2a_jax.planning.hlo import parse
from v2a_jax.planning.traffic import collectives

TURNS = 5


def program(x):
    """On [4,32] float32 a device: a sum over 4 devices in a loop, and one each of the others."""

    def turn(carry, _):
        return jnp.tanh(jax.lax.psum(carry, "y") * 0.1), None

    y = jax.lax.scan(turn, x, None, length=TURNS)[0]
    gathered = jax.lax.all_gather(y, "x", axis=0, tiled=True)  # [8,32] on groups of 2
    scattered = jax.lax.psum_scatter(y * 2, "y", scatter_dimension=0, tiled=True)  # [1,32]
    exchanged = jax.lax.all_to_all(y + 1, "y", 1, 0, tiled=True)
    shifted = jax.lax.ppermute(y * y, "x", [(0, 1), (1, 0)])
    parts = (gathered, scattered, exchanged, shifted)
    return sum(jnp.sum(jnp.sin(part)) for part in parts)[None, None]


def main():
    """Prints the collectives of the program."""
    mesh = jax.make_mesh((2, 4), ("x", "y"), axis_types=(AxisType.Auto,) * 2)
    split = functools.partial(jax.shard_map, mesh=mesh, check_vma=False)
    mapped = split(program, in_specs=P("x", "y"), out_specs=P("x", "y"))
    x = jax.ShapeDtypeStruct((8, 128), jnp.float32, sharding=NamedSharding(mesh, P("x", "y")))
    module = parse(jax.jit(mapped).lower(x).compile().as_text())
    print(json.dumps([list(vars(one).values()) for one in collectives(module)]))


if __name__ == "__main__":
    main()
