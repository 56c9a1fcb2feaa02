"""Two runs are compared on the clips that both have; a difference has a right p-value."""

import numpy as np
import pytest

from v2a_jax.errors import UserError
from v2a_jax.evaluation.comparison import (
    compare,
    format_comparison,
    read_answers,
    write_answers,
)
from v2a_jax.evaluation.scores import Answers, Sampling

SAMPLING = Sampling(resamples=400, confidence=0.95, seed=0)


def hits(rate: float, seed: int, n: int = 60) -> Answers:
    values = np.random.default_rng(seed).random(n) < rate
    return Answers(
        clips=tuple(f"clip/{k}" for k in range(n)),
        terms=np.stack([values.astype(float), np.ones(n)], axis=1),
    )


def test_a_clear_difference_is_found_with_its_sign():
    one = compare({"hit": hits(0.2, 0)}, {"hit": hits(0.9, 1)}, SAMPLING)["hit"]
    assert one.p_value < 0.01
    assert 0 < one.low < one.difference < one.high
    other = compare({"hit": hits(0.9, 1)}, {"hit": hits(0.2, 0)}, SAMPLING)["hit"]
    assert other.difference == pytest.approx(-one.difference)


def test_equal_runs_do_not_differ():
    one = compare({"hit": hits(0.5, 3)}, {"hit": hits(0.5, 3)}, SAMPLING)["hit"]
    assert (one.difference, one.low, one.high, one.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_p_values_of_runs_that_are_alike_are_spread_evenly():
    sampling = Sampling(resamples=200, confidence=0.95, seed=0)
    pairs = [({"hit": hits(0.5, 2 * k)}, {"hit": hits(0.5, 2 * k + 1)}) for k in range(150)]
    p_values = [compare(*pair, sampling)["hit"].p_value for pair in pairs]
    assert np.mean(np.array(p_values) <= 0.1) < 0.18
    assert np.mean(np.array(p_values) <= 0.5) > 0.3


def test_clips_are_paired_by_name_and_the_others_left_out():
    first = hits(0.5, 0, 20)
    order = np.random.default_rng(0).permutation(20)[:12]
    second = Answers(clips=tuple(first.clips[k] for k in order), terms=first.terms[order])
    one = compare({"hit": first, "gone": first}, {"hit": second}, SAMPLING)["hit"]
    assert (one.n, one.difference) == (12, 0.0)


def test_nothing_in_common_is_named():
    with pytest.raises(UserError, match="in common"):
        compare({"hit": hits(0.5, 0)}, {"other": hits(0.5, 0)}, SAMPLING)


def test_answers_come_back_from_their_file(tmp_path):
    write_answers({"hit": hits(0.5, 0)}, tmp_path / "answers.npz")
    back = read_answers(tmp_path / "answers.npz")["hit"]
    assert back.clips == hits(0.5, 0).clips
    np.testing.assert_array_equal(back.terms, hits(0.5, 0).terms)


@pytest.mark.parametrize("content", [None, b"", b"no zip", b"PK\x03\x04 broken"])
def test_another_file_is_named(tmp_path, content):
    path = tmp_path / "answers.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="not the answers"):
        read_answers(path)


def test_a_flipped_byte_is_named_or_changes_nothing(tmp_path):
    path = tmp_path / "answers.npz"
    write_answers({"hit": hits(0.5, 0)}, path)
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            read_answers(path)
        except UserError as error:
            assert "not the answers" in str(error)


def test_table_has_a_line_a_figure():
    results = compare({"hit": hits(0.2, 0)}, {"hit": hits(0.9, 1)}, SAMPLING)
    assert format_comparison(results, 0.95).splitlines()[1].startswith("hit ")
