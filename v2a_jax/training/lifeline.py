"""A line from every process of a run to process 0, which holds what keeps them together.

JAX aborts a process that has lost process 0, before anything of ours could say why. So each holds a
TCP connection to it, whose end the kernel tells at once, and an abort is held up for some seconds.
"""

import contextlib
import ctypes
import signal
import socket
import sys
import threading
from collections.abc import Callable

PROBES = 3  # unanswered probes after which a connection to a host that is gone ends


class Lifeline:
    """The end that process 0 holds, as long as it lives."""

    def __init__(self) -> None:
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        self._socket = socket.create_server(("", 0), family=family, dualstack_ipv6=both)
        self._held: list[socket.socket] = []
        threading.Thread(target=self._accept, name="lifeline", daemon=True).start()

    @property
    def port(self) -> int:
        """Where the others connect to."""
        return self._socket.getsockname()[1]

    def _accept(self) -> None:
        while True:
            self._held.append(self._socket.accept()[0])


def hold(host: str, port: int, seconds: float, lost: Callable[[], None]) -> None:
    """Connects to process 0; calls `lost`, in a thread of its own, when it has ended.

    A host that answers no more counts as ended after about `seconds`. OSError when there is no way
    to it.
    """
    connection = socket.create_connection((host, port), timeout=seconds)
    connection.settimeout(None)
    _keep_alive(connection, seconds)
    _delay_aborts()

    def wait() -> None:
        with contextlib.suppress(OSError):  # reset, or not answered
            connection.recv(1)
        lost()

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def _keep_alive(connection: socket.socket, seconds: float) -> None:
    """Lets the kernel ask the other end whether it is there."""
    every = max(1, int(seconds / (PROBES + 1)))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        for option, value in (("IDLE", every), ("INTVL", every), ("CNT", PROBES)):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_KEEP{option}"), value)


def _delay_aborts() -> None:
    """Makes an abort wait for some seconds, in which `lost` can end the process in its own way.

    The handler is sleep(3) itself, which needs no Python and gets the signal's number as seconds.
    """
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    libc.signal(signal.SIGABRT, ctypes.cast(libc.sleep, ctypes.c_void_p))
