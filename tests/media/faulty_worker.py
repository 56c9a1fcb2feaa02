"""A worker whose decoder does what a damaged file may make one do: its first argument."""

import ctypes
import os
import sys
import time

import numpy as np

from v2a_jax.media import worker


def crash():
    ctypes.string_at(0)


def abort():
    os.abort()


def hang():
    time.sleep(600)


def spin():
    while True:
        pass


def work():
    """Seven tenths of the time that a file may take."""
    end = time.process_time() + 0.7
    while time.process_time() < end:
        pass


def hoard():
    held = []
    while True:
        held.append(np.empty(1 << 24))


def scribble():
    """Bytes that are no message: as a decoder that a file has taken over may send."""
    for number in range(3, 256):
        try:
            os.write(number, b"\xff" * 100)
        except OSError:
            continue
    os._exit(0)


def write():
    with open(os.environ["HOME"] + "/.v2a-test", "wb") as file:
        file.write(b"0" * 100)


def betray():
    known = [name for name in os.environ if name.startswith("V2A_") and name.endswith("_KEY")]
    raise RuntimeError(f"known: {', '.join(known) or 'nothing'}")


def perform(path, limits, *, task, pieces=0, shape=(1,)):
    """Sends some pieces, then commits the fault if it is asked for."""
    for k in range(pieces):
        yield np.full(shape, k, np.float32)
    if task == "fault":
        globals()[sys.argv[1]]()


worker.main(perform)
