"""A run that is killed, stopped or finished goes on as if nothing had happened, bit for bit."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from tiny_stage import BATCH, EXAMPLES, TinyData, tiny_config, train_tiny

from v2a_jax.errors import UserError
from v2a_jax.training.checkpoint import flatten, restore_params

STEPS, EVERY = 24, 5
SCRIPT = pathlib.Path(__file__).with_name("tiny_stage.py")
GUARD = 240  # seconds; only against hanging


def weights(workdir, profile=None):
    place = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    tree = restore_params(workdir / "checkpoints", profile, place)
    return {name: np.asarray(leaf) for name, leaf in flatten(tree).items()}


def steps_logged(workdir, kind="metrics"):
    lines = (workdir / f"{kind}.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


def assert_same(a, b):
    for profile in (None, "0.1", "0.05"):
        one, other = weights(a, profile), weights(b, profile)
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def interrupt(workdir, number, after):
    """Runs the script in a process of its own; signals it when `after` steps are logged."""
    command = [sys.executable, str(SCRIPT), str(workdir), str(STEPS), str(EVERY), "0.1"]
    root = str(SCRIPT.parents[2])
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": root}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    log = workdir / "metrics.jsonl"
    deadline = time.monotonic() + GUARD
    while not log.exists() or log.read_text().count("\n") < after:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=GUARD)
    return process.returncode, errors


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("uninterrupted")
    assert train_tiny(workdir, tiny_config(STEPS, EVERY))
    return workdir


def test_killed_run_resumes_bit_for_bit(uninterrupted, tmp_path):
    after = int(np.random.default_rng().integers(1, STEPS - 10))
    status, _ = interrupt(tmp_path, signal.SIGKILL, after)
    assert status == -signal.SIGKILL
    assert train_tiny(tmp_path, tiny_config(STEPS, EVERY))
    assert_same(uninterrupted, tmp_path)
    assert steps_logged(tmp_path) == list(range(1, STEPS + 1))
    assert steps_logged(tmp_path, "evaluation") == [10, 20, STEPS]


def test_terminated_run_saves_its_step_and_resumes_bit_for_bit(uninterrupted, tmp_path):
    after = int(np.random.default_rng().integers(1, STEPS - 10))
    status, errors = interrupt(tmp_path, signal.SIGTERM, after)
    assert status == 0 and "stopped and saved at step" in errors
    saved = max(int(path.name) for path in (tmp_path / "checkpoints").iterdir() if path.is_dir())
    assert after <= saved < STEPS and steps_logged(tmp_path)[-1] == saved
    assert train_tiny(tmp_path, tiny_config(STEPS, EVERY))
    assert_same(uninterrupted, tmp_path)
    assert steps_logged(tmp_path) == list(range(1, STEPS + 1))


def test_finished_run_says_so_and_takes_no_step(uninterrupted, capfd):
    class NoData(TinyData):
        def batches(self, start_step):
            raise AssertionError("read a batch")

    before = steps_logged(uninterrupted)
    assert train_tiny(uninterrupted, tiny_config(STEPS, EVERY), data=NoData())
    assert f"all {STEPS} steps are done" in capfd.readouterr().err
    assert steps_logged(uninterrupted) == before


def test_more_steps_read_on_where_the_data_was_left(tmp_path):
    seen = []

    class Seen(TinyData):
        def batches(self, start_step):
            for batch in super().batches(start_step):
                seen.append(batch.index[0])
                yield batch

    for steps in (3, 7):
        train_tiny(tmp_path, tiny_config(steps, 100), data=Seen())
    assert seen == [step * BATCH % EXAMPLES for step in range(7)]


def test_other_configuration_is_refused_by_name(uninterrupted):
    with pytest.raises(UserError, match=r"model.width 8 -> 16"):
        train_tiny(uninterrupted, tiny_config(STEPS + 1), description={"model": {"width": 16}})


def test_held_folder_is_refused(tmp_path):
    class Rival(TinyData):
        def batches(self, start_step):
            with pytest.raises(UserError, match="another process works in"):
                train_tiny(tmp_path, tiny_config(2))
            return super().batches(start_step)

    train_tiny(tmp_path, tiny_config(2), data=Rival())
