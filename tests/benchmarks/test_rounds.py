import pytest
from rounds import Spread, in_turns, ratio


def test_every_work_is_done_once_a_round_and_none_is_always_first():
    done = []
    seconds = in_turns({name: lambda name=name: done.append(name) for name in "abc"}, 4)
    assert [sorted(done[k : k + 3]) for k in range(0, 12, 3)] == [["a", "b", "c"]] * 4
    assert {done[k] for k in range(0, 12, 3)} == {"a", "c"}
    assert all(len(times) == 4 for times in seconds.values())


def test_a_ratio_is_taken_round_by_round():
    # A machine that is three times slower in one round changes nothing.
    assert ratio([2.0, 6.0, 2.0], [1.0, 3.0, 1.0]) == Spread(2.0, 2.0, 2.0)


@pytest.mark.parametrize("values", [[3.0], [3.0, 1.0, 2.0, 4.0, 5.0]])
def test_a_spread_is_told_from_low_to_high(values):
    spread = Spread.of(values)
    assert min(values) <= spread.low <= spread.median == 3.0 <= spread.high <= max(values)
