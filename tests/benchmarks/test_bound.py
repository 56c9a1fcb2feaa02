"""The bound on detectors tells a mark from none, and its best weights are hardly below ours."""

import dataclasses

import pytest
from marking import bound
from marking.clips import made
from marking.marked import Settings
from marking.ours import DepthConfig
from marking.survival import tasks

from configs.base import get_config
from v2a_jax.config import build

DEPTH = build(DepthConfig, get_config().watermark)


NOISE = "white noise 20 dB"


@pytest.fixture(autouse=True)
def few_keys_and_attacks(monkeypatch):
    every = bound.attacks
    monkeypatch.setattr(bound, "KEYS", 4)
    monkeypatch.setattr(
        bound, "attacks", lambda *of: {name: every(*of)[name] for name in (NOISE, bound.HARD)}
    )


def measured(depth):
    (task,) = tasks([made("notes", 0)], [16000])
    return bound.compare(Settings(seconds=6.0, depth=depth), task)


def test_a_mark_is_found_by_both():
    noisy, hard = measured(DEPTH)
    for row in (noisy, hard):
        assert row["best"] > 0.8 * row["ours"]
    assert noisy["ours"] > noisy["needed"] and noisy["ours"] > hard["ours"] > 3.5


def test_no_mark_is_found_by_neither():
    none = dataclasses.replace(DEPTH, strength_db=-200.0, min_db=0.0)
    assert all(abs(row[who]) < 3.5 for row in measured(none) for who in ("ours", "best"))


def test_the_report_names_who_falls_short():
    row = {"rate": 16000, "attack": "noise", "kind": "world", "needed": 8.4}
    rows = [
        row | {"clip": "faint", "ours": 5.0, "best": 9.0},
        row | {"clip": "loud", "ours": 20.0, "best": 30.0},
    ]
    (line,) = [line for line in bound.report(rows).splitlines() if "16000" in line]
    assert "| 50.0 | 100 |" in line and "faint (5.0 / 9.0)" in line and "loud" not in line
