"""Consecutive blocks float32[n,C] of a sound: cut anew, with what surrounds them, or kept on disk.

What is made of them does not depend on how they were handed over.
"""

import pathlib
import tempfile
from collections.abc import Iterable, Iterator

import numpy as np

BLOCK = 1 << 16  # samples that are read or filled in at once


def exactly(blocks_NC: Iterable[np.ndarray], samples: int, channels: int) -> Iterator[np.ndarray]:
    """The first `samples` samples, filled up with zeros where there are fewer."""
    left = samples
    for block_NC in blocks_NC:
        if left == 0:
            return
        kept_NC = block_NC[:left]
        left -= len(kept_NC)
        yield kept_NC
    while left:
        fill = min(left, BLOCK)
        left -= fill
        yield np.zeros((fill, channels), np.float32)


def sized(blocks_NC: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The same samples in blocks of `size`; the last one may be shorter."""
    held: list[np.ndarray] = []
    count = 0
    for block_NC in blocks_NC:
        held.append(block_NC)
        count += len(block_NC)
        if count < size:
            continue
        whole_NC = np.concatenate(held)
        full = count // size * size
        yield from np.split(whole_NC[:full], count // size)
        held, count = [whole_NC[full:]], count - full
    if count:
        yield np.concatenate(held)


def with_context(blocks_NC: Iterable[np.ndarray], size: int, context: int) -> Iterator[np.ndarray]:
    """Pieces of n + 2 context samples around blocks of n = `size`, the last one of 1 to `size`.

    Zeros are what lies before the first sample and after the last one.
    """
    held_NC = None
    for block_NC in blocks_NC:
        if held_NC is None:
            held_NC = np.zeros((context, block_NC.shape[1]), np.float32)
        held_NC = np.concatenate([held_NC, block_NC])
        while len(held_NC) >= size + 2 * context:
            yield held_NC[: size + 2 * context]
            held_NC = held_NC[size:]
    while held_NC is not None and len(held_NC) > context:
        n = min(size, len(held_NC) - context)
        missing = max(0, n + 2 * context - len(held_NC))
        yield np.pad(held_NC[: n + 2 * context], ((0, missing), (0, 0)))
        held_NC = held_NC[n:]


class Spool:
    """Sound in a nameless file of `folder`: written once, then read as often as is wanted.

    The file is gone when the spool is, however the program ends.
    """

    def __init__(self, folder: pathlib.Path, channels: int):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 closed on exit
        self.channels, self.samples = channels, 0

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, block_NC: np.ndarray) -> None:
        """Adds a block float[n,C]."""
        self._file.seek(0, 2)
        self._file.write(np.ascontiguousarray(block_NC, np.float32).tobytes())
        self.samples += len(block_NC)

    def blocks(self) -> Iterator[np.ndarray]:
        """What was written, float32[n,C]."""
        frame = 4 * self.channels
        for begin in range(0, self.samples, BLOCK):
            self._file.seek(begin * frame)
            read = self._file.read(min(BLOCK, self.samples - begin) * frame)
            yield np.frombuffer(read, np.float32).reshape(-1, self.channels)
