"""Sixteen bits of payload in 64 coded bits: the extended BCH(64,16,24) code, decoded softly.

Codewords are multiples of the generator of the primitive BCH(63,16) code (Lin & Costello, table of
BCH generators: 6331141367235453 octal, degree 47) with an overall parity bit, so any two words
differ in at least 24 places. Bits are sent as signs: bit b becomes 1 - 2b.
"""

import functools

import numpy as np

PAYLOAD_BITS = 16
CODE_BITS = 64
_GENERATOR = 0o6331141367235453


@functools.cache
def generator() -> np.ndarray:
    """int8[16,64]: row i is the word of payload bit i, least significant first."""
    shifted = [_GENERATOR << i for i in range(PAYLOAD_BITS)]
    rows = np.array([[word >> bit & 1 for bit in range(CODE_BITS - 1)] for word in shifted])
    return np.concatenate([rows, rows.sum(1, keepdims=True) % 2], axis=1).astype(np.int8)


def of_digest(digest: str) -> int:
    """The payload that points to what a sound was made from: the first 16 bits of its SHA-256."""
    return int(digest[: PAYLOAD_BITS // 4], 16)


def to_bits(payload: int) -> np.ndarray:
    """int32[16] bits of an integer 0..65535, least significant first; ValueError beyond."""
    if not 0 <= payload < 1 << PAYLOAD_BITS:
        raise ValueError(f"payload {payload} is not in 0..{(1 << PAYLOAD_BITS) - 1}")
    return payload >> np.arange(PAYLOAD_BITS, dtype=np.int32) & 1


@functools.cache
def codewords() -> np.ndarray:
    """float32[65536,64]: the signs of every payload's word, in order of the payload."""
    payloads = np.arange(1 << PAYLOAD_BITS)[:, None]
    bits = (payloads >> np.arange(PAYLOAD_BITS) & 1).astype(np.float32)
    return 1 - 2 * (bits @ generator().astype(np.float32) % 2)


def decode(soft: np.ndarray) -> tuple[int, np.ndarray]:
    """Maximum-likelihood payload of soft values float[64], and its word as float32[64] signs."""
    payload = int(np.argmax(codewords() @ soft.astype(np.float32)))
    return payload, codewords()[payload]
