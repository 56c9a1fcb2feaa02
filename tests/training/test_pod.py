"""Real processes: stopped, killed, hung or failed, and resumed on another number of them."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from v2a_jax.training.goodput import account, read

STEPS, EVERY = 14, 6
SCRIPT = pathlib.Path(__file__).with_name("pod_run.py")
GUARD = 240  # seconds; only against hanging


def start(workdir, processes, **options):
    """Starts the processes of a run in `workdir`; their stderr goes to files there."""
    workdir.mkdir(exist_ok=True)
    for log in workdir.glob("rows-*.jsonl"):
        log.unlink()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [str(workdir), str(STEPS), str(EVERY), json.dumps(options)]
    started = []
    for k in range(processes):
        environment = {
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": f"{SCRIPT.parents[2]}:{SCRIPT.parents[1]}",
            "V2A_COORDINATOR": f"127.0.0.1:{port}",
            "V2A_PROCESSES": str(processes),
            "V2A_PROCESS": str(k),
        }
        with open(workdir / f"stderr-{k}", "w") as errors:
            command = [sys.executable, str(SCRIPT), *arguments]
            started.append(subprocess.Popen(command, env=environment, stderr=errors))
    return started


def ended(workdir, started):
    """Exit statuses and stderr of the processes."""
    statuses = [process.wait(timeout=GUARD) for process in started]
    return statuses, [(workdir / f"stderr-{k}").read_text() for k in range(len(started))]


def run(workdir, processes, **options):
    return ended(workdir, start(workdir, processes, **options))


def await_steps(workdir, started, count):
    """Returns when so many steps are logged."""
    log, deadline = workdir / "metrics.jsonl", time.monotonic() + GUARD
    while not log.exists() or log.read_text().count("\n") < count:
        assert time.monotonic() < deadline
        assert not any(process.poll() for process in started), ended(workdir, started)
        time.sleep(0.02)


def metrics(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return {line["step"]: line for line in map(json.loads, lines)}


def global_rows(workdir, processes):
    """What all hosts read, by step, in the order of the global batch: (example, crop)."""
    batches = {}
    for k in range(processes):
        for line in (workdir / f"rows-{k}.jsonl").read_text().splitlines():
            line = json.loads(line)
            batches.setdefault(line["step"], []).extend(
                zip(line["index"], line["crop"], strict=True)
            )
    return batches


def saved(workdir):
    names = (path.name for path in (workdir / "checkpoints").iterdir())
    return max(int(name) for name in names if name.isdigit())  # one being written is not yet


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A run on one process, from the first step to the last."""
    workdir = tmp_path_factory.mktemp("alone")
    statuses, errors = run(workdir, 1)
    assert statuses == [0], errors
    return workdir


def assert_goes_on(alone, workdir, processes, first):
    rows, whole = global_rows(workdir, processes), global_rows(alone, 1)
    assert list(rows) == list(range(first, STEPS + 1))
    assert all(rows[step] == whole[step] for step in rows)
    found, wanted = metrics(workdir), metrics(alone)
    assert found.keys() == wanted.keys()
    for step, line in wanted.items():
        for name, value in line.items():
            rtol = 1e-5 if name == "grad_norm" else 1e-6  # a norm sums in an order of its own
            if name.endswith(("_high", "_low")):  # of what is computed with, every bit
                rtol = 0
            np.testing.assert_allclose(found[step][name], value, rtol=rtol, err_msg=name)
    assert len({line["noise_low"] for line in wanted.values()}) > STEPS / 2


@pytest.mark.slow
def test_stopped_on_two_processes_goes_on_with_one_or_four(alone, tmp_path):
    two = tmp_path / "two"
    started = start(two, 2, seconds=0.1)
    await_steps(two, started, 3)
    started[1].send_signal(signal.SIGTERM)
    statuses, errors = ended(two, started)
    assert statuses == [1, 1], errors
    step = saved(two)
    assert 3 <= step < STEPS and f"saved at step {step} of {STEPS}" in errors[0]
    assert max(global_rows(two, 2)) >= step
    for processes in (1, 4):
        other = tmp_path / f"{processes}"
        shutil.copytree(two, other)
        statuses, errors = run(other, processes)
        assert statuses == [0] * processes, errors
        assert_goes_on(alone, other, processes, step + 1)


@pytest.mark.slow
def test_a_killed_process_is_named_and_the_run_goes_on_when_started_again(alone, tmp_path):
    began = time.time()
    started = start(tmp_path, 2, seconds=0.3, run={"peer_seconds": 8.0})
    await_steps(tmp_path, started, EVERY + 2)
    started[1].kill()
    statuses, errors = ended(tmp_path, started)
    assert statuses == [3, -signal.SIGKILL], errors
    assert re.search(r"process 1 of 2 on \S+ has not been heard of for 8 s", errors[0])
    step = saved(tmp_path)
    assert step == EVERY
    statuses, errors = run(tmp_path, 2)
    assert statuses == [0, 0], errors
    assert_goes_on(alone, tmp_path, 2, step + 1)
    ledger = tmp_path / "goodput.jsonl"
    totals = account(read(ledger))
    np.testing.assert_allclose(sum(totals.values()), ledger.stat().st_mtime - began, rtol=0.01)
    assert min(totals[name] for name in ("init", "compile", "step", "lost", "down")) > 0


@pytest.mark.slow
def test_without_its_first_process_a_run_ends(tmp_path):
    started = start(tmp_path, 2, seconds=0.3)
    await_steps(tmp_path, started, 2)
    started[0].kill()
    statuses, errors = ended(tmp_path, started)
    assert statuses == [-signal.SIGKILL, 3], errors
    assert re.search(r"process 0 of 2 on \S+ is gone: process 1 stops too", errors[1])


@pytest.mark.slow
@pytest.mark.parametrize("who", [0, 1])
def test_what_one_process_cannot_read_ends_all_with_its_cause(tmp_path, who):
    statuses, errors = run(tmp_path, 2, fault="fail", at=4, who=who)
    assert statuses == [2, 2], errors
    assert errors[who].splitlines()[-1] == "v2a: error: record 7 is damaged"
    assert re.search(rf"process {who} of 2 on \S+ failed: record 7 is damaged", errors[1 - who])


@pytest.mark.slow
def test_what_one_process_cannot_write_ends_all_with_its_cause(tmp_path):
    statuses, errors = run(tmp_path, 2, fault="storage", at=4, who=1)
    assert statuses == [2, 2], errors
    told = r"cannot write a checkpoint under .*Input/output error"
    assert re.search(told, errors[1])
    assert re.search(rf"process 1 of 2 on \S+ failed: {told}", errors[0])
    assert not list((tmp_path / "checkpoints").glob("[0-9]*[0-9]"))


@pytest.mark.slow
def test_a_hung_process_shows_its_stacks_and_ends_the_run(tmp_path):
    limits = {"hang_seconds": 15.0, "peer_seconds": 10.0}
    statuses, errors = run(tmp_path, 2, fault="hang", at=4, who=1, run=limits)
    assert set(statuses) <= {3, -signal.SIGABRT}, errors
    assert "in strike" in errors[1] and "hung in 'data'" in errors[1]
    assert "after step 3" in errors[1]
