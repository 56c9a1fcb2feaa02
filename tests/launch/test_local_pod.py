import os
import signal
import subprocess
import sys

import pytest
from pod_cloud import LAUNCH

SCRIPT = LAUNCH / "local_pod.sh"
GUARD = 100  # seconds, against hanging
WAITS = """
import os, signal, sys
def save(number, frame):
    sys.exit(f"saved after {signal.Signals(number).name}")
signal.signal(signal.SIGTERM, save)
for stream in (sys.stdout, sys.stderr):
    print("up", file=stream, flush=True)
signal.pause()
"""


def hear_ctrl_c():
    """For the child: what runs in the background ignores it, and a shell can't trap that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(processes, *command, **environment):
    return subprocess.Popen(
        [SCRIPT, str(processes), "--", *command],
        env={k: v for k, v in os.environ.items() if not k.startswith("V2A_")} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )


def run(processes, *command, **environment):
    """Exit status, lines of stdout, lines of stderr."""
    running = start(processes, *command, **environment)
    shown, errors = running.communicate(timeout=GUARD)
    return running.returncode, sorted(shown.splitlines()), errors.splitlines()


def test_three_processes_are_told_who_they_are():
    status, lines, errors = run(
        3, "bash", "-c", 'echo "$V2A_PROCESS/$V2A_PROCESSES at $V2A_COORDINATOR $1"', "-", "a  b"
    )
    assert (status, errors) == (0, [])
    port = lines[0].split(":")[1].split()[0]
    assert 0 < int(port) < 2**16
    assert lines == [f"[{k}] {k}/3 at localhost:{port} a  b" for k in range(3)]


def test_a_given_coordinator_is_kept():
    _, lines, _ = run(1, "bash", "-c", 'echo "$V2A_COORDINATOR"', V2A_COORDINATOR="node7:99")
    assert lines == ["[0] node7:99"]


def test_errors_stay_errors():
    status, lines, errors = run(2, "bash", "-c", "echo wrong >&2")
    assert (status, lines, sorted(errors)) == (0, [], ["[0] wrong", "[1] wrong"])


def test_the_first_failure_ends_the_others_and_is_the_status():
    script = 'if [ "$V2A_PROCESS" = 1 ]; then exit 7; fi; exec sleep 1000'
    assert run(3, "bash", "-c", script, V2A_KILL_SECONDS="100000") == (7, [], [])


def test_one_that_does_not_listen_is_killed(tmp_path):
    os.mkfifo(tmp_path / "gate")
    deaf = f"trap '' TERM; echo >{tmp_path}/gate; exec sleep 1000"
    fails = f"read -r line <{tmp_path}/gate; exit 7"
    script = f'if [ "$V2A_PROCESS" = 1 ]; then {fails}; fi; {deaf}'
    assert run(2, "bash", "-c", script, V2A_KILL_SECONDS="0")[0] == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_passed_on_and_everybody_may_save(number):
    running = start(2, sys.executable, "-c", WAITS)
    for stream in (running.stdout, running.stderr):
        assert sorted(stream.readline() for _ in range(2)) == ["[0] up\n", "[1] up\n"]
    os.killpg(running.pid, number) if number == signal.SIGINT else running.send_signal(number)
    _, errors = running.communicate(timeout=GUARD)
    assert running.returncode == 1
    assert sorted(errors.splitlines()) == [f"[{k}] saved after SIGTERM" for k in range(2)]


COUNTS = """
import os, signal, sys, time
heard = []
signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
print("up", flush=True)
while not heard:
    time.sleep(0.01)
if os.environ["V2A_PROCESS"] == "1":
    time.sleep(0.7)  # as one that saves: the first process is gone meanwhile
    print(len(heard), flush=True)
sys.exit(1)
"""


def test_one_that_is_saving_is_not_told_again():
    running = start(2, sys.executable, "-c", COUNTS)
    assert sorted(running.stdout.readline() for _ in range(2)) == ["[0] up\n", "[1] up\n"]
    running.terminate()
    shown, errors = running.communicate(timeout=GUARD)
    assert (running.returncode, shown, errors) == (1, "[1] 1\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "usage: local_pod.sh N"),
        (["0", "--", "true"], "usage: local_pod.sh N"),
        (["two", "--", "true"], "usage: local_pod.sh N"),
        (["2", "true"], "a command is needed after '2 --'"),
        (["2", "--"], "a command is needed after '2 --'"),
        (["2", "--", "no-such-command"], "no command 'no-such-command'"),
    ],
)
def test_bad_input_is_one_line(arguments, message):
    done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=GUARD)
    assert done.returncode == 2
    assert done.stderr.startswith(f"local_pod: error: {message}")
    assert len(done.stderr.splitlines()) == 1
