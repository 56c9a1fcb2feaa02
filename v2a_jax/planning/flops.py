"""Floating-point operations of a function, from the shapes of what it computes.

They are counted in the function as it was traced, where a scanned body has its length and what the
backward pass recomputes is written out: XLA's own count takes a scanned body once and passes over
kernels. An [m,k] by [k,n] product is 2 m k n operations, a transform of n points 5 n log2 n, and
anything else one for each element that it makes, or reduces.
"""

import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any

import jax
from jax.extend import core

# What only moves, makes or renames numbers.
FREE = re.compile(
    r"broadcast_in_dim|reshape|transpose|squeeze|expand_dims|slice|dynamic_slice|concatenate|"
    r"pad|gather|copy|copy_p|iota|rev|bitcast_convert_type|stop_gradient|sharding_constraint|"
    r"reshard|mesh_cast|split|device_put|optimization_barrier|random_seed|random_wrap|"
    r"random_unwrap|random_fold_in|random_bits|threefry2x32|pvary|dynamic_update_slice|"
    r"create_token|real|imag|get|swap|program_id|all_gather|all_to_all|ppermute|empty|complex|"
    r"stack|unstack"
)
REDUCING = ("reduce_", "arg", "cumsum", "cumlogsumexp", "cummax", "cumprod", "sort", "scatter")


@dataclasses.dataclass(frozen=True)
class Flops:
    """Operations of all chips together: of matrix products, and all others."""

    products: float = 0.0
    others: float = 0.0

    def __add__(self, other: "Flops") -> "Flops":
        return Flops(self.products + other.products, self.others + other.others)

    def __mul__(self, times: float) -> "Flops":
        return Flops(self.products * times, self.others * times)

    @property
    def total(self) -> float:
        """Of either kind."""
        return self.products + self.others


def flops_of(function: Callable[..., Any], *arguments: Any) -> Flops:
    """Operations of one call with arguments of these shapes; call it with the mesh set."""
    return count(jax.make_jaxpr(function)(*arguments).jaxpr)


def count(jaxpr: core.Jaxpr) -> Flops:
    """Operations of a traced function."""
    return sum((_equation(equation) for equation in jaxpr.eqns), Flops())


def _equation(equation: core.JaxprEqn) -> Flops:
    name, parameters = equation.primitive.name, equation.params
    inner = [count(jaxpr) for jaxpr in core.jaxprs_in_params(parameters)]
    if name == "cond":
        return max(inner, key=lambda branch: branch.total)
    if inner and not name.startswith(REDUCING):
        return sum(inner, Flops()) * _times(name, parameters)
    made = sum(_size(out) for out in equation.outvars)
    if name == "dot_general":
        (contracted, _), _ = parameters["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        return Flops(products=2.0 * made * math.prod(shape[axis] for axis in contracted))
    if name == "conv_general_dilated":
        kernel, numbers = equation.invars[1].aval.shape, parameters["dimension_numbers"]
        return Flops(products=2.0 * made * math.prod(kernel) / kernel[numbers.rhs_spec[0]])
    if name == "fft":
        return _transform(equation)
    if FREE.fullmatch(name):
        return Flops()
    if name.startswith(REDUCING):
        return Flops(others=float(_size(equation.invars[0])))
    return Flops(others=float(made))


def _transform(equation: core.JaxprEqn) -> Flops:
    """Of complex numbers; a transform of real ones is half the work."""
    points = math.prod(equation.params["fft_lengths"])
    real = "RFFT" in str(equation.params["fft_type"])
    whole = max(_size(equation.invars[0]), _size(equation.outvars[0]))
    return Flops(others=5.0 * whole * math.log2(max(points, 2)) * (0.5 if real else 1.0))


def _times(name: str, parameters: dict[str, Any]) -> int:
    """How often an equation runs what it calls: shapes in a shard_map are those of one shard."""
    if name == "scan":
        return parameters["length"]
    if name == "shard_map":
        return math.prod(parameters["mesh"].shape[axis] for axis in parameters["newly_manual_axes"])
    if name == "pallas_call":
        return math.prod(parameters["grid_mapping"].grid)
    return 1


def _size(variable: core.Var) -> int:
    return math.prod(getattr(variable.aval, "shape", ()))
