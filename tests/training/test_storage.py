"""Storage that is slow or fails: steps go on beside it; a failure ends the run with its cause."""

import asyncio
import dataclasses
import errno
import os
import threading
import time

import pytest
from orbax.checkpoint._src.serialization import serialization
from tiny_stage import TinyData, tiny_config, train_tiny

from v2a_jax.errors import UserError
from v2a_jax.training.checkpoint import Checkpoints
from v2a_jax.training.goodput import account, read

GUARD = 120  # seconds; only against hanging
WRITE = "async_serialize_from_host"


class Watched(TinyData):
    """Calls `look(step)` before the batch of each step is read."""

    def __init__(self, look):
        super().__init__()
        self.look = look

    def batches(self, start_step):
        for step, batch in enumerate(super().batches(start_step), start_step + 1):
            self.look(step)
            yield batch


def quiet(steps, every):
    """A configuration without evaluations before the end."""
    config = tiny_config(steps, every, keep=9)
    return dataclasses.replace(config, run=dataclasses.replace(config.run, evaluate_every=steps))


def test_steps_go_on_beside_slow_storage_and_the_next_save_waits(tmp_path, monkeypatch):
    released, held, write = threading.Event(), 0.5, getattr(serialization, WRITE)
    first, waited, beside = tmp_path / "checkpoints" / "4", [], []

    async def slow(*args, **more):
        assert await asyncio.to_thread(released.wait, GUARD)
        await write(*args, **more)

    wait = Checkpoints.wait

    def waits(checkpoints):
        """Storage gets well only after someone has waited for it."""
        if checkpoints._writing and not released.is_set():
            waited.append(first.exists())
            threading.Timer(held, released.set).start()
        wait(checkpoints)

    monkeypatch.setattr(serialization, WRITE, slow)
    monkeypatch.setattr(Checkpoints, "wait", waits)
    data = Watched(lambda step: beside.append((step, first.exists())))
    assert train_tiny(tmp_path, quiet(8, 4), data=data)
    assert [exists for step, exists in beside if step > 4] == [False] * 4
    assert waited == [False] and first.exists()
    assert account(read(tmp_path / "goodput.jsonl"))["checkpoint"] >= held
    with Checkpoints(tmp_path / "checkpoints", 9) as checkpoints:
        assert checkpoints.latest() == 8


def test_storage_that_fails_ends_the_run_with_its_cause_and_what_was_saved_goes_on(
    tmp_path, monkeypatch
):
    reached, saving, write = [], [], getattr(serialization, WRITE)
    save = Checkpoints.save
    monkeypatch.setattr(Checkpoints, "save", lambda *args: (saving.append(args[0]), save(*args)))

    async def fails(*args, **more):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def look(step):
        reached.append(step)
        if step == 4:
            saving[0].wait()
            monkeypatch.setattr(serialization, WRITE, fails)
        while step == 5 and saving[0]._manager.is_saving_in_progress():
            time.sleep(0.01)

    with pytest.raises(UserError, match=r"cannot write a checkpoint under .*Input/output error"):
        train_tiny(tmp_path, quiet(9, 2), data=Watched(look))
    assert reached[-1] == 5
    monkeypatch.setattr(serialization, WRITE, write)
    kept = [path.name for path in (tmp_path / "checkpoints").iterdir() if path.name.isdigit()]
    assert kept == ["2"]
    assert train_tiny(tmp_path, quiet(5, 2))
