"""V2A-JAX: a synchronized, watermarked soundtrack for a silent video."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from v2a_jax.sampling.generator import Generator


def load_bundle(path: str | os.PathLike, key_file: str | None = None) -> "Generator":
    """The bundle in a folder, ready to `generate`; every soundtrack is marked with the key."""
    from v2a_jax.sampling.generator import load_generator  # importing the package stays light

    return load_generator(path, key_file)
