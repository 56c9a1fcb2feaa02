"""What an impact sounds made of: shrinkage LDA on the 350 ms that follow a known event time.

Features are a 24-band log-mel spectrum in 7 slices of 50 ms, with its mean taken off so that
loudness says nothing. Linear discriminant: score_c(x) = x . S^-1 m_c - m_c . S^-1 m_c / 2 + log p_c
with the pooled covariance shrunk towards its mean variance, S = (1 - a) C + a tr(C)/D I (Friedman
1989, "Regularized discriminant analysis").
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from v2a_jax.evaluation.spectral import decibels, mel_power
from v2a_jax.types import Event

BANDS = 24
SLICES = 7
FRAMES_PER_SLICE = 5
HOP = 0.010
SPAN_DB = 60.0
AFTER_SECONDS = SLICES * FRAMES_PER_SLICE * HOP  # the window must hold this event alone
BEFORE_SECONDS = 0.150  # and the ringing of the one before it must have decayed somewhat


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaterialClassifier:
    """Linear discriminants: names of M materials, weights float[D,M], biases float[M]."""

    names: tuple[str, ...]
    weights: np.ndarray
    biases: np.ndarray

    def classify(self, features_ED: np.ndarray) -> list[str]:
        """The most likely material of each event."""
        best = (features_ED @ self.weights + self.biases).argmax(axis=1)
        return [self.names[index] for index in best]


def judged_events(events: Sequence[Event], seconds: float) -> list[Event]:
    """On-screen events with a material whose 350 ms window is inside the clip and theirs alone."""
    times = np.array([event.time for event in events])

    def alone(event: Event) -> bool:
        gaps = times - event.time
        close = (gaps > -BEFORE_SECONDS) & (gaps < AFTER_SECONDS)
        return close.sum() == 1 and event.time + AFTER_SECONDS <= seconds

    return [event for event in events if event.onscreen and event.material and alone(event)]


def features(wave_N: np.ndarray, sample_rate: int, times: Sequence[float]) -> np.ndarray:
    """Features float[E,D] of the sound after each of E times in seconds, from one channel.

    Beyond the end of the sound is silence; a time before its beginning counts as its beginning.
    """
    rows = [_after(wave_N, sample_rate, time) for time in times]
    return np.reshape(rows, (len(times), SLICES * BANDS))


def _after(wave_N: np.ndarray, sample_rate: int, time: float) -> np.ndarray:
    start = max(round(time * sample_rate), 0)
    window_N = np.zeros(round(AFTER_SECONDS * sample_rate), np.float32)
    heard_N = wave_N[start : start + len(window_N)]
    window_N[: len(heard_N)] = heard_N
    power_TM = mel_power(window_N, sample_rate=sample_rate, bands=BANDS, hop=HOP)
    slices_SFM = power_TM[: SLICES * FRAMES_PER_SLICE].reshape(SLICES, FRAMES_PER_SLICE, BANDS)
    level_D = decibels(slices_SFM.mean(axis=1), span=SPAN_DB).ravel()
    return level_D - level_D.mean()


def train_material(
    features_ED: np.ndarray, materials: Sequence[str], *, shrinkage: float
) -> MaterialClassifier:
    """Fits the discriminants; `shrinkage` in (0, 1] is how far the covariance is made spherical."""
    names, classes_E = np.unique(np.asarray(materials, dtype=str), return_inverse=True)
    counts_M = np.bincount(classes_E)
    means_MD = np.stack([features_ED[classes_E == m].mean(axis=0) for m in range(len(names))])
    centred_ED = features_ED - means_MD[classes_E]
    covariance_DD = centred_ED.T @ centred_ED / max(len(features_ED) - len(names), 1)
    sphere_DD = np.eye(features_ED.shape[1]) * np.trace(covariance_DD) / features_ED.shape[1]
    shrunk_DD = (1.0 - shrinkage) * covariance_DD + shrinkage * sphere_DD
    weights_DM = np.linalg.solve(shrunk_DD, means_MD.T)
    priors_M = np.log(counts_M / counts_M.sum())
    biases_M = priors_M - 0.5 * np.einsum("md,dm->m", means_MD, weights_DM)
    return MaterialClassifier(names=tuple(map(str, names)), weights=weights_DM, biases=biases_M)


def chance_level(materials: Sequence[str]) -> float:
    """Accuracy of always naming the most frequent material."""
    _, counts = np.unique(np.asarray(materials, dtype=str), return_counts=True)
    return float(counts.max() / counts.sum())
