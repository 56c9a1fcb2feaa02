"""Joining the processes of one run: named by the environment, or found by JAX on a cluster.

`launch/local_pod.sh` sets V2A_COORDINATOR (host:port), V2A_PROCESSES and V2A_PROCESS. Where none of
the three is set, JAX's own detection of TPU pods, Slurm and MPI says how many processes there are.
"""

import errno
import os
import re
import socket
import threading
from typing import Any

import jax
from jax._src.clusters import ClusterEnv, K8sCluster  # jax.distributed cannot be asked beforehand

from v2a_jax.errors import UserError

NAMES = ("V2A_COORDINATOR", "V2A_PROCESSES", "V2A_PROCESS")
CONNECT_SECONDS = 300  # of V2A_CONNECT_SECONDS: hosts of a pod start minutes apart
HEARTBEAT_SECONDS = 100  # of V2A_HEARTBEAT_SECONDS: a process silent for so long ends the run
GRACE = 60  # seconds that JAX waits longer than we do, since it ends with an abort and a stack


def join() -> None:
    """Joins this process to the others of its run, before anything touches a device.

    Does nothing where there is one process only, or where they were joined before. UserError when
    the environment makes no sense, when the coordinator cannot start (its port is taken), or when
    the processes don't meet within V2A_CONNECT_SECONDS.
    """
    if jax.distributed.is_initialized():
        return
    named = _named()
    processes = named["num_processes"] if named else _detected()
    if processes == 1:
        return
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    seconds = _seconds("V2A_CONNECT_SECONDS", CONNECT_SECONDS)
    where = named.get("coordinator_address", "the address that the cluster gives")
    limits = {
        "initialization_timeout": seconds + GRACE,
        "heartbeat_timeout_seconds": _seconds("V2A_HEARTBEAT_SECONDS", HEARTBEAT_SECONDS),
    }
    if named and named["process_id"] == 0:
        _require_free(where)
    try:
        met = _initialize(seconds, **named, **limits)
    except jax.errors.JaxRuntimeError as error:
        raise UserError(f"cannot join the run at {where}: {error}") from error
    if not met:
        raise UserError(
            f"the {processes} processes of the run did not meet at {where} within {seconds} s: "
            "start them all, or give them longer with V2A_CONNECT_SECONDS"
        )


def _named() -> dict[str, Any]:
    """Arguments of jax.distributed.initialize that the environment names; empty when none."""
    missing = [name for name in NAMES if not os.environ.get(name)]
    if len(missing) == len(NAMES):
        return {}
    if missing:
        raise UserError(f"{', '.join(NAMES)} belong together: {', '.join(missing)} is not set")
    address = os.environ["V2A_COORDINATOR"]
    port = re.fullmatch(r".+:(\d{1,5})", address)
    if not port or not 0 < int(port[1]) < 2**16:
        raise UserError(f"V2A_COORDINATOR={address} is not host:port")
    processes, process = _whole("V2A_PROCESSES"), _whole("V2A_PROCESS")
    if processes < 1:
        raise UserError("V2A_PROCESSES=0: a run has at least one process")
    if process >= processes:
        raise UserError(f"V2A_PROCESS={process} must be less than V2A_PROCESSES={processes}")
    return {
        "coordinator_address": address,
        "num_processes": processes,
        "process_id": process,
        "cluster_detection_method": "deactivate",
    }


def _whole(name: str) -> int:
    text = os.environ[name]
    if not re.fullmatch(r"\d{1,9}", text):
        raise UserError(f"{name}={text} is not a whole number")
    return int(text)


def _seconds(name: str, default: int) -> int:
    if not os.environ.get(name):
        return default
    if (seconds := _whole(name)) < 1:
        raise UserError(f"{name}=0: at least one second is needed")
    return seconds


def _require_free(where: str) -> None:
    """UserError when the coordinator's port is taken: JAX may crash on it."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("::", int(where.rpartition(":")[2])))
    except OSError as error:  # others, as of a machine without IPv6, are JAX's to judge
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"cannot join the run at {where}: the port is taken") from error


def _detected() -> int:
    """Processes of the cluster that jax.distributed.initialize() would find; 1 outside of any."""
    for cluster in ClusterEnv._cluster_types:
        if cluster is K8sCluster and "JOB_COMPLETION_INDEX" not in os.environ:
            continue  # any pod looks like a cluster, but only those of an indexed job are one
        if not cluster.opt_in_only_method and cluster.is_env_present():
            return cluster.get_process_count()
    return 1


def _initialize(seconds: int, **arguments: Any) -> bool:
    """Calls jax.distributed.initialize; whether it was done in time. Raises what it raises.

    In a thread of its own: while it waits it hears no signals, and in the end it aborts.
    """
    failed: list[Exception] = []

    def initialize() -> None:
        try:
            jax.distributed.initialize(**arguments)
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=initialize, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    return not thread.is_alive()
