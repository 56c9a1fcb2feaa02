"""The grid of cells that carries the mark: fixed in seconds and hertz, whatever the sample rate.

Time cell k covers [k, k+1)·TC seconds with TC = 1024/48000, and the pattern repeats after PERIOD
cells. Frequency rows start at 200 Hz, each the wider of 94 Hz and 1/17.3 of its lower edge.
Frames are Hann windows of about one cell, hop a quarter of a window (Hann² then overlap-adds to
the constant 3/2).
"""

import functools

import numpy as np

CELL_SECONDS = 1024 / 48000
PERIOD = 1024
LOWEST_HZ, HIGHEST_HZ = 200.0, 9000.0
NYQUIST_MARGIN = 0.47  # rows above this fraction of the sample rate are left alone
HOPS = 4  # hops in a window


@functools.cache
def row_edges() -> tuple[float, ...]:
    """Edges of all rows in Hz, ascending; row r lies between edges r and r + 1."""
    edges = [LOWEST_HZ]
    while (upper := edges[-1] + max(94.0, edges[-1] / 17.3)) <= HIGHEST_HZ:
        edges.append(upper)
    return tuple(edges)


def rows_total() -> int:
    """Rows of the pattern, used or not at a given sample rate."""
    return len(row_edges()) - 1


def rows_used(sample_rate: int) -> int:
    """Rows that a signal of this sample rate can carry: the first so many."""
    return sum(edge <= NYQUIST_MARGIN * sample_rate for edge in row_edges()[1:])


def window_length(sample_rate: int) -> int:
    """Samples of the window: the multiple of 4 nearest to a cell with no prime above 7."""

    def smooth(n: int) -> bool:
        for prime in (2, 3, 5, 7):
            while n % prime == 0:
                n //= prime
        return n == 1

    cell = CELL_SECONDS * sample_rate
    candidates = range(HOPS, 2 * int(cell) + 2 * HOPS, HOPS)
    return min(filter(smooth, candidates), key=lambda n: abs(n - cell))


def hop_length(sample_rate: int) -> int:
    """Samples from one frame to the next."""
    return window_length(sample_rate) // HOPS


def cells_of_frames(first_hop: int, hops: int, context: int, sample_rate: int) -> np.ndarray:
    """int32[hops + 2·context - 3]: the cell in which the centre of each frame lies.

    Frames are those of `hops` hops from `first_hop` on, counted from the start of the wave, with
    `context` hops on either side; what lies before the wave's start is in cells below 0.
    """
    first = first_hop - context
    frames = hops + 2 * context - HOPS + 1
    centre = np.arange(first, first + frames, dtype=np.int64) + HOPS // 2
    # Exact integers: streaming an hour must land on the very cells of the whole.
    return (centre * hop_length(sample_rate) * 48000 // (1024 * sample_rate)).astype(np.int32)


def bin_hz(sample_rate: int, pitch: float = 1.0) -> np.ndarray:
    """float64[F]: centres of the FFT bins that reach the used rows, played `pitch` times higher."""
    spacing = sample_rate / window_length(sample_rate)
    top = min(pitch * row_edges()[rows_used(sample_rate)], sample_rate / 2)
    return np.arange(int(top / spacing + 0.5) + 1) * spacing


@functools.cache
def overlap(sample_rate: int, pitch: float = 1.0) -> np.ndarray:
    """float32[R,F]: the fraction of FFT bin f (one bin spacing wide) that lies in used row r.

    At a `pitch` other than 1 row edges are that much higher, and so fewer rows may be in band.
    """
    spacing = sample_rate / window_length(sample_rate)
    centre_F = bin_hz(sample_rate, pitch)
    edges = pitch * np.array(row_edges()[: rows_used(sample_rate) + 1])
    edges = edges[edges <= sample_rate / 2]
    low_R, high_R = edges[:-1, None], edges[1:, None]
    shared = np.minimum(high_R, centre_F + spacing / 2) - np.maximum(low_R, centre_F - spacing / 2)
    return np.clip(shared / spacing, 0, None).astype(np.float32)


@functools.lru_cache(maxsize=256)
def row_means(sample_rate: int, pitch: float, bins: int) -> np.ndarray:
    """float32[bins,R]: the matrix that averages FFT bins over rows `pitch` times higher."""
    overlap_RF = overlap(sample_rate, pitch)
    means_FR = np.zeros((bins, len(overlap_RF)), np.float32)
    shared = min(bins, overlap_RF.shape[1])
    means_FR[:shared] = (overlap_RF / overlap_RF.sum(1, keepdims=True)).T[:shared]
    return means_FR


def hann(n: int) -> np.ndarray:
    """float32[n]: the periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)).astype(np.float32)
