import numpy as np
import pytest

from v2a_jax.watermark.chapter import chapters
from v2a_jax.watermark.detect import detect, detect_blocks
from v2a_jax.watermark.segments import marked_runs

RATE = 16000


def _bed(seed, seconds):
    rng = np.random.default_rng(seed)
    swell = 1 + 0.5 * np.sin(np.arange(seconds * RATE) / 3000)
    return (0.05 * swell * rng.standard_normal(seconds * RATE)).astype(np.float32)[:, None]


def test_runs_are_where_cells_agree():
    rng = np.random.default_rng(0)
    marked = np.zeros(400, bool)
    marked[50:150] = marked[200:390] = True
    energy = rng.uniform(20, 40, 400)
    agreement = 0.3 * energy * marked + np.sqrt(energy) * rng.standard_normal(400)
    runs = marked_runs(agreement, energy, 0.3)
    np.testing.assert_allclose(runs, [[50, 150], [200, 390]], atol=4)


@pytest.mark.parametrize("sign", [1, -1])
def test_all_or_nothing(sign):
    energy = np.full(100, 30.0)
    assert marked_runs(sign * 0.3 * energy, energy, 0.3) == ([[0, 100]] if sign > 0 else [])


def test_borders_of_marked_pieces_are_found(mark, key):
    """Also of a piece that lies across the border of two chapters, at 32 s."""
    wave = _bed(0, 45)
    mixed, errors = wave.copy(), []
    pieces = [(3, 5), (9, 12), (17, 21), (29, 36)]
    marked = mark(wave, offset=400)
    for start, end in pieces:
        mixed[start * RATE : end * RATE] = marked[start * RATE : end * RATE]
    found = detect(mixed, key, sample_rate=RATE).segments
    assert len(found) == len(pieces)
    for segment, (start, end) in zip(found, pieces, strict=True):
        errors += [abs(segment.start - start), abs(segment.end - end)]
        assert segment.p_value <= 1e-6
    assert np.median(errors) <= 0.05 and max(errors) < 0.6


def test_pieces_of_two_payloads_are_told_apart(mark, key):
    wave = _bed(1, 24)
    mixed = wave.copy()
    mixed[2 * RATE : 8 * RATE] = mark(wave[2 * RATE : 8 * RATE], payload=1, offset=900)
    mixed[14 * RATE : 20 * RATE] = mark(wave[14 * RATE : 20 * RATE], payload=2, offset=5)
    found = detect(mixed, key, sample_rate=RATE).segments
    assert [segment.payload for segment in found] == [1, 2]


def test_blocks_give_what_the_whole_gives(impacts, mark, key):
    wave = np.concatenate([_bed(3, 30), mark(impacts(1, 12)), _bed(4, 3)])
    whole = detect(wave, key, sample_rate=RATE)
    assert whole.watermarked
    blocks = np.array_split(wave, 37)
    assert detect_blocks(iter(blocks), key, sample_rate=RATE) == whole


def test_chapters_are_examined_as_they_come(key):
    """A stream is not gathered before it is searched."""
    pulled, seen = 0, []

    def blocks():
        nonlocal pulled
        for _ in range(100):
            pulled += 1
            yield np.zeros((RATE, 1), np.float32)

    for one in chapters(blocks(), RATE):
        seen.append((pulled, len(one.wave) / RATE))
    assert seen[0][0] <= 41 and max(seconds for _, seconds in seen) <= 40
