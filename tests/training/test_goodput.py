"""Every second of a run is in the ledger once, whatever kills it and whenever it goes on."""

import random

import pytest

from v2a_jax.errors import UserError
from v2a_jax.training.goodput import PHASES, Ledger, account, goodput, read


class Clock:
    """A time that passes when told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def one_step(ledger, clock, step, times):
    """A step whose phases take these times."""
    for phase, seconds in times.items():
        with ledger.spend(phase):
            clock.now += seconds
    ledger.finished(step)


def test_each_second_has_one_phase_and_a_kill_loses_what_is_done_again(tmp_path):
    path, clock = tmp_path / "goodput.jsonl", Clock()
    killed = Ledger(path, 0, began=990.0, clock=clock).__enter__()
    one_step(killed, clock, 1, {"compile": 5.0, "step": 1.0})
    one_step(killed, clock, 2, {"data": 2.0, "step": 1.0, "checkpoint": 4.0})
    killed.snapshot()  # the checkpoint of step 2
    one_step(killed, clock, 3, {"data": 2.0, "step": 11.0})
    one_step(killed, clock, 4, {"step": 0.5})  # not written down before the kill
    clock.now += 20.0
    with Ledger(path, 2, began=clock.now, clock=clock) as ledger:
        clock.now += 3.0
        one_step(ledger, clock, 3, {"compile": 1.0, "step": 1.0})
        totals = ledger.totals()
    assert totals == {
        "init": 13.0,
        "compile": 6.0,
        "data": 2.0,
        "step": 3.0,
        "evaluation": 0.0,
        "checkpoint": 4.0,
        "lost": 13.0,
        "down": 20.5,
    }
    assert account(read(path)) == totals
    assert sum(totals.values()) == pytest.approx(clock.now - 990.0)
    assert goodput(totals) == pytest.approx(3.0 / 61.5)


@pytest.mark.parametrize("seed", range(20))
def test_totals_sum_to_the_wall_time_whatever_happens(tmp_path, seed):
    rng, clock, path = random.Random(seed), Clock(), tmp_path / "goodput.jsonl"
    began, saved = clock.now, 0
    for _ in range(rng.randint(1, 6)):
        ledger = Ledger(path, saved, began=clock.now, clock=clock).__enter__()
        for step in range(saved + 1, saved + rng.randint(1, 8)):
            with ledger.spend("evaluation"):
                one_step(ledger, clock, step, {phase: 4 * rng.random() for phase in PHASES})
            if rng.random() < 0.4:
                ledger.snapshot()
                saved = step
        if rng.random() < 0.5:
            with open(path, "a") as torn:
                torn.write('{"began": 12')
        saved = rng.choice([0, saved, saved])  # a damaged checkpoint may have been deleted
        clock.now += 5 * rng.random()
    ledger = Ledger(path, saved, began=clock.now, clock=clock)
    totals = ledger.totals()
    assert sum(totals.values()) == pytest.approx(clock.now - began, abs=0.1)
    assert min(totals.values()) > -0.01


def test_another_file_is_no_ledger(tmp_path):
    (tmp_path / "goodput.jsonl").write_text('{"step": 3}\n')
    with pytest.raises(UserError, match="goodput.jsonl is no ledger"):
        Ledger(tmp_path / "goodput.jsonl", 0, began=0.0)
