"""The secret key: where it is kept, and the pattern of signs and slots drawn from it.

A label's stream is SHAKE-256(HMAC-SHA256(key, label)); the key's public name is an HMAC too, so
neither pattern nor name leads back to the key. A key file holds 64 hexadecimal digits and is
readable by its owner only. The key is looked for at the path given, then at the path in
V2A_WATERMARK_KEY_FILE, then as digits in V2A_WATERMARK_KEY, then in
$XDG_CONFIG_HOME/v2a/watermark.key (~/.config by default).
"""

import dataclasses
import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.watermark import grid, payload

KEY_BYTES = 32
FILE_VARIABLE = "V2A_WATERMARK_KEY_FILE"
KEY_VARIABLE = "V2A_WATERMARK_KEY"
PILOT = payload.CODE_BITS  # the slot of a pilot cell: one past the coded bits
_BALANCE = 64  # cells (1.4 s) over which pilots and slots are balanced; divides the period


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Pattern:
    """Key material as arrays: an argument of compiled functions, never a constant in them.

    signs  int8[K,R]  ±1 for each cell
    slots  int8[K,R]  coded bit that a data cell carries, or PILOT
    """

    signs: Any
    slots: Any


class Key:
    """A secret of 32 bytes that shows only its `key_id`; ValueError for another length."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(secret)}")
        self._secret = bytes(secret)

    def __repr__(self) -> str:
        return f"Key(key_id={self.key_id!r})"

    def __reduce__(self) -> Any:
        raise TypeError("a key is not to be copied or pickled")

    @property
    def key_id(self) -> str:
        """Sixteen hexadecimal digits that name the key without revealing it."""
        return self._hmac("key id").hex()[:16]

    def pattern(self) -> Pattern:
        """The pattern of this key: half the cells pilots, the rest balanced over the coded bits."""
        shape = grid.PERIOD, grid.rows_total()
        bits = np.frombuffer(self._stream("signs", shape[0] * shape[1]), np.uint8) & 1
        blocks = grid.PERIOD // _BALANCE
        draws = np.frombuffer(self._stream("slots", 8 * shape[0] * shape[1]), "<u8")
        rank = draws.reshape(blocks, -1).argsort(axis=1, kind="stable").argsort(axis=1)
        pilots = rank.shape[1] // 2
        slots = np.where(rank < pilots, PILOT, (rank - pilots) % payload.CODE_BITS)
        return Pattern(
            signs=(1 - 2 * bits.astype(np.int8)).reshape(shape),
            slots=slots.astype(np.int8).reshape(shape),
        )

    def _stream(self, label: str, count: int) -> bytes:
        return hashlib.shake_256(self._hmac(label)).digest(count)

    def _hmac(self, label: str) -> bytes:
        return hmac.digest(self._secret, f"v2a watermark 1: {label}".encode(), "sha256")


def load(path: str | None = None) -> Key:
    """The key at `path`, or of the environment or default file; UserError where there is none."""
    if path is None and FILE_VARIABLE not in os.environ and KEY_VARIABLE in os.environ:
        return _parse(os.environ[KEY_VARIABLE], f"variable {KEY_VARIABLE}")
    return _read(_path(path))


def load_or_create(path: str | None = None) -> Key:
    """As `load`, but a missing key file is made with a fresh key, readable by its owner only."""
    if path is None and FILE_VARIABLE not in os.environ and KEY_VARIABLE in os.environ:
        return load()
    file = _path(path)
    if not file.exists():
        _create(file)
    return _read(file)


def _path(path: str | None) -> Path:
    given = path or os.environ.get(FILE_VARIABLE)
    config_home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(given or f"{config_home}/v2a/watermark.key").expanduser()


def _read(path: Path) -> Key:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(4 * KEY_BYTES)
    except OSError as error:
        raise UserError(f"watermark key {path}: {error.strerror}") from None
    if mode & 0o077:
        raise UserError(f"watermark key {path} is open to other users: chmod 600 it")
    return _parse(text.decode("ascii", "replace"), str(path))


def _parse(text: str, origin: str) -> Key:
    try:
        return Key(bytes.fromhex(text.strip()))
    except ValueError:
        digits = 2 * KEY_BYTES
        raise UserError(f"watermark key {origin} is not {digits} hexadecimal digits") from None


def _create(path: Path) -> None:
    """Writes a fresh key; where several processes try at once, the first one's key stands."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".watermark")  # mode 0600
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(KEY_BYTES) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)  # fails, as it should, where another process was first
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    except OSError as error:
        raise UserError(f"watermark key {path} cannot be made: {error.strerror}") from None
