import numpy as np
import pytest

from v2a_jax.media.blocks import Spool, exactly, sized, with_context

WAVE = np.arange(50, dtype=np.float32).reshape(25, 2)
CUTS = [[], [7], [0, 1, 1, 20], list(range(25))]


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("samples", [0, 1, 24, 25, 26, 70000])
def test_exactly_so_many_samples_come_out(cuts, samples):
    made = np.concatenate([WAVE[:0], *exactly(np.split(WAVE, cuts), samples, 2)])
    assert made.shape == (samples, 2)
    np.testing.assert_array_equal(made[:25], WAVE[:samples])
    assert not made[25:].any()


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("size", [1, 4, 25, 100])
def test_blocks_are_cut_anew(cuts, size):
    made = list(sized(np.split(WAVE, cuts), size))
    np.testing.assert_array_equal(np.concatenate(made), WAVE)
    assert {len(block) for block in made[:-1]} <= {size} and 0 < len(made[-1]) <= size


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("size, context", [(4, 3), (25, 1), (100, 30), (1, 0)])
def test_pieces_come_with_what_surrounds_them(cuts, size, context):
    padded = np.pad(WAVE, ((context, context), (0, 0)))
    pieces = list(with_context(np.split(WAVE, cuts), size, context))
    for index, piece in enumerate(pieces):
        expected = padded[index * size : (index + 1) * size + 2 * context]
        np.testing.assert_array_equal(piece, expected)
    assert len(pieces) == -(-25 // size)


def test_nothing_in_nothing_out():
    assert not list(sized([], 3)) and not list(with_context([], 3, 2))
    assert not list(with_context([WAVE[:0]], 3, 2))


def test_a_spool_gives_back_what_it_took_as_often_as_wanted_and_leaves_no_file(tmp_path):
    wave = np.random.default_rng(0).standard_normal((70001, 2)).astype("f")
    with Spool(tmp_path, 2) as spool:
        for block in np.array_split(wave, 9):
            spool.write(block)
            assert len(next(spool.blocks())) <= spool.samples
        for _ in range(2):
            np.testing.assert_array_equal(np.concatenate(list(spool.blocks())), wave)
        assert not list(tmp_path.iterdir())
