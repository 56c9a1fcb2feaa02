"""Two runs of the same evaluation, clip by clip: is one better, or were its clips easier?

The difference of a figure has a bootstrap interval over the clips that both answered. Its p-value
is of a permutation test: were the two alike, each clip's two answers could be exchanged (Fisher
1935; Edgington and Onghena 2007).
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.evaluation.bootstrap import difference, estimate, percentile_interval, ratio
from v2a_jax.evaluation.scores import Answers, Sampling

ANSWERS, PROTOCOL = "answers.npz", "protocol.json"  # in the folder of an evaluation


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """A figure in two runs: second - first, its interval, and the p-value of no difference."""

    first: float
    second: float
    low: float
    high: float
    p_value: float
    n: int

    @property
    def difference(self) -> float:
        """How much more the second has."""
        return self.second - self.first


def write_answers(answers: Mapping[str, Answers], path: Path) -> None:
    """One .npz of arrays, ids as text."""
    arrays = {}
    for name, answer in answers.items():
        arrays[f"{name}.clips"] = np.asarray(answer.clips, str)
        arrays[f"{name}.terms"] = answer.terms
    np.savez_compressed(path, **arrays)


def read_answers(path: Path) -> dict[str, Answers]:
    """Reads what `write_answers` wrote; UserError for anything else."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
        names = [name.removesuffix(".terms") for name in arrays if name.endswith(".terms")]
        return {
            name: Answers(
                clips=tuple(map(str, arrays[f"{name}.clips"])), terms=arrays[f"{name}.terms"]
            )
            for name in names
        }
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds
        raise UserError(f"{path}: not the answers of an evaluation") from error


def compare(
    first: Mapping[str, Answers], second: Mapping[str, Answers], sampling: Sampling
) -> dict[str, Comparison]:
    """Each figure that both have, on the clips that both have; UserError where there is none."""
    results = {}
    for name in sorted(first.keys() & second.keys()):
        common = sorted(set(first[name].clips) & set(second[name].clips))
        if common:
            pairs = [_rows(run[name], common) for run in (first, second)]
            results[name] = _compare(*pairs, sampling)
    if not results:
        raise UserError("the two evaluations have no figure on the same clips in common")
    return results


def _rows(answers: Answers, clips: list[str]) -> np.ndarray:
    place = {clip: row for row, clip in enumerate(answers.clips)}
    return answers.terms[[place[clip] for clip in clips]]


def _compare(first_N2: np.ndarray, second_N2: np.ndarray, sampling: Sampling) -> Comparison:
    rows_N4 = np.concatenate([second_N2, first_N2], axis=1)
    low, high = percentile_interval(rows_N4, difference(ratio), **vars(sampling))
    return Comparison(
        first=estimate(first_N2, ratio),
        second=estimate(second_N2, ratio),
        low=low,
        high=high,
        p_value=_p_value(first_N2, second_N2, sampling),
        n=len(first_N2),
    )


def _p_value(first_N2: np.ndarray, second_N2: np.ndarray, sampling: Sampling) -> float:
    """Share of exchanges, the one that is among them, that differ as much or more."""
    exchanged_RN = np.random.default_rng(sampling.seed).random((sampling.resamples, len(first_N2)))
    swap_RN = (exchanged_RN < 0.5).astype(float)
    change_N2 = second_N2 - first_N2
    one_R2 = first_N2.sum(axis=0) + swap_RN @ change_N2
    other_R2 = second_N2.sum(axis=0) - swap_RN @ change_N2
    observed = abs(estimate(second_N2, ratio) - estimate(first_N2, ratio))
    differences_R = np.abs(ratio(other_R2) - ratio(one_R2))
    # NaN where an exchange leaves no denominator: it counts as one that differs as much.
    as_much = ~(differences_R < observed - 1e-12)
    return float((1 + as_much.sum()) / (1 + len(differences_R)))


def format_comparison(results: Mapping[str, Comparison], confidence: float) -> str:
    """Plain text, a line a figure."""
    width = max(map(len, results))
    lines = [
        f"{'metric'.ljust(width)}      first     second       difference "
        f"({confidence:.0%} interval)        p     n"
    ]
    for name, one in results.items():
        span = f"{one.low:+.3f} .. {one.high:+.3f}"
        lines.append(
            f"{name.ljust(width)} {one.first:10.3f} {one.second:10.3f} {one.difference:+10.3f} "
            f"({span:>18}) {one.p_value:8.4f} {one.n:5d}"
        )
    return "\n".join(lines)
