"""What goes wrong in a run: skipped and counted, or ended with its cause and step."""

import dataclasses
import json
import resource
import signal
import sys
import threading
import time

import jax
import numpy as np
import pytest
from tiny_stage import BATCH, TinyData, TinyStage, tiny_config, tiny_frozen, tiny_mesh, train_tiny

from v2a_jax.errors import UserError
from v2a_jax.sharding import batch_sharding
from v2a_jax.training.checkpoint import Checkpoints, flatten
from v2a_jax.training.feed import to_device
from v2a_jax.training.hang import EXIT_LOST, Watchdog
from v2a_jax.training.loop import begin
from v2a_jax.training.profile import profiled


class Poisoned(TinyData):
    """One sample is not a number, in the batches of some steps."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def batches(self, start_step):
        for step, batch in enumerate(super().batches(start_step), start_step + 1):
            if step in self.steps:
                batch.audio[3, 5] = np.nan
            yield batch


def with_run(config, **changes):
    return dataclasses.replace(config, run=dataclasses.replace(config.run, **changes))


def logged(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_batch_that_is_no_number_changes_no_weight(tmp_path, accumulate):
    mesh, config = tiny_mesh(), tiny_config(accumulate=accumulate)
    with jax.set_mesh(mesh), Checkpoints(tmp_path, 1) as checkpoints:
        state, step = begin(TinyStage(), config, mesh, checkpoints)
        seen, frozen = [], tiny_frozen(mesh)
        for _, batch in zip(range(3), Poisoned({2}).batches(0), strict=False):
            state, metrics = step(state, frozen, to_device(batch, batch_sharding(mesh), BATCH))
            seen.append((jax.device_get(flatten(state)), metrics))
    (one, _), (two, bad), (three, _) = seen
    assert [bool(metrics["skipped"]) for _, metrics in seen] == [False, True, False]
    assert not np.isfinite(bad["loss"])
    trained = [name for name in one if name.startswith(("params/", "opt_state/"))]
    assert all(np.array_equal(one[name], two[name]) for name in trained)
    assert not all(np.array_equal(two[name], three[name]) for name in trained)
    assert [int(state["step"]) for state, _ in seen] == [1, 2, 3]
    assert all(np.isfinite(leaf).all() for leaf in three.values())


def test_skipped_updates_are_counted_and_the_run_goes_on(tmp_path, capfd):
    config = with_run(tiny_config(6, 3), max_skips=3)
    assert train_tiny(tmp_path, config, data=Poisoned({1, 3, 4}))
    assert [line["skipped"] for line in logged(tmp_path)] == [1, 0, 1, 1, 0, 0]
    told = capfd.readouterr().err
    assert "step 4: error is nan" in told and "(2 in a row, 3 since" in told


def test_too_many_in_a_row_end_the_run_at_their_step(tmp_path):
    config = with_run(tiny_config(9, 2), max_skips=3)
    with pytest.raises(UserError, match=r"loss is nan, .*3 update.s. skipped in a row at step 7;"):
        train_tiny(tmp_path, config, data=Poisoned({3, 5, 6, 7, 8}))
    with Checkpoints(tmp_path / "checkpoints", 2) as checkpoints:
        assert checkpoints.latest() == 6


def test_a_write_that_fails_ends_the_run_before_the_next_one(tmp_path, monkeypatch):
    """A limit on the size of files stands for a full disk; the next checkpoint is at step 8."""
    reached, usual, saved_by = [], resource.getrlimit(resource.RLIMIT_FSIZE), []
    save = Checkpoints.save
    monkeypatch.setattr(Checkpoints, "save", lambda *args: (saved_by.append(args[0]), save(*args)))

    class Filling(TinyData):
        def batches(self, start_step):
            for step, batch in enumerate(super().batches(start_step), start_step + 1):
                if step == 4:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, usual[1]))
                while saved_by and saved_by[0]._manager.is_saving_in_progress():
                    time.sleep(0.01)
                reached.append(step)
                yield batch

    config = with_run(tiny_config(8, 4), log_every=8, evaluate_every=8)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(UserError, match=r"cannot write a checkpoint under .*File too large"):
            train_tiny(tmp_path, config, data=Filling())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, handler)
    assert reached[-1] == 5


class Stuck:
    """A ledger whose phase has lasted for `seconds`."""

    step = 41

    def __init__(self, phase, seconds):
        self.phase, self.seconds = phase, seconds

    def spent(self):
        return self.seconds


@pytest.mark.parametrize(
    "phase, seconds, ends",
    [("data", 101, True), ("data", 99, False), ("compile", 101, False), ("init", 1001, True)],
)
def test_a_phase_may_take_its_time_and_no_longer(phase, seconds, ends, monkeypatch, tmp_path):
    looked, ended = threading.Semaphore(0), []
    ledger = Stuck(phase, seconds)
    monkeypatch.setattr(ledger, "spent", lambda: (looked.release(), seconds)[1])
    with open(tmp_path / "stderr", "w+") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setattr(sys, "__stderr__", stderr)
        with Watchdog(ledger, usual=100.0, first=1000.0, end=ended.append):
            for _ in range(1 if ends else 2):
                assert looked.acquire(timeout=60)
        stderr.seek(0)
        told = stderr.read()
    assert ended == [EXIT_LOST] * ends
    assert (f"hung in '{phase}'" in told and "after step 41" in told) == ends
    assert ("test_a_phase_may_take" in told) == ends  # the stack of this very thread


def test_profiled_steps_are_traced(tmp_path):
    train_tiny(tmp_path, tiny_config(4), profiled=profiled("2:3"))
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))


@pytest.mark.parametrize("text", ["", "3", "0:2", "5:4", "a:b", "1:2:3", "-1:2"])
def test_steps_that_make_no_sense_are_refused(text):
    with pytest.raises(UserError, match="profile_steps"):
        profiled(text)


def test_a_step_that_reads_from_the_host_is_refused(tmp_path):
    """The loop's guard: numpy arrays among a step's arguments would be copied at every step."""
    with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
        train_tiny(tmp_path, tiny_config(2), frozen={"offset": np.float32(0.25)})
