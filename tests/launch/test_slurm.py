import os
import signal
import subprocess

import pytest
from pod_cloud import LAUNCH, executable

GUARD = 100  # seconds, against hanging


@pytest.fixture
def slurm(tmp_path):
    """slurm(command ..) starts the job script, as the node's slurmd does; `requeued` is a file."""
    executable(tmp_path / "bin/srun", 'while [ "${1:0:2}" = -- ]; do shift; done\nexec "$@"\n')
    executable(tmp_path / "bin/scontrol", f'echo "$@" >>{tmp_path}/requeued\n')

    def start(*command, **environment):
        given = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "SLURM_JOB_ID": "42"}
        return subprocess.Popen(
            [LAUNCH / "slurm.sbatch", *command],
            env=os.environ | given | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    start.requeued = tmp_path / "requeued"
    return start


@pytest.mark.parametrize(
    ("status", "before", "again"),
    [(0, 0, False), (2, 0, False), (127, 0, False), (1, 0, True), (3, 9, True), (3, 10, False)],
)
def test_what_starting_again_may_cure_is_queued_again(slurm, status, before, again):
    job = slurm("bash", "-c", f"exit {status}", SLURM_RESTART_COUNT=str(before))
    job.communicate(timeout=GUARD)
    assert job.returncode == status
    assert slurm.requeued.exists() == again
    if again:
        assert slurm.requeued.read_text() == "requeue 42\n"


@pytest.mark.parametrize(("status", "again"), [(1, True), (0, False)])
def test_a_signal_lets_it_save_before_it_is_queued_again(slurm, status, again):
    saves = f"trap 'echo saved; exit {status}' TERM; echo up; while :; do sleep 0.1; done"
    job = slurm("bash", "-c", saves, SLURM_RESTART_COUNT="99")
    assert job.stdout.readline() == "up\n"
    job.send_signal(signal.SIGTERM)
    shown, _ = job.communicate(timeout=GUARD)
    assert shown == "saved\n"
    assert job.returncode == status
    assert slurm.requeued.exists() == again


@pytest.mark.parametrize(
    ("command", "job", "message"),
    [([], "42", "a command is needed"), (["true"], "", "start it with sbatch")],
)
def test_bad_input_is_one_line(slurm, command, job, message):
    running = slurm(*command, SLURM_JOB_ID=job)
    _, errors = running.communicate(timeout=GUARD)
    assert running.returncode == 2
    assert message in errors
    assert len(errors.splitlines()) == 1
