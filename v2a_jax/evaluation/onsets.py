"""When things sound: an onset detector, and its F1 against the true event times.

With L the log-mel spectrum in dB, the novelty is o[k] = mean_b max(0, L[k,b] - L[k-2,b]); an onset
is a peak of o that stands 3 dB over the running median. Detections and events are matched one to
one, in order, within a tolerance; F1 = 2 matched / (detected + true), summed over clips.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.ndimage import median_filter
from scipy.optimize import linear_sum_assignment
from scipy.signal import find_peaks

from v2a_jax.evaluation.spectral import decibels, mel_power
from v2a_jax.types import Event

HOP = 0.005
BANDS = 40
SPAN_DB = 70.0
THRESHOLD_DB = 3.0
MEDIAN_FRAMES = 41  # +-100 ms
GAP_FRAMES = 12  # 60 ms between onsets
LOOK_AHEAD = 0.006  # a centred window sees an onset this early; measured on impacts and bounces
MERGE_SECONDS = 0.080  # closer events are heard, and counted, as one


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnsetMatch:
    """Onsets of one clip against its events; errors are detected - true seconds of each pair."""

    errors: np.ndarray
    detected: int
    true: int

    @property
    def matched(self) -> int:
        return len(self.errors)

    @property
    def f1_terms(self) -> tuple[float, float]:
        """Numerator and denominator of F1: sums over clips give the micro average."""
        return 2.0 * self.matched, float(self.detected + self.true)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnsetSummary:
    """Micro averages over clips; errors are signed seconds, NaN where nothing matched."""

    precision: float
    recall: float
    f1: float
    mean_error: float
    std_error: float


def novelty(wave_N: np.ndarray, sample_rate: int) -> np.ndarray:
    """Rise of the log-mel spectrum over 10 ms, in dB: float[T] every 5 ms."""
    power_TM = mel_power(wave_N, sample_rate=sample_rate, bands=BANDS, hop=HOP)
    level_TM = decibels(power_TM, span=SPAN_DB)
    rise_TM = np.maximum(level_TM[2:] - level_TM[:-2], 0.0)
    return np.concatenate([np.zeros(2), rise_TM.mean(axis=1)])


def detect_onsets(wave_N: np.ndarray, sample_rate: int) -> np.ndarray:
    """Times of the onsets of one channel, in seconds, ascending."""
    novelty_T = novelty(wave_N, sample_rate)
    height_T = median_filter(novelty_T, MEDIAN_FRAMES, mode="nearest") + THRESHOLD_DB
    peaks, _ = find_peaks(novelty_T, height=height_T, distance=GAP_FRAMES)
    return peaks * HOP + LOOK_AHEAD


def event_times(events: Sequence[Event]) -> np.ndarray:
    """On-screen event times, ascending; one that follows another within 80 ms is merged into it."""
    kept: list[float] = []
    for time in sorted(event.time for event in events if event.onscreen):
        if not kept or time - kept[-1] >= MERGE_SECONDS:
            kept.append(time)
    return np.asarray(kept)


def match_onsets(detected_D: np.ndarray, true_E: np.ndarray, tolerance: float) -> OnsetMatch:
    """Matches as many onsets as possible within `tolerance` seconds, then with least error.

    The cost is the squared error: being convex, its best assignment never crosses, so the matching
    is monotone as well as one to one.
    """
    cost_DE = (np.subtract.outer(detected_D, true_E) / tolerance) ** 2
    # A small slack keeps an error of exactly the tolerance inside it despite rounding.
    near_DE = cost_DE <= 1.0 + 1e-9
    unmatched = 2.0 + min(cost_DE.shape)
    rows, columns = linear_sum_assignment(np.where(near_DE, cost_DE, unmatched))
    pairs = near_DE[rows, columns]
    errors = detected_D[rows[pairs]] - true_E[columns[pairs]]
    return OnsetMatch(errors=errors, detected=len(detected_D), true=len(true_E))


def summarise(matches: Sequence[OnsetMatch]) -> OnsetSummary:
    """Micro precision, recall and F1 over clips, and the spread of the timing errors."""
    matched = sum(match.matched for match in matches)
    detected = sum(match.detected for match in matches)
    true = sum(match.true for match in matches)
    errors = np.concatenate([match.errors for match in matches]) if matched else np.array([np.nan])
    return OnsetSummary(
        precision=matched / max(detected, 1),
        recall=matched / max(true, 1),
        f1=2.0 * matched / max(detected + true, 1),
        mean_error=float(errors.mean()),
        std_error=float(errors.std()),
    )
