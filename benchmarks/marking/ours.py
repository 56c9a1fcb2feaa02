"""The watermark under test: the one place where the benchmark marks and detects."""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Callable, Sequence

import jax
import numpy as np

from v2a_jax.watermark import search
from v2a_jax.watermark.chapter import counted
from v2a_jax.watermark.detect import CLAIM, Detection, detect, detect_blocks
from v2a_jax.watermark.embed import embed
from v2a_jax.watermark.grid import CELL_SECONDS, PERIOD, rows_total
from v2a_jax.watermark.key import PILOT, Key, Pattern
from v2a_jax.watermark.mask import DepthConfig
from v2a_jax.watermark.payload import PAYLOAD_BITS, codewords, to_bits
from v2a_jax.watermark.search import Evidence
from v2a_jax.watermark.statistic import CONSTANT, STATISTICS, Searcher
from v2a_jax.watermark.stream import mark, mark_blocks
from v2a_jax.watermark.stretch import IDENTITY

__all__ = [
    "CELL_SECONDS",
    "CLAIM",
    "PAYLOAD_BITS",
    "PERIOD",
    "DepthConfig",
    "Guess",
    "Key",
    "Outcome",
    "detect",
    "detect_blocks",
    "ears",
    "embedder",
    "heard",
    "log10_p_values",
    "mark",
    "mark_blocks",
    "outcome",
    "throwaway_key",
    "true_signs",
    "whole_hypotheses",
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """Whether the mark was found, and the wrong bits of its payload where one was read."""

    found: bool
    bit_errors: int | None
    log10_p: float


def outcome(found: Detection, payload: int) -> Outcome:
    """What a detection says of sound that carries `payload`."""
    read = found.payload is not None
    return Outcome(
        found=found.watermarked,
        bit_errors=(found.payload ^ payload).bit_count() if read else None,
        log10_p=math.log10(found.p_value),
    )


def throwaway_key(*name: object) -> Key:
    """A key of the benchmark's own, always the same for a name."""
    return Key(hashlib.sha256(repr(name).encode()).digest())


def log10_p_values(
    wave: np.ndarray, keys: Sequence[str], sample_rate: int, *, stretched: bool
) -> list[float]:
    """log10 of the p-value of each throwaway key alone, the evidence being shared by all.

    For sound of one chapter; `stretched` says whether changes of tempo and pitch are searched too.
    """
    searchers = [_searcher(name) for name in keys]
    best = {searcher.key_id: 0.0 for searcher in searchers}
    evidence = Evidence(wave, sample_rate)
    matches, searched = search.search_windows(evidence, searchers, whole=True)
    if stretched:
        matches += search.search_stretched(evidence, searchers, 0, evidence.frames)
        searched.update(search.STRATA)
    for match in matches:
        log_p = counted(match.log_p, match.window.kind, searched)
        best[match.searcher.key_id] = min(best[match.searcher.key_id], log_p)
    return [log_p / math.log(10) for log_p in best.values()]


@functools.lru_cache(maxsize=256)
def _searcher(name: str) -> Searcher:
    return Searcher(throwaway_key(name))


def embedder(key: Key, rate: int, depth: DepthConfig) -> Callable[[np.ndarray], np.ndarray]:
    """Marks whole waves float32[N,C] as the sampler does: compiled, the pattern at hand."""
    compiled = jax.jit(functools.partial(embed, sample_rate=rate, depth=depth))
    pattern, bits = jax.device_put(key.pattern()), to_bits(0)
    return lambda wave_NC: np.asarray(compiled(wave_NC, pattern, bits))


class Guess:
    """Signs float[K,R] that an adversary takes to be a key's: marks as a key would."""

    def __init__(self, signs_KR: np.ndarray) -> None:
        self._signs_KR = np.zeros((PERIOD, rows_total()), np.int8)
        self._signs_KR[:, : signs_KR.shape[1]] = np.where(signs_KR < 0, -1, 1)

    def pattern(self) -> Pattern:
        """All cells pilots, so that the payload says nothing."""
        return Pattern(signs=self._signs_KR, slots=np.full_like(self._signs_KR, PILOT))


def ears(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """float32[2,T,R]: what each ear says of the sign of each cell of a wave."""
    evidence = Evidence(wave, sample_rate)
    return evidence.cells(IDENTITY, 0, evidence.frames, 1)


def heard(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """float32[T,R]: what each cell of a wave says of its sign, as anyone can compute it."""
    return ears(wave, sample_rate)[0]


def whole_hypotheses() -> float:
    """What the chance of a T is multiplied by, where a clip is searched as a whole."""
    tried = STATISTICS * search.tried(search.WHOLE) * PERIOD << PAYLOAD_BITS
    return CONSTANT * tried / math.exp(search.log_shares()[search.WHOLE])


def true_signs(key: Key, payload: int) -> np.ndarray:
    """int[K,R]: the signs that a key and payload put into the cells."""
    pattern = key.pattern()
    sent = np.append(codewords()[payload], 1)
    return np.asarray(pattern.signs) * sent[np.asarray(pattern.slots, int)]
