"""Tables say what was found, and targets are met only where they are."""

import numpy as np
from marking import calibration, pieces, targets
from marking.attacks import registry
from marking.tables import Verdict, share, table, verdicts


def _rows(attack, hits, rate=48000):
    return [{"attack": attack, "rate": rate, "found": hit} for hit in hits]


def _verdict(rows):
    (verdict,) = targets.judge(rows)
    return verdict


def test_shares_are_never_rounded_up_to_all():
    assert share([True] * 10).startswith("100 (72.2")
    assert share([True] * 9999 + [False]).startswith("99.9 ")
    assert share([]) == "–"


def test_a_target_is_met_where_the_worst_attack_meets_it():
    fine, bad = _rows("MP3 32", [True] * 100), _rows("AAC 32", [True] * 90 + [False] * 10)
    assert _verdict(fine).passed
    both = _verdict(fine + bad)
    assert not both.passed and "AAC 32: 90.0 %" in both.measured and "95.0" in both.measured


def test_low_rates_have_targets_of_their_own():
    hits = [True] * 85 + [False] * 15
    assert not _verdict(_rows("crop 1 s", hits)).passed
    assert _verdict(_rows("crop 1 s", hits, rate=16000)).passed


def test_every_target_names_attacks_that_exist():
    known = {name for group in registry().values() for name in group}
    made = {f"{other}, {db} dB" for other in ("music", "original track") for db in (0, -6, -12)}
    named = {attack for target in targets.targets() for attack in target.attacks}
    assert named <= known | made | {"neural codec"}


def test_calibration_counts_pairs():
    row = {"sort": "noise", "rate": 16000, "seconds": 1.0, "stretched": False}
    row["log10_p"] = [0.0] * 998 + [-3.5, -7.0]
    assert calibration.shares([row])["all"] == [1000, 0.002, 0.002, 0.001, 0.001]
    assert [verdict.passed for verdict in calibration.judge([row])] == [False, False]
    row["log10_p"] = [0.0] * 1000
    assert all(verdict.passed for verdict in calibration.judge([row]))


def test_borders_count_only_where_a_piece_was_found():
    def row(length, found, border):
        return {"rate": 48000, "length": length, "found": found, "border_ms": border}

    rows = [row(length, True, [10.0, 20.0]) for length in pieces.LENGTHS] + [row(1, False, [])]
    judged = {verdict.row: verdict for verdict in pieces.judge(rows)}
    assert judged["4 s marked in 60 s, 48000 Hz"].passed
    assert not judged["1 s marked in 60 s, 48000 Hz"].passed
    assert judged["median border error, 48000 Hz"].measured == "15 ms"


def test_tables_are_markdown():
    assert table(("a", "b"), [(1, 0.12345)]) == "| a | b |\n| --- | --- |\n| 1 | 0.123 |"
    line = verdicts([Verdict(row="x", target="y", measured="z", passed=False)])
    assert line.endswith("| x | y | z | **fail** |")
    assert np.isnan(pieces._border([]))
