"""Pairs of things with similar codes among many, without comparing each with all.

The codes are sorted; those with the same leading bits then lie side by side, and each is compared
with the few that follow it. Sorted again with the bits rotated, other bits lead: a pair is missed
only when each sorting puts it apart. M. Charikar, "Similarity Estimation Techniques from Rounding
Algorithms", STOC 2002.
"""

import numpy as np

ROTATIONS = (0, 16, 32, 48)
FOLLOWING = 12
NEAR_BITS = 14  # of 64: unlike codes with equal leading bits differ in 22 +- 3 of the others


def similar_pairs(codes_E: np.ndarray, owners_E: np.ndarray) -> np.ndarray:
    """Pairs int64[P,2], each once, lower first, of owners that have nearly a code uint64 in common.

    O(E log E) for E codes, whatever they are; FOLLOWING bounds what a code costs that all have.
    """
    found = [np.zeros((0, 2), np.int64)]
    for rotation in ROTATIONS:
        turned_E = _rotated(codes_E, rotation)
        order_E = np.lexsort((owners_E, turned_E))
        codes, owners = codes_E[order_E], owners_E[order_E]
        for step in range(1, min(FOLLOWING, len(codes) - 1) + 1):
            near = np.bitwise_count(codes[step:] ^ codes[:-step]) <= NEAR_BITS
            near &= owners[step:] != owners[:-step]
            pairs_P2 = np.stack([owners[:-step][near], owners[step:][near]], axis=1)
            found.append(np.unique(np.sort(pairs_P2, axis=1), axis=0))
    return np.unique(np.concatenate(found), axis=0)


def _rotated(codes_E: np.ndarray, bits: int) -> np.ndarray:
    if bits == 0:
        return codes_E
    return codes_E << np.uint64(bits) | codes_E >> np.uint64(64 - bits)
