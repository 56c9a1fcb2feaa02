"""The processes of a run watch each other: when one ends, all end, with a line that says which.

Each process counts up a key of its own in JAX's key-value store. Process 0 looks at all of them and
writes down who has fallen silent; a process that fails writes that down itself. Everybody reads it.
Process 0 holds the store: the others hold a lifeline to it, and end when that does.
"""

import atexit
import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType

import jax
from jax._src import distributed  # the store's client has no public name

from v2a_jax.cluster import CONNECT_SECONDS
from v2a_jax.errors import UserError
from v2a_jax.training.hang import EXIT_LOST
from v2a_jax.training.lifeline import Lifeline, hold

BEATS, ENDED, LEFT, LIFELINE = "v2a/beats/", "v2a/ended/", "v2a/left/", "v2a/lifeline"
BEATS_A_BOUND = 6
GRACE = 2.0  # seconds to close in, of those for which an abort is held up


class Peers:
    """Within this context a process that ends, or is silent for `seconds`, ends all others.

    With one process there is nothing to watch.
    """

    def __init__(self, seconds: float):
        self._seconds, self._pause = seconds, min(seconds / BEATS_A_BOUND, 5.0)
        self._me, self._count = jax.process_index(), jax.process_count()
        self._client = distributed.global_state.client if self._count > 1 else None
        self._leaving, self._told = threading.Event(), False
        self._last = EXIT_LOST, ""
        self._heard: dict[str, tuple[str, float]] = {}
        self._thread = threading.Thread(target=self._watch, name="peers", daemon=True)

    def __enter__(self) -> "Peers":
        if self._client is not None:
            self._hold_on()
            self._beat(0)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.tell(kind, error, trace)
        if self._client is not None:
            self._client.key_value_set(f"{LEFT}{self._me}", "", allow_overwrite=True)
            self._leaving.set()
            self._thread.join()

    def tell(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """An exit callback: of an error the others are told at once, for they wait for this one."""
        if self._client is None or error is None or self._told:
            return
        if _is_consequence(error):  # of another process's end: which one shows within the bound
            self._leaving.wait(2 * self._seconds)
        status = 2 if isinstance(error, UserError) else EXIT_LOST
        reason = " ".join((str(error) or type(error).__name__).split())[:400]
        self._last, self._told = (status, f"v2a: error: {reason}\n"), True
        # What is left to close, JAX itself and the store may wait for processes that never come.
        atexit.register(_leave, status)
        late = threading.Timer(self._seconds, _leave, self._last)
        late.daemon = True
        late.start()
        self._publish(self._me, status, f"on {socket.gethostname()} failed: {reason}")
        if self._me == 0:  # the store ends with this process: let the others read it
            self._await_others()

    def _hold_on(self) -> None:
        """Gives the others a lifeline, or takes it."""
        if self._me == 0:
            self._client.key_value_set(LIFELINE, str(Lifeline().port), allow_overwrite=True)
            return
        port = self._client.blocking_key_value_get(LIFELINE, 1000 * CONNECT_SECONDS)
        host = distributed.global_state.coordinator_address.rpartition(":")[0].strip("[]")
        try:
            hold(host, int(port), self._seconds, lambda: self._lost(host))
        except OSError as error:  # a firewall: then JAX aborts when process 0 is gone
            sys.stderr.write(f"v2a: no lifeline to process 0 at {host}:{port}: {error}\n")

    def _lost(self, host: str) -> None:
        """Ends this process when process 0 ended before it was done."""
        if self._told:  # it may have ended for what this process has told, and is closing
            time.sleep(GRACE)
            _leave(*self._last)
        elif not self._leaving.is_set():
            line = f"process 0 of {self._count} on {host} is gone"
            _leave(EXIT_LOST, f"v2a: error: {line}: process {self._me} stops too\n")

    def _watch(self) -> None:
        """Beats, listens, and ends this process when another has ended."""
        count = 0
        while not self._leaving.wait(self._pause):
            count += 1
            self._beat(count)
            if self._me == 0:
                self._listen()
            ended = [text for _, text in self._client.key_value_dir_get(ENDED)]
            if ended and not self._told:
                status, line = ended[0].split(" ", 1)
                self._client.key_value_set(f"{LEFT}{self._me}", "", allow_overwrite=True)
                if self._me == 0:
                    self._await_others()
                _leave(int(status), f"v2a: error: {line}: process {self._me} stops too\n")

    def _beat(self, count: int) -> None:
        text = f"{count} {socket.gethostname()}"
        self._client.key_value_set(f"{BEATS}{self._me}", text, allow_overwrite=True)

    def _listen(self) -> None:
        """Publishes a process whose count has stood still for too long."""
        now, left = time.monotonic(), self._names(LEFT)
        for name, text in self._names(BEATS).items():
            if name not in self._heard or self._heard[name][0] != text:
                self._heard[name] = text, now
            elif now - self._heard[name][1] > self._seconds and name not in left:
                host = text.split(" ", 1)[1]
                silent = f"on {host} has not been heard of for {self._seconds:g} s"
                self._publish(int(name), EXIT_LOST, silent)

    def _publish(self, process: int, status: int, what: str) -> None:
        line = f"{status} process {process} of {self._count} {what}"
        self._client.key_value_set(f"{ENDED}{process}", line, allow_overwrite=True)

    def _await_others(self) -> None:
        deadline = time.monotonic() + 2 * self._pause
        while time.monotonic() < deadline and len(self._names(LEFT)) < self._count - 1:
            time.sleep(self._pause / 10)

    def _names(self, folder: str) -> Mapping[str, str]:
        """What is in a folder of the store, by its last name."""
        return {
            key.rpartition("/")[2]: text for key, text in self._client.key_value_dir_get(folder)
        }


def _is_consequence(error: BaseException) -> bool:
    """Whether JAX raised it, or what lies beneath it: a collective fails without all processes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, jax.errors.JaxRuntimeError) or "Gloo" in str(cause):
            return True
        cause = cause.__cause__
    return False


def _leave(status: int, line: str = "") -> None:
    """Ends the process now, without waiting for anybody."""
    sys.stderr.write(line)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
