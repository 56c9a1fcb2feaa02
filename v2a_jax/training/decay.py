"""Which parameters weight decay applies to: kernels alone."""

import jax

from v2a_jax.types import Params


def decay_kernels(params: Params) -> Params:
    """True for kernels; false for biases, gains, embeddings and statistics."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)
