"""Messages between this program and its decoders: a value, or an array, over a socket.

    length of the head, 4 bytes | head, JSON | the array's bytes

A head {"array": its shape, "dtype"} announces an array; any other is the message itself. What
arrives is checked, not trusted: it may come from a decoder that a file has taken over.
"""

import json
import math
import socket
import struct
from typing import Any

import numpy as np

BUFFER = 1 << 18  # bytes that are sent or received at once: waking the other side has its price
MAX_HEAD = 1 << 16
DTYPES = ("uint8", "float32")

Message = dict[str, Any] | np.ndarray


class BadMessage(Exception):
    """What arrived is no message."""


class Link:
    """One end of a socket, from which messages are sent and received."""

    def __init__(self, end: socket.socket):
        self._socket = end
        self._reader = end.makefile("rb", BUFFER)
        self._writer = end.makefile("wb", BUFFER)

    def close(self) -> None:
        """What is held back is not sent."""
        self._socket.close()
        self._reader.close()
        self._writer.raw.close()

    def send(self, message: Message) -> None:
        """Sends one message, at the latest with `flush`; ConnectionError when nobody listens."""
        is_array = isinstance(message, np.ndarray)
        head = {"array": message.shape, "dtype": message.dtype.name} if is_array else message
        text = json.dumps(head).encode()
        self._writer.write(struct.pack("!I", len(text)) + text)
        if is_array:
            self._writer.write(np.ascontiguousarray(message).reshape(-1).view(np.uint8).data)

    def flush(self) -> None:
        """Sends what is held back."""
        self._writer.flush()

    def receive(self, *, seconds: float | None, max_bytes: int) -> Message:
        """One message; EOFError when the other side is gone, TimeoutError after `seconds`."""
        self._socket.settimeout(seconds)
        (length,) = struct.unpack("!I", self._take(bytearray(4)))
        if length > MAX_HEAD:
            raise BadMessage
        try:
            head = json.loads(self._take(bytearray(length)))
        except ValueError as error:
            raise BadMessage from error
        if not isinstance(head, dict):
            raise BadMessage
        return self._array(head, max_bytes) if "array" in head else head

    def _array(self, head: dict[str, Any], max_bytes: int) -> np.ndarray:
        shape, dtype = head["array"], head.get("dtype")
        if not (isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)):
            raise BadMessage
        if dtype not in DTYPES or math.prod(shape) * np.dtype(dtype).itemsize > max_bytes:
            raise BadMessage
        array = np.empty(shape, dtype)
        if array.size:
            self._take(array.reshape(-1).view(np.uint8))
        return array

    def _take(self, buffer: bytearray | np.ndarray) -> bytearray | np.ndarray:
        """The buffer, filled."""
        if self._reader.readinto(buffer) < len(buffer):
            raise EOFError
        return buffer
