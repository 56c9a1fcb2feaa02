"""The real command on two processes of this machine: stopped, and started again to the end."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from pod_cloud import LAUNCH

ROOT = pathlib.Path(__file__).parents[2]
GUARD = 280  # seconds, against hanging


def start(workdir, steps):
    """`launch/local_pod.sh 2 -- v2a train` of the tiny codec."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("V2A_")}
    paths = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        [
            *(LAUNCH / "local_pod.sh", "2", "--", sys.executable, "-m", "v2a_jax.bin.main"),
            *("train", f"--config={ROOT}/tests/tiny_demo.py:codec", f"--workdir={workdir}"),
            *(f"--config.run.steps={steps}", "--config.run.log_every=1"),
        ],
        env=environment | paths,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def logged(workdir):
    """Steps in the log of metrics."""
    log = workdir / "codec" / "metrics.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    return [json.loads(line)["step"] for line in lines]


@pytest.mark.slow
def test_a_run_of_two_processes_is_stopped_and_resumes(tmp_path):
    first = start(tmp_path, 10000)
    deadline = time.monotonic() + GUARD
    while not logged(tmp_path):
        assert time.monotonic() < deadline
        assert first.poll() is None, first.stderr.read()
        time.sleep(0.1)
    first.send_signal(signal.SIGTERM)
    _, errors = first.communicate(timeout=GUARD)
    assert first.returncode == 1, errors
    saved = max(int(path.name) for path in (tmp_path / "codec/checkpoints").iterdir())
    assert saved >= 1

    second = start(tmp_path, saved + 2)
    _, errors = second.communicate(timeout=GUARD)
    assert second.returncode == 0, errors
    assert logged(tmp_path)[-1] == saved + 2
    assert saved + 1 in logged(tmp_path)
