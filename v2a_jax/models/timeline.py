"""Timeline: where the latents of a clip are in time, and on which devices of a context.

A clip whose length doesn't divide by the mesh's `context` is padded; nothing attends to padding,
convolutions find zeros there as beyond the ends, and it is cut off in the end.
"""

import dataclasses

import jax.numpy as jnp

from v2a_jax.sharding import mesh_size, resplit
from v2a_jax.types import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timeline:
    """`length` latents at `rate` Hz, `padded` with those that split evenly over `context`."""

    length: int
    padded: int
    rate: float

    @staticmethod
    def of(length: int, rate: float) -> "Timeline":
        """The timeline of so many latents on the mesh in context."""
        shares = mesh_size("context")
        return Timeline(length=length, padded=-(-length // shares) * shares, rate=rate)

    @property
    def seconds_T(self) -> Array:
        """The time of each latent, padding too."""
        return (jnp.arange(self.padded) + 0.5) / self.rate

    @property
    def present_T(self) -> Array:
        """Whether a latent is one of the clip's, not padding."""
        return jnp.arange(self.padded) < self.length

    def split(self, x_BT: Array) -> Array:
        """Padded by zeros, and its second axis, the time, spread over the devices."""
        beyond = [(0, 0)] * x_BT.ndim
        beyond[1] = (0, self.padded - self.length)
        return self.spread(x_BT if self.padded == self.length else jnp.pad(x_BT, beyond), axis=1)

    def spread(self, x: Array, axis: int) -> Array:
        """`x`, padded already, with its time `axis` spread over the devices."""
        return x if mesh_size("context") == 1 else resplit(x, {axis: "time"})

    def whole(self, x_BTD: Array) -> Array:
        """What `split` was given: every device has all of the time, without padding."""
        return x_BTD if mesh_size("context") == 1 else resplit(x_BTD, {1: None})[:, : self.length]

    def only(self, x_BTD: Array) -> Array:
        """Zeros in place of padding."""
        return x_BTD if self.padded == self.length else jnp.where(self.present_T[:, None], x_BTD, 0)

    def mask(self, batch: int) -> Array | None:
        """bool[batch, padded], true for what is not padding; None where there is none."""
        if self.padded == self.length:
            return None
        return jnp.broadcast_to(self.present_T, (batch, self.padded))
