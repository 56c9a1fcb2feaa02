"""How sure a figure is: percentile bootstrap over clips, and Wilson's interval for rates.

Clips are the independent draws, so clips are resampled, never events. Each clip gives a row of
additive terms (matched and counted events, hits and trials); a statistic is a function of their
sums, which makes a micro average, a ratio of rates and a mean the same thing (Efron 1979;
Wilson 1927).
"""

from collections.abc import Callable

import numpy as np
from scipy.stats import norm

Statistic = Callable[[np.ndarray], np.ndarray]  # sums float[...,K] -> float[...]


def ratio(sums: np.ndarray) -> np.ndarray:
    """Term 0 over term 1 of float[...,2]; NaN where the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[..., 1] != 0, sums[..., 0] / sums[..., 1], np.nan)


def estimate(rows_NK: np.ndarray, statistic: Statistic) -> float:
    """The statistic of all clips together."""
    return float(statistic(np.asarray(rows_NK, float).sum(axis=0)))


def percentile_interval(
    rows_NK: np.ndarray, statistic: Statistic, *, resamples: int, confidence: float, seed: int
) -> tuple[float, float]:
    """Percentile bootstrap interval of `statistic` over N clips with K terms each.

    Resamples in which the statistic is undefined (a zero denominator) are left out; with none
    defined, both ends are NaN.
    """
    rows_NK = np.asarray(rows_NK, float)
    clips = len(rows_NK)
    random = np.random.default_rng(seed)
    # Drawing clips with replacement is drawing how often each one counts.
    weights_RN = random.multinomial(clips, np.full(clips, 1.0 / clips), size=resamples)
    values_R = statistic(weights_RN @ rows_NK)
    values_R = values_R[np.isfinite(values_R)]
    if not len(values_R):
        return float("nan"), float("nan")
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(values_R, [tail, 1.0 - tail])
    return float(low), float(high)


def difference(statistic: Statistic) -> Statistic:
    """Paired difference: `statistic` of the first half of the terms minus that of the second.

    Both halves come from the same clips, so the difficulty of a clip cancels.
    """

    def of_sums(sums: np.ndarray) -> np.ndarray:
        half = sums.shape[-1] // 2
        return statistic(sums[..., :half]) - statistic(sums[..., half:])

    return of_sums


def quotient(statistic: Statistic) -> Statistic:
    """Paired quotient: `statistic` of the first half of the terms over that of the second."""

    def of_sums(sums: np.ndarray) -> np.ndarray:
        half = sums.shape[-1] // 2
        return ratio(np.stack([statistic(sums[..., :half]), statistic(sums[..., half:])], axis=-1))

    return of_sums


def wilson_interval(hits: float, trials: int, *, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a rate: sensible at 0 and at 1, where a bootstrap has no width."""
    z2 = float(norm.isf((1.0 - confidence) / 2.0)) ** 2
    rate = hits / trials
    centre = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = rate * (1 - rate) / trials + z2 / (4 * trials**2)
    half = np.sqrt(z2 * spread) / (1 + z2 / trials)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
