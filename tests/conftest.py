"""What several folders share: a bundle of the tiny system, and a key of its own."""

import os

import jax
import pytest
from tiny_system import tiny_config, tiny_system, tiny_tokenizer, tiny_weights

from v2a_jax.sampling.bundle import load_bundle, save_bundle
from v2a_jax.sampling.generator import Generator
from v2a_jax.watermark.key import Key


@pytest.fixture(scope="session")
def system():
    return tiny_system()


@pytest.fixture(scope="session")
def weights(system):
    return tiny_weights(system)


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory, weights):
    """A bundle on disk; not to be changed."""
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    save_bundle(
        folder,
        config=tiny_config().to_dict(),
        weights=jax.device_get(weights),
        tokenizer=tiny_tokenizer(),
        provenance={"data": "none"},
        card="# Tiny",
    )
    return folder


@pytest.fixture(scope="session")
def generator(bundle_folder):
    return Generator(load_bundle(bundle_folder), Key(bytes(range(32))))


@pytest.fixture
def key_file(tmp_path):
    """A key file, as long as the test lasts."""
    path = tmp_path / "watermark.key"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(bytes(range(32)).hex())
    return path
