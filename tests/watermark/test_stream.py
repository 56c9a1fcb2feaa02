import tracemalloc

import jax
import numpy as np
import pytest

from v2a_jax.errors import UserError
from v2a_jax.watermark import grid
from v2a_jax.watermark.detect import detect
from v2a_jax.watermark.embed import embed
from v2a_jax.watermark.payload import to_bits
from v2a_jax.watermark.stream import PIECE_HOPS, mark, mark_blocks


def _pieces(wave, sizes):
    cuts = np.cumsum(sizes)
    return np.split(wave, cuts[cuts < len(wave)])


@pytest.mark.parametrize("rate", [16000, 24000, 44100, 48000])
def test_pieces_of_any_size_give_the_very_samples_of_the_whole(rate, impacts, key, depth):
    wave = np.concatenate([impacts(0, 7, rate), impacts(1, 7, rate)], axis=1)
    options = {"sample_rate": rate, "depth": depth, "offset": 1000}
    whole = mark(wave, key, 7, **options)
    rng = np.random.default_rng(rate)
    streamed = mark_blocks(_pieces(wave, rng.integers(0, rate, 100)), key, 7, **options)
    np.testing.assert_array_equal(np.concatenate(list(streamed)), whole)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_a_stream_is_what_the_sampler_embeds(rate, impacts, key, depth):
    wave = impacts(2, 6, rate)
    options = {"sample_rate": rate, "depth": depth, "offset": 3}
    inside = jax.jit(embed, static_argnames=("sample_rate", "depth"))(
        wave, key.pattern(), to_bits(9), **options
    )
    np.testing.assert_allclose(mark(wave, key, 9, **options), inside, atol=2e-6)


@pytest.mark.parametrize("samples", [0, 1, 83, 84, 85, 84 * PIECE_HOPS, 84 * PIECE_HOPS + 1])
def test_every_length_is_kept(samples, key, depth):
    wave = np.full((samples, 2), 0.1, np.float32)
    assert mark(wave, key, 1, sample_rate=16000, depth=depth).shape == wave.shape


def test_outputs_start_anywhere_in_the_pattern(impacts, key, depth):
    wave = impacts(3, 1)
    first, second = (mark(wave, key, 1, sample_rate=16000, depth=depth) for _ in range(2))
    assert not np.array_equal(first, second)


def test_memory_does_not_grow_with_length(key, depth):
    rng = np.random.default_rng(0)
    block = 0.1 * rng.standard_normal((48000, 2)).astype(np.float32)

    def peak(seconds):
        tracemalloc.start()
        blocks = (block for _ in range(seconds))
        for _ in mark_blocks(blocks, key, 1, sample_rate=48000, depth=depth):
            continue
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    peak(4)  # compiles
    assert peak(60) < 2 * peak(12)


@pytest.mark.slow
def test_a_long_stream_is_found_to_its_end(impacts, key, depth):
    wave = np.concatenate([impacts(seed, 10) for seed in range(5)])
    found = detect(mark(wave, key, 77, sample_rate=16000, depth=depth), key, sample_rate=16000)
    assert found.payload == 77
    assert found.segments[0].start == 0
    assert found.segments[-1].end == pytest.approx(50, abs=0.05)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([np.full((100, 1), np.nan)], "finite"),
        ([np.zeros((100, 1)), np.full((100, 1), np.inf)], "finite"),
        ([np.zeros((100, 1)), np.zeros((100, 2))], "channels"),
    ],
)
def test_bad_blocks_are_refused(blocks, message, key, depth):
    with pytest.raises(UserError, match=message):
        list(mark_blocks(blocks, key, 1, sample_rate=16000, depth=depth))


def test_a_rate_without_room_is_refused(key, depth):
    assert grid.rows_used(600) == 0
    with pytest.raises(UserError, match="600 Hz"):
        mark(np.zeros((600, 1)), key, 1, sample_rate=600, depth=depth)
