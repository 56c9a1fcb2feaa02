import math

import numpy as np
import pytest

from v2a_jax.watermark import grid, search
from v2a_jax.watermark.key import PILOT, Key
from v2a_jax.watermark.payload import codewords
from v2a_jax.watermark.search import Evidence, Window
from v2a_jax.watermark.statistic import Searcher, log_p_value
from v2a_jax.watermark.stretch import IDENTITY

ROWS = 42
WINDOW = Window(kind=search.WHOLE, first=0, last=0)


def _signs(pattern, payload, cells, offset):
    """float[T,R]: what the payload sends from the pattern's cell `offset` on."""
    sent = np.append(codewords()[payload], 1)
    at = (offset + np.arange(cells)) % grid.PERIOD
    return (pattern.signs * sent[pattern.slots])[at, :ROWS].astype(np.float32)


@pytest.mark.parametrize("cells", [60, 300, 2500])
def test_a_planted_pattern_is_found_where_it_is(key, cells):
    rng = np.random.default_rng(cells)
    noise = rng.standard_normal((8, cells, ROWS)).astype(np.float32)
    noise[6] += 0.5 * _signs(key.pattern(), 0xBEEF, cells, 1000)
    (match,) = search.search(WINDOW, noise, [Searcher(key)])
    assert (match.payload, match.offset, match.ear, match.start) == (0xBEEF, 1000, 1, 2.0)
    assert match.log_p < math.log(1e-9)


def test_noiseless_evidence_gives_the_bound_of_its_statistic(key):
    """With y = w, T is the root of the number of cells, so the p-value is known."""
    planted = np.zeros((8, 40, ROWS), np.float32)
    planted[0] = _signs(key.pattern(), 7, 40, 3)
    (match,) = search.search(WINDOW, planted, [Searcher(key)])
    pilots = (key.pattern().slots[3:43, :ROWS] == PILOT).sum()
    hypotheses = 2 * 8 * grid.PERIOD
    expected = min(
        log_p_value(math.sqrt(40 * ROWS), hypotheses << 16),
        log_p_value(math.sqrt(pilots), hypotheses),
    )
    assert match.log_p == pytest.approx(expected)


def test_log_p_value_neither_underflows_nor_exceeds_one():
    assert log_p_value(-5.0, 1) == log_p_value(0.0, 10) == 0.0
    assert log_p_value(1000.0, 1 << 30) == pytest.approx(-500_000, rel=1e-3)
    assert log_p_value(8.0, 100) == pytest.approx(log_p_value(8.0, 1) + math.log(100))


def test_the_bound_covers_signed_sums_of_few_and_unequal_terms():
    """P(Σ ε·a ≥ t) over all 2^12 signs, for vectors a of unit length."""
    signs = 1 - 2 * (np.arange(1 << 12)[:, None] >> np.arange(12) & 1)
    rng = np.random.default_rng(0)
    for sparse in (1, 2, 5, 12):
        a = np.zeros(12)
        a[:sparse] = rng.uniform(0.1, 1, sparse)
        sums = signs @ (a / np.linalg.norm(a))
        for t in np.unique(sums[sums > 0])[::50]:
            chance = np.mean(sums >= t - 1e-12)
            assert chance <= math.exp(log_p_value(t, 1)) * (1 + 1e-9)


@pytest.mark.slow
def test_unmarked_sound_under_many_keys_keeps_to_the_bound(impacts, monkeypatch):
    monkeypatch.setattr(search, "PROMISING", 0.0)
    cells = [
        Evidence(impacts(seed, 2), 16000).cells(IDENTITY, 0, 374, search.PHASES)
        for seed in range(3)
    ]
    rng = np.random.default_rng(0)
    searchers = [Searcher(Key(rng.bytes(32))) for _ in range(40)]
    found = [search.search(WINDOW, one, searchers) for one in cells]
    log_p = np.array([match.log_p for matches in found for match in matches])
    assert log_p.size == 120
    for level in (0.3, 0.1, 0.03):
        # Three standard deviations of chance above the level promised.
        limit = level + 3 * math.sqrt(level / log_p.size)
        assert np.mean(log_p <= math.log(level)) <= limit
    assert log_p.min() > math.log(1e-6)
    assert log_p.max() <= 0
