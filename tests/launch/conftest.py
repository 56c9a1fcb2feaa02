"""Fixtures of the launchers: a cloud to launch upon, and outputs to compare with."""

import os
import pathlib

import pytest
from pod_cloud import Cloud

GOLDEN = pathlib.Path(__file__).parent / "golden"


@pytest.fixture
def cloud(tmp_path):
    """tpu_pod.sh with a cloud of its own."""
    made = Cloud(tmp_path)
    yield made
    made.end()


@pytest.fixture
def golden():
    """golden(name, text) compares with golden/NAME.txt; V2A_WRITE_GOLDEN=1 writes it instead."""

    def compare(name, text):
        file = GOLDEN / f"{name}.txt"
        if os.environ.get("V2A_WRITE_GOLDEN"):
            file.write_text(text)
        assert text == file.read_text()

    return compare
