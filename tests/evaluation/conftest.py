"""Clips of the toy world, and a model that knows it."""

import pytest
from toy_clips import OracleModel, make_clip


@pytest.fixture(scope="session")
def toy_clips():
    return [make_clip(index, with_siren=index % 3 == 2) for index in range(24)]


@pytest.fixture
def oracle_model():
    return OracleModel()
