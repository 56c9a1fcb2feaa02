"""The frozen parts as two functions of host arrays, compiled once for one shape of a batch."""

import jax
import numpy as np
from jax.sharding import Mesh

from v2a_jax.sharding import batch_sharding, replicated
from v2a_jax.training.diffusion_stage import DiffusionStage
from v2a_jax.training.feed import to_device
from v2a_jax.types import Array, Batch, Encoded, Params


class Encoding:
    """What diffusion training would make of clips and captions, `size` rows at a time."""

    def __init__(self, stage: DiffusionStage, frozen: Params, mesh: Mesh, size: int):
        """`frozen` lies on the mesh."""
        self._frozen, self._mesh, self._size = frozen, mesh, size

        def encode(frozen: Params, batch: Batch) -> Encoded:
            return jax.tree.map(replicated, stage.encode(frozen, batch))

        def read(frozen: Params, caption_BL: Array) -> Array:
            return replicated(stage.read(frozen, caption_BL))

        self._encode, self._read = jax.jit(encode), jax.jit(read)

    def encode(self, batch: Batch) -> Encoded:
        """`size` examples, encoded."""
        with jax.set_mesh(self._mesh):
            return jax.device_get(self._encode(self._frozen, self._on_mesh(batch)))

    def read(self, caption_BL: np.ndarray) -> np.ndarray:
        """Caption tokens [size,L,D] of ids int32[size,L]."""
        with jax.set_mesh(self._mesh):
            return jax.device_get(self._read(self._frozen, self._on_mesh(caption_BL)))

    def _on_mesh(self, rows: Batch | np.ndarray) -> Batch | Array:
        return to_device(rows, batch_sharding(self._mesh), self._size)
