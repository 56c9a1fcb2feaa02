"""The process that decodes: for each asker it forks one more, which works within limits.

It is started once by `apart`, over whose socket come requests: each is a pair of descriptors, of a
link on which tasks are asked for and answered, and of a lifeline. When the lifeline is cut the
fork is killed; when the fork ends, its exit status is written on the lifeline. No foreign file is
touched here before the fork: a file can harm no other, but those that its asker has the same fork
decode after it.
"""

import contextlib
import math
import os
import resource
import selectors
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.media import audio, probe, video
from v2a_jax.media.blocks import BLOCK, sized
from v2a_jax.media.probe import MediaInfo
from v2a_jax.media.source import LIMITS, MediaLimits
from v2a_jax.media.warm import warm
from v2a_jax.media.wire import BUFFER, Link, Message

MAX_FILES = 1024

Tasks = Callable[..., Iterator[Message]]  # as `perform`


class Fork(NamedTuple):
    """A process at work, and what is heard of its end and of its asker's."""

    pid: int
    lifeline: socket.socket
    ended: int


def perform(path: str, limits: MediaLimits, *, task: str, **wanted: Any) -> Iterator[Message]:
    """What is asked for: see `decode`, whose functions ask."""
    if task == "probe":
        yield vars(probe.examine(path, limits=limits))
    elif task == "pictures":
        yield from _pictures(path, limits, **wanted)
    elif task == "tracks":
        yield {"tracks": audio.tracks(path, limits=limits)}
    else:
        yield from _sound(path, limits, **wanted)


def _pictures(
    path: str, limits: MediaLimits, *, info: dict[str, Any], part: list[int], **shape: Any
) -> Iterator[Message]:
    found = video.pictures(path, MediaInfo(**info), part=range(*part), limits=limits, **shape)
    yield from _together(found)


def _together(pictures: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The pictures as arrays uint8[n,H,W,3]: a message costs as much as many small pictures."""
    held: list[np.ndarray] = []
    for picture_HWC in pictures:
        held.append(picture_HWC)
        if len(held) * picture_HWC.nbytes >= BUFFER:
            yield np.stack(held) if len(held) > 1 else picture_HWC[None]
            held = []
    if held:
        yield np.stack(held)


def _sound(
    path: str, limits: MediaLimits, *, from_picture: bool, **wanted: Any
) -> Iterator[Message]:
    """First what the sound is like, then its blocks; nothing where none decodes."""
    if from_picture and wanted["origin"] is None:
        wanted["origin"] = audio.video_start(path, limits=limits)
    with audio.heard(path, limits=limits, **wanted) as sound:
        if sound is None:
            return
        yield {name: getattr(sound, name) for name in ("rate", "channels", "layout", "start")}
        yield from sized(sound.blocks, BLOCK)


def serve(control: socket.socket, tasks: Tasks) -> None:
    """Answers requests until the program that asks is gone; then ends what is still at work."""
    forks: dict[int, Fork] = {}
    with selectors.DefaultSelector() as waiting:
        waiting.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is control:
                    received, descriptors, *_ = socket.recv_fds(control, 1, 2)
                    if not received:
                        _end(forks)
                        return
                    fork = _fork(control, *descriptors, tasks)
                    forks[fork.pid] = fork
                    waiting.register(fork.lifeline, selectors.EVENT_READ, fork)
                    waiting.register(fork.ended, selectors.EVENT_READ, fork)
                elif key.data.pid in forks:
                    _look_after(key.data, forks, waiting, ended=key.fileobj == key.data.ended)


def _look_after(
    fork: Fork, forks: dict[int, Fork], waiting: selectors.BaseSelector, *, ended: bool
) -> None:
    """Kills a fork whose lifeline is cut; says how one that has ended did."""
    if not ended:
        waiting.unregister(fork.lifeline)
        os.kill(fork.pid, signal.SIGKILL)
        return
    with contextlib.suppress(KeyError):
        waiting.unregister(fork.lifeline)
    waiting.unregister(fork.ended)
    _, status = os.waitpid(fork.pid, 0)
    with contextlib.suppress(OSError):
        fork.lifeline.send(struct.pack("!i", os.waitstatus_to_exitcode(status)))
    fork.lifeline.close()
    os.close(fork.ended)
    del forks[fork.pid]


def _end(forks: dict[int, Fork]) -> None:
    for pid in forks:
        os.kill(pid, signal.SIGKILL)


def _fork(control: socket.socket, link: int, lifeline: int, tasks: Tasks) -> Fork:
    ended, alive = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ended)  # `alive` closes with the process
        os.close(lifeline)
        control.close()
        _work(Link(socket.socket(fileno=link)), tasks)
    os.close(alive)
    os.close(link)
    return Fork(pid=pid, lifeline=socket.socket(fileno=lifeline), ended=ended)


def _work(link: Link, tasks: Tasks) -> NoReturn:
    """Answers requests about a file, and another when it is named, until nobody asks."""
    status, path, limits = 1, "", LIMITS
    try:
        with contextlib.suppress(ConnectionError, EOFError):
            while True:
                request = link.receive(seconds=None, max_bytes=0)
                if "path" in request:
                    path, limits = request["path"], MediaLimits(**request["limits"])
                    os.chdir(request["folder"])
                    _restrict(limits)
                    continue
                link.send(_answer(link, path, request, limits, tasks))
                link.flush()
        status = 0
    finally:
        os._exit(status)


def _answer(
    link: Link, path: str, request: dict[str, Any], limits: MediaLimits, tasks: Tasks
) -> Message:
    """Sends what there is to say; returns how it ended."""
    try:
        for message in tasks(path, limits, **request):
            link.send(message)
    except UserError as error:
        return {"end": "refused", "text": str(error)}
    except MemoryError:
        return {"end": "memory"}
    except ConnectionError:
        raise
    except Exception:
        return {"end": "failed", "text": traceback.format_exc()}
    return {"end": "done"}


def _restrict(limits: MediaLimits) -> None:
    """What this process may take; it writes no file, and leaves no memory image of a crash."""
    used = math.ceil(time.process_time())
    for what, most in (
        (resource.RLIMIT_AS, limits.max_memory),
        (resource.RLIMIT_CPU, used + limits.max_cpu_seconds),
        (resource.RLIMIT_NOFILE, MAX_FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # A later file has processor time of its own: that limit must be free to rise.
        resource.setrlimit(what, (most, hard if what == resource.RLIMIT_CPU else most))


def main(tasks: Tasks = perform) -> None:
    """Serves on the socket whose descriptor is the last argument."""
    with socket.socket(fileno=int(sys.argv[-1])) as control:
        serve(control, tasks)


if __name__ == "__main__":
    warm(perform)
    main()
