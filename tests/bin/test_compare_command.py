"""`v2a compare`: what it prints of two evaluations, and what it says of others."""

import json

import numpy as np
import pytest

from v2a_jax.evaluation.comparison import ANSWERS, PROTOCOL, write_answers
from v2a_jax.evaluation.scores import Answers

SETTINGS = {"resamples": 100, "confidence": 0.95, "seed": 0}


@pytest.fixture
def folder(tmp_path):
    """folder(name, rate) writes the parts of an evaluation in which that share was right."""

    def write(name, rate, protocol="abc"):
        path = tmp_path / name
        path.mkdir()
        said = {"hash": protocol, "version": protocol, "config": SETTINGS}
        (path / PROTOCOL).write_text(json.dumps(said))
        right = np.random.default_rng(0).random(40) < rate
        answers = Answers(
            clips=tuple(f"clip/{k}" for k in range(40)),
            terms=np.stack([right.astype(float), np.ones(40)], axis=1),
        )
        write_answers({"hit": answers}, path / ANSWERS)
        return path

    return write


def test_difference_is_printed(v2a, folder):
    pair = folder("a", 0.1), folder("b", 0.9)
    assert v2a("compare", *pair) == (0, [])
    assert v2a.output[1].startswith("hit ")
    v2a("compare", *pair, "--json")
    result = json.loads("\n".join(v2a.output))["hit"]
    assert result["n"] == 40
    assert result["second"] > result["first"]
    assert result["p_value"] < 0.05


def test_another_protocol_is_refused(v2a, folder):
    code, lines = v2a("compare", folder("a", 0.1), folder("b", 0.9, protocol="def"))
    assert code == 2
    assert "not measured alike: hash, version" in lines[0]


@pytest.mark.parametrize("missing", [PROTOCOL, ANSWERS])
def test_another_folder_is_named(v2a, folder, missing):
    pair = folder("a", 0.1), folder("b", 0.9)
    (pair[1] / missing).unlink()
    code, lines = v2a("compare", *pair)
    assert code == 2
    assert len(lines) == 1
    assert str(pair[1]) in lines[0]


def test_two_folders_are_needed(v2a, folder):
    code, lines = v2a("compare", folder("a", 0.1))
    assert code == 2
    assert "two folders" in lines[0]
