"""A model as functions of a pure dict of arrays: outside a model, nothing else is handled."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from v2a_jax.types import Array, Params


class Functional:
    """`init(key) -> params`, `apply(params, *args)` and `axes` of the module that `make` builds."""

    def __init__(self, make: Callable[[nnx.Rngs], nnx.Module]):
        self._make = make
        self._graph, self._state = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))))

    def init(self, key: Array) -> Params:
        """Random float32 parameters."""
        return nnx.to_pure_dict(nnx.state(self._make(nnx.Rngs(key))))

    @property
    def axes(self) -> Params:
        """Logical axes of each parameter, in a tree of the same structure."""
        return nnx.to_pure_dict(nnx.map_state(lambda _, leaf: leaf.axes, self._state))

    @property
    def shapes(self) -> Params:
        """ShapeDtypeStruct of each parameter."""
        return nnx.to_pure_dict(self._state)

    def apply(self, params: Params, *args: Any, method: str = "__call__") -> Any:
        """Calls `method` of the module with these parameters."""
        state = jax.tree.map(lambda leaf: leaf, self._state)
        nnx.replace_by_pure_dict(state, params)
        return getattr(nnx.merge(self._graph, state), method)(*args)


def once(function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)` as one program, of which only compiling takes long: it is not optimized.

    Random initial weights are hundreds of draws. Equal to the optimized ones but for rounding.
    """
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})(*args)


def cast(params: Params, dtype: str) -> Params:
    """Parameters in the compute dtype; float32 masters stay with the optimizer."""
    return jax.tree.map(lambda p: p.astype(jnp.dtype(dtype)), params)


def flatten(tree: object) -> dict[str, Array]:
    """Leaves by path, e.g. `params/encoder/w`; a place in a list reads alike as number and text."""
    leaves, _ = jax.tree.flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def count(params: Params) -> int:
    """Number of scalars in a tree of arrays or shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
