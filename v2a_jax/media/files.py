"""Files written whole or not at all, and digests of what they hold."""

import contextlib
import hashlib
import os
import pathlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from v2a_jax.errors import UserError
from v2a_jax.media.source import MediaLimits, open_source, packets, require_video


@contextlib.contextmanager
def atomic_output(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A file to write that takes `path`'s place at the end; on any failure nothing is left.

    The operating system's refusals (no space, no permission, no such folder) are UserErrors.
    """
    target = pathlib.Path(path)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


class FailingOnce:
    """A file to write for FFmpeg: after its first failure, which is raised, nothing is written.

    FFmpeg goes on flushing after a failure; what those calls raise would be printed, not raised.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self._failed = False

    def write(self, data: bytes) -> int:
        """Bytes taken."""
        return self._attempt(self._file.write, data) or len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """The new position."""
        return self._attempt(self._file.seek, offset, whence)

    def tell(self) -> int:
        """The position."""
        return self._attempt(self._file.tell)

    def _attempt(self, operation: Callable[..., int], *arguments: Any) -> int:
        if self._failed:
            return 0
        try:
            return operation(*arguments)
        except OSError:
            self._failed = True
            raise


def shown(path: str) -> str:
    """A file's name as one line that any terminal can show."""
    return path if path.isprintable() else repr(path)


def file_sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def packet_digest(path: str | os.PathLike, *, limits: MediaLimits) -> str:
    """SHA-256 over the bytes of the video packets in file order: equal where a copy is exact.

    Packets after the last one that is shown are cut by an edit list, and do not count.
    """
    total = shown = hashlib.sha256()
    with open_source(path, limits) as container:
        for packet in packets(container, require_video(container, path)):
            total.update(packet)
            shown = shown if packet.is_discard else total.copy()
    return shown.hexdigest()
