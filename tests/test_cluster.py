import os
import socket
import subprocess
import sys
import threading

import jax
import pytest
from jax._src.clusters import K8sCluster

from v2a_jax.cluster import join
from v2a_jax.errors import UserError

SUM = """
import sys

import jax
import numpy as np
from jax.experimental import multihost_utils

from v2a_jax.cluster import join

join()
join()
total = multihost_utils.process_allgather(np.array(10 + jax.process_index())).sum()
sys.stdout.write(f"{jax.process_index()} of {jax.process_count()}: {total}")
"""
JOIN = """
from v2a_jax.bin.main import launch
from v2a_jax.cluster import join

launch(lambda _: join(), [""])
"""


@pytest.fixture
def environment(monkeypatch):
    """Sets what is given of the variables that join() reads, and removes the others."""

    def set_only(**given):
        for name in list(os.environ):
            if name.startswith(("V2A_", "SLURM_", "OMPI_", "TPU_", "KUBERNETES_")):
                monkeypatch.delenv(name)
        for name, value in given.items():
            monkeypatch.setenv(name, value)

    return set_only


@pytest.fixture
def joined(monkeypatch):
    """What jax.distributed.initialize was called with; it does nothing else."""
    calls = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda **given: calls.append(given))
    return calls


def three(coordinator="host:1234", processes="4", process="3"):
    return {"V2A_COORDINATOR": coordinator, "V2A_PROCESSES": processes, "V2A_PROCESS": process}


def slurm(tasks):
    return {
        "SLURM_JOB_ID": "7",
        "SLURM_STEP_NODELIST": "node[001-004]",
        "SLURM_NTASKS": tasks,
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
    }


def start(script, **given):
    """A Python process with these variables beside the usual ones."""
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "JAX_PLATFORMS": "cpu", **given},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port():
    with socket.socket() as listening:
        listening.bind(("localhost", 0))
        return listening.getsockname()[1]


def test_the_environment_names_the_processes(environment, joined):
    environment(**three(), V2A_CONNECT_SECONDS="20", V2A_HEARTBEAT_SECONDS="30")
    join()
    (given,) = joined
    assert given["coordinator_address"] == "host:1234"
    assert (given["num_processes"], given["process_id"]) == (4, 3)
    assert given["initialization_timeout"] > 20
    assert given["heartbeat_timeout_seconds"] == 30


@pytest.mark.parametrize(
    "given",
    [
        {},
        three("host:1", "1", "0"),
        slurm("1"),
        {"SLURM_NTASKS": "4", "SLURM_JOB_ID": "7"},  # a shell inside an allocation, not srun
        dict.fromkeys(three(), ""),
    ],
)
def test_one_process_joins_nothing(environment, joined, given):
    environment(**given)
    join()
    assert not joined


def test_a_pod_of_kubernetes_alone_is_not_a_cluster(environment, joined, monkeypatch):
    monkeypatch.setattr(K8sCluster, "is_env_present", lambda: pytest.fail("it was asked"))
    environment()
    join()
    assert not joined


def test_a_cluster_that_jax_detects_is_left_to_jax(environment, joined):
    environment(**slurm("4"))
    join()
    (given,) = joined
    assert not {"coordinator_address", "num_processes", "process_id"} & set(given)
    assert "cluster_detection_method" not in given


def test_the_environment_goes_before_what_jax_detects(environment, joined):
    environment(**slurm("4"), **three("host:1", "2", "1"))
    join()
    assert joined[0]["num_processes"] == 2
    assert joined[0]["cluster_detection_method"] == "deactivate"


@pytest.mark.parametrize("missing", three())
def test_two_of_three_are_refused(environment, joined, missing):
    environment(**{name: value for name, value in three().items() if name != missing})
    with pytest.raises(UserError, match=f"{missing} is not set"):
        join()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (three("host"), "V2A_COORDINATOR=host is not host:port"),
        (three(":80"), "not host:port"),
        (three("host:0"), "not host:port"),
        (three("host:65536"), "not host:port"),
        (three(processes="four"), "V2A_PROCESSES=four is not a whole number"),
        (three(processes="0", process="0"), "at least one process"),
        (three(process="-1"), "V2A_PROCESS=-1 is not a whole number"),
        (three(process="4"), "V2A_PROCESS=4 must be less than V2A_PROCESSES=4"),
        ({**three(), "V2A_CONNECT_SECONDS": "soon"}, "V2A_CONNECT_SECONDS=soon"),
        ({**three(), "V2A_HEARTBEAT_SECONDS": "0"}, "at least one second"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(environment, joined, given, message):
    environment(**given)
    with pytest.raises(UserError, match=message):
        join()
    assert not joined


def test_processes_that_do_not_meet_in_time_are_an_error(environment, monkeypatch):
    never = threading.Event()
    monkeypatch.setattr(jax.distributed, "initialize", lambda **_: never.wait())
    environment(**three(), V2A_CONNECT_SECONDS="1")
    with pytest.raises(
        UserError, match="4 processes of the run did not meet at host:1234 within 1 s"
    ):
        join()
    never.set()


def test_what_jax_raises_is_not_lost(environment, monkeypatch):
    def initialize(**_):
        raise RuntimeError("called too late")

    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    environment(**three())
    with pytest.raises(RuntimeError, match="called too late"):
        join()


@pytest.mark.slow
def test_two_processes_agree_on_a_sum():
    where = f"localhost:{free_port()}"
    both = [start(SUM, **three(where, "2", str(process))) for process in range(2)]
    for process, running in enumerate(both):
        shown, errors = running.communicate(timeout=200)
        assert shown.endswith(f"{process} of 2: 21"), errors


@pytest.mark.slow
@pytest.mark.parametrize("process", [0, 1])
def test_a_process_alone_gives_up_with_one_line_of_ours(process):
    given = three(f"localhost:{free_port()}", "2", str(process))
    running = start(JOIN, **given, V2A_CONNECT_SECONDS="2")
    _, errors = running.communicate(timeout=200)
    assert running.returncode == 2
    ours = [line for line in errors.splitlines() if line.startswith("v2a: error: ")]
    assert len(ours) == 1
    assert "2 processes of the run did not meet" in ours[0]
    assert "Traceback" not in errors


def test_a_port_that_is_taken_is_named(environment, joined):
    with socket.socket(socket.AF_INET6) as listening:
        listening.bind(("::", 0))
        listening.listen()
        where = f"localhost:{listening.getsockname()[1]}"
        environment(**three(where, "2", "0"))
        with pytest.raises(UserError, match=f"{where}: the port is taken"):
            join()
        assert not joined
        environment(**three(where, "2", "1"))
        join()
        assert joined


def test_what_jax_reports_is_one_line(environment, monkeypatch):
    def initialize(**_):
        raise jax.errors.JaxRuntimeError("UNKNOWN: Failed to start RPC server")

    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    environment(**three())
    with pytest.raises(UserError, match="cannot join the run at host:1234: UNKNOWN: Failed"):
        join()
