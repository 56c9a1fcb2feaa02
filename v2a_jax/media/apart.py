"""Decoding a file in a process of its own: its crash, hang or greed is a UserError here.

A helper process is started once, and forks for each file one that decodes it within the limits;
files of one origin may be decoded by one fork, one after the other (`Kept`).
Its answer streams: no side holds more than one block and what the socket buffers.
"""

import functools
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

from v2a_jax.errors import UserError
from v2a_jax.media.source import MediaLimits
from v2a_jax.media.wire import BadMessage, Link, Message

# -P: the folder in which the program is run is no place to import from.
COMMAND = (sys.executable, "-P", "-m", "v2a_jax.media.worker")
# One thread at most when it forks; decoders take theirs afterwards.
THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
# Decoders open and close much that is alike: memory they gave back they would soon ask for again.
MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": str(1 << 28),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 25),
    "MALLOC_TOP_PAD_": str(1 << 22),
}
ENVIRONMENT = {**THREADS, **MEMORY}
SECRET = re.compile(r"V2A_\w*KEY")  # variables that a decoder has no business to know
KEPT_FILES = 64  # files that one decoder decodes at most: what leaks is given back
PATIENCE = 10.0  # seconds until a helper says how a decoder ended, or ends itself


class Helper:
    """The process that forks decoders; it ends with this program, or when it is forgotten."""

    def __init__(self, command: Sequence[str] = COMMAND):
        self._control, theirs = socket.socketpair()
        known = {name: value for name, value in os.environ.items() if not SECRET.fullmatch(name)}
        with theirs:
            process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**known, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(sys.path)},
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a Ctrl-C is for this program alone
            )
        weakref.finalize(self, _stop, self._control, process)

    def request(self) -> tuple[socket.socket, socket.socket]:
        """The link and the lifeline of a new decoder, which is killed when the latter is closed."""
        link, their_link = socket.socketpair()
        lifeline, their_lifeline = socket.socketpair()
        with their_link, their_lifeline:
            descriptors = [their_link.fileno(), their_lifeline.fileno()]
            socket.send_fds(self._control, [b"?"], descriptors)
        return link, lifeline


def _stop(control: socket.socket, process: subprocess.Popen) -> None:
    control.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@functools.cache
def _helper(owner: int) -> Helper:
    """The one helper of this process: a fork of it needs its own."""
    return Helper()


class Kept:
    """Keeps a decoder for the next file, to be used in a `with` statement: a fork costs time.

    It is for files of one origin. A file that took its decoder over could change what is made of
    those after it; one that is refused, or at fault in any way, has been its decoder's last.
    """

    def __init__(self) -> None:
        self._idle: tuple[Link, socket.socket] | None = None
        self._files = 0

    def __enter__(self) -> "Kept":
        return self

    def __exit__(self, *_: object) -> None:
        if self._idle is not None:
            _close(*self._idle)
            self._idle = None

    def take(self) -> tuple[Link, socket.socket] | None:
        """The link and the lifeline of a decoder that waits, if there is one."""
        idle, self._idle = self._idle, None
        return idle

    def give(self, link: Link, lifeline: socket.socket) -> None:
        """Takes a decoder back; after KEPT_FILES it has lived long enough."""
        self._files += 1
        if self._idle is not None or self._files % KEPT_FILES == 0:
            _close(link, lifeline)
        else:
            self._idle = link, lifeline


class Decoder:
    """A process that decodes one file, to be used in a `with` statement.

    Every method raises UserError, in one line, when the file is refused, or when decoding it
    crashes, hangs or takes too much.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        limits: MediaLimits,
        helper: Helper | None = None,
        kept: Kept | None = None,
    ):
        """`kept` may have a decoder, and gets it back; else there is a new one."""
        self._path, self._limits, self._kept = path, limits, kept
        self._helper = helper or _helper(os.getpid())
        self._link, self._lifeline = (kept and kept.take()) or self._fork()
        self._faultless = True
        start = {"path": os.fsdecode(path), "folder": os.getcwd()}
        self._link.send({**start, "limits": vars(limits)})

    def _fork(self) -> tuple[Link, socket.socket]:
        try:
            link, lifeline = self._helper.request()
        except ConnectionError:  # it is gone: killed from outside
            _helper.cache_clear()
            self._helper = _helper(os.getpid())
            link, lifeline = self._helper.request()
        return Link(link), lifeline

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        if self._kept is not None and self._faultless:
            self._kept.give(self._link, self._lifeline)
        else:
            _close(self._link, self._lifeline)

    def ask(self, task: str, **wanted: Any) -> Iterator[Message]:
        """What `worker.perform` says of a task, message by message: all are to be taken."""
        self._faultless = False
        try:
            self._link.send({"task": task, **wanted})
            self._link.flush()
            while (message := self._receive()) is not None:
                yield message
            self._faultless = True
        except TimeoutError as error:
            waited = f"nothing for {self._limits.max_wait_seconds:g} s"
            raise UserError(f"{self._path}: decoding it hangs ({waited})") from error
        except BadMessage as error:
            raise UserError(f"{self._path}: its decoder says what makes no sense") from error
        except (EOFError, ConnectionError) as error:
            cause = _cause(self._lifeline, self._limits)
            raise UserError(f"{self._path}: {cause}") from error

    def _receive(self) -> Message | None:
        """The next message; None at the end of an answer."""
        seconds, most = self._limits.max_wait_seconds, self._limits.max_decoded_bytes
        message = self._link.receive(seconds=seconds, max_bytes=most)
        if isinstance(message, dict) and "end" in message:
            _finish(message, self._path, self._limits)
            return None
        return message


def _close(link: Link, lifeline: socket.socket) -> None:
    link.close()
    lifeline.close()


def _finish(end: dict[str, Any], path: str | os.PathLike, limits: MediaLimits) -> None:
    """Raises what a decoder ended with, if it is not done."""
    if end["end"] == "refused":
        raise UserError(str(end.get("text")))
    if end["end"] == "memory":
        raise UserError(f"{path}: decoding it needs over {limits.max_memory} bytes of memory")
    if end["end"] != "done":
        raise RuntimeError(f"decoding {path} failed:\n{end.get('text')}")


def _cause(lifeline: socket.socket, limits: MediaLimits) -> str:
    """Why a decoder ended before it was done."""
    lifeline.settimeout(PATIENCE)
    try:
        (code,) = struct.unpack("!i", lifeline.recv(4))
    except (OSError, struct.error):
        return "its decoder is gone"
    if code == -signal.SIGXCPU:
        return f"decoding it takes over {limits.max_cpu_seconds} s of processor time"
    if code >= 0:
        return "its decoder broke off"
    return f"decoding it crashes ({signal.Signals(-code).name}): the file is damaged, or hostile"
