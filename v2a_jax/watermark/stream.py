"""Marking waves of any length, in pieces: the same samples however they are handed over."""

import functools
import secrets
from collections.abc import Iterable, Iterator

import jax
import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.watermark import grid, payload
from v2a_jax.watermark.blocks import checked
from v2a_jax.watermark.embed import CONTEXT, FILL_FRAMES, embed_hops
from v2a_jax.watermark.key import Key
from v2a_jax.watermark.mask import DepthConfig

LOUDEST = 1e6  # +120 dBFS; the power of what is far beyond isn't a finite float32
PIECE_HOPS = 8 * FILL_FRAMES  # about 2.7 s: the one shape that is compiled


def mark(
    wave: np.ndarray,
    key: Key,
    number: int,
    *,
    sample_rate: int,
    depth: DepthConfig,
    offset: int | None = None,
) -> np.ndarray:
    """`wave` float[N,C] marked with the payload `number`, float32[N,C]; as `mark_blocks`."""
    wave = np.asarray(wave, np.float32)
    options = {"sample_rate": sample_rate, "depth": depth, "offset": offset}
    return np.concatenate([wave[:0], *mark_blocks([wave], key, number, **options)])


def mark_blocks(
    blocks: Iterable[np.ndarray],
    key: Key,
    number: int,
    *,
    sample_rate: int,
    depth: DepthConfig,
    offset: int | None = None,
) -> Iterator[np.ndarray]:
    """Marks consecutive blocks float[n,C] of a wave: float32, in blocks of other sizes.

    Memory is bounded by the largest block. `offset` is the pattern's cell at the start, random by
    default, so that outputs of one key don't share their mark. UserError where a sample isn't
    finite or is beyond LOUDEST, or where the number of channels changes.
    """
    if grid.rows_used(sample_rate) == 0:
        raise UserError(f"audio at {sample_rate} Hz has no room for a watermark")
    start = secrets.randbelow(grid.PERIOD) if offset is None else offset
    marked = _compiled(sample_rate, depth)
    pattern, bits = jax.device_put(key.pattern()), payload.to_bits(number)
    hop = grid.hop_length(sample_rate)
    for index, (piece_NC, samples) in enumerate(_pieces(blocks, hop)):
        first = index * PIECE_HOPS
        cell_T = start + grid.cells_of_frames(first, PIECE_HOPS, CONTEXT, sample_rate)
        piece_CN = marked(np.ascontiguousarray(piece_NC.T), pattern, bits, cell_T % grid.PERIOD)
        yield np.asarray(piece_CN).T[:samples]


@functools.cache
def _compiled(sample_rate: int, depth: DepthConfig) -> jax.stages.Wrapped:
    return jax.jit(functools.partial(embed_hops, sample_rate=sample_rate, depth=depth))


def _pieces(blocks: Iterable[np.ndarray], hop: int) -> Iterator[tuple[np.ndarray, int]]:
    """PIECE_HOPS hops with context on either side, and how many of their samples are the wave's."""
    context, size = CONTEXT * hop, PIECE_HOPS * hop
    held = None
    for block in blocks:
        block = _checked(block, held)
        silence = np.zeros((context, block.shape[1]), np.float32)
        held = np.concatenate([silence if held is None else held, block])
        while len(held) >= size + 2 * context:
            yield held[: size + 2 * context], size
            held = held[size:]
    if held is None:
        return
    while (left := len(held) - context) > 0:
        missing = max(size + 2 * context - len(held), 0)
        yield np.pad(held[: size + 2 * context], ((0, missing), (0, 0))), min(left, size)
        held = held[size:]


def _checked(block: np.ndarray, held: np.ndarray | None) -> np.ndarray:
    block = checked(np.asarray(block, np.float32))
    if block.size and np.abs(block).max() > LOUDEST:
        raise UserError(f"audio has samples beyond {LOUDEST:.0e} times full scale")
    if held is not None and held.shape[1] != block.shape[1]:
        raise UserError(f"audio changes from {held.shape[1]} to {block.shape[1]} channels")
    return block
