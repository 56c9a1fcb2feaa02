"""Compiled programs kept in a folder, so that a restart does not wait for the compiler again."""

import contextlib
import pathlib
from collections.abc import Iterator

import jax
from jax.experimental.compilation_cache import compilation_cache

SETTING = "jax_compilation_cache_dir"


@contextlib.contextmanager
def compile_cache(folder: pathlib.Path | None) -> Iterator[None]:
    """Within this context JAX keeps what it compiles in `folder`; None changes nothing.

    A cache that the user has set already (JAX_COMPILATION_CACHE_DIR) stays.
    """
    if folder is None or getattr(jax.config, SETTING):
        yield
        return
    _use(str(folder.absolute()))
    try:
        yield
    finally:
        _use(None)


def _use(folder: str | None) -> None:
    jax.config.update(SETTING, folder)
    compilation_cache.reset_cache()
