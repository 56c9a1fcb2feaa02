"""One compilation cache for all tests here and the processes they start."""

import os

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache as cache

SETTINGS = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": 0,
}


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="module", autouse=True)
def compilation_cache(compiled):
    settings = SETTINGS | {"jax_compilation_cache_dir": str(compiled)}
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)
    cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
        del os.environ[name.upper()]
    cache.reset_cache()  # the same process may go on with tests of another folder
