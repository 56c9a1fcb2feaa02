import os
import shutil
import subprocess

import pytest
from pod_cloud import LAUNCH

GUARD = 100  # seconds, against hanging


@pytest.fixture
def worker(tmp_path):
    """worker(words ..) -> what launch/worker.sh says, in a tree of its own."""
    (tmp_path / "launch").mkdir()
    script = shutil.copy(LAUNCH / "worker.sh", tmp_path / "launch")
    os.mkfifo(tmp_path / "gate")

    def say(*words, **environment):
        environment = {**os.environ, **environment}
        done = subprocess.run(
            [script, *words], capture_output=True, text=True, timeout=GUARD, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    yield say
    pid = tmp_path / ".run" / "pid"
    if pid.exists():
        group = f"-{pid.read_text().strip()}"
        subprocess.run(["kill", "-s", "KILL", "--", group], check=False, capture_output=True)


def until(worker, state):
    """Asks until the worker is in this state."""
    while worker("state") != state:
        assert worker("state") in ("running", state)


@pytest.mark.parametrize(
    ("command", "state"),
    [
        (["true"], "ended 0"),
        (["bash", "-c", "exit 3"], "ended 3"),
        (["bash", "-c", "kill -s ABRT $$"], "ended 134"),
        (["no-such-command"], "ended 127"),
    ],
)
def test_the_exit_status_is_kept(worker, command, state):
    assert worker("state") == "idle"
    worker("start", *command)
    until(worker, state)
    assert worker("stop") == state


def test_what_runs_is_not_started_twice(worker, tmp_path):
    waits = ["bash", "-c", f"echo started; read -r line <{tmp_path}/gate"]
    worker("start", *waits)
    worker("start", *waits)
    assert worker("state") == "running"
    (tmp_path / "gate").write_text("\n")
    until(worker, "ended 0")
    assert worker("log", "9") == "started"
    worker("start", "echo", "two  words")
    until(worker, "ended 0")
    assert worker("log", "9") == "started\ntwo  words"
    assert worker("log", "1") == "two  words"


def test_stopping_waits_for_what_is_being_saved(worker, tmp_path):
    saves = f"trap 'sleep 0.3; echo saved; exit 1' TERM; echo up >{tmp_path}/gate; sleep 100 & wait"
    worker("start", "bash", "-c", saves)
    assert (tmp_path / "gate").read_text() == "up\n"
    assert worker("stop") == "stopped"
    assert worker("log", "1") == "saved"
    assert (tmp_path / ".run/status").read_text() == "1\n"


def test_what_does_not_listen_is_killed(worker, tmp_path):
    deaf = f"trap '' TERM; echo up >{tmp_path}/gate; sleep 100"
    worker("start", "bash", "-c", deaf)
    assert (tmp_path / "gate").read_text() == "up\n"
    assert worker("stop", V2A_STOP_SECONDS="1") == "stopped"
    assert (tmp_path / ".run/status").read_text() == "137\n"


def test_what_ends_with_its_machine_counts_as_killed(worker, tmp_path):
    worker("start", "bash", "-c", f"echo up >{tmp_path}/gate; sleep 1000")
    assert (tmp_path / "gate").read_text() == "up\n"
    group = f"-{(tmp_path / '.run/pid').read_text().strip()}"
    subprocess.run(["kill", "-s", "KILL", "--", group], check=True)
    until(worker, "ended 137")


def test_another_process_of_that_number_is_not_it(worker, tmp_path):
    worker("start", "true")
    until(worker, "ended 0")
    (tmp_path / ".run/status").unlink()
    (tmp_path / ".run/pid").write_text(f"{os.getpid()}\n")
    assert worker("state") == "ended 137"
    (tmp_path / ".run/pid").unlink()  # not to be killed as what is left over
