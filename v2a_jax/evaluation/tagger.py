"""Which classes are heard in a clip: one logistic regression per class on summary features.

Features (232 at 40 bands): per mel band the mean, deviation, maximum and mean rise of the level in
dB, and the modulation spectrum (0.5-40 Hz) of 8 groups of bands. A class is detected when its
score exceeds a threshold set on validation clips that lack it, at a chosen false-positive rate.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from v2a_jax.evaluation.spectral import decibels, mel_power

BANDS = 40
GROUPS = 8
HOP = 0.010
SPAN_DB = 60.0
MODULATION_EDGES_HZ = np.geomspace(0.5, 40.0, 10)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tagger:
    """Standardisation (mean, scale float[D]), logistic weights [D,K], biases and thresholds [K]."""

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    biases: np.ndarray
    thresholds: np.ndarray

    def scores(self, waves: Sequence[np.ndarray], sample_rate: int) -> np.ndarray:
        """Log odds float[B,K] of each class in each one-channel clip."""
        features_BD = np.stack([features(wave_N, sample_rate) for wave_N in waves])
        return (features_BD - self.mean) / self.scale @ self.weights + self.biases

    def detect(self, waves: Sequence[np.ndarray], sample_rate: int) -> np.ndarray:
        """Which classes are heard: bool[B,K]."""
        return self.scores(waves, sample_rate) > self.thresholds


def features(wave_N: np.ndarray, sample_rate: int) -> np.ndarray:
    """Summary of one channel of any length: float[232]."""
    power_TM = mel_power(wave_N, sample_rate=sample_rate, bands=BANDS, hop=HOP)
    level_TM = decibels(power_TM, span=SPAN_DB)
    rise_M = np.maximum(np.diff(level_TM, axis=0), 0.0).mean(axis=0)
    shape = [level_TM.mean(axis=0), level_TM.std(axis=0), level_TM.max(axis=0), rise_M]
    return np.concatenate([*shape, _modulation(level_TM)])


def _modulation(level_TM: np.ndarray) -> np.ndarray:
    """Log energy of the level's fluctuations in 9 octave-like bands, for 8 groups of mel bands."""
    grouped_TG = level_TM.reshape(len(level_TM), GROUPS, -1).mean(axis=2)
    energy_FG = np.abs(np.fft.rfft(grouped_TG - grouped_TG.mean(axis=0), axis=0)) ** 2
    band_F = np.digitize(np.fft.rfftfreq(len(level_TM), HOP), MODULATION_EDGES_HZ)
    bands = range(1, len(MODULATION_EDGES_HZ))
    energies = [energy_FG[band_F == band].sum(axis=0) / len(level_TM) ** 2 for band in bands]
    return np.log10(np.concatenate(energies) + 1e-4)


def targets(labels: Sequence[Sequence[str]], names: Sequence[str]) -> np.ndarray:
    """Whether each clip carries each class: bool[B,K]."""
    return np.array([[name in clip for name in names] for clip in labels])


def fit_logistic(
    inputs_BD: np.ndarray, targets_BK: np.ndarray, *, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Independent logistic regressions, sum of log losses + penalty/2 |w|^2: weights, biases."""
    width, classes = inputs_BD.shape[1], targets_BK.shape[1]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights_DK, biases_K = flat[:-classes].reshape(width, classes), flat[-classes:]
        logits_BK = inputs_BD @ weights_DK + biases_K
        value = (np.logaddexp(0.0, logits_BK) - targets_BK * logits_BK).sum()
        value += 0.5 * penalty * (weights_DK**2).sum()
        residual_BK = 0.5 * (1.0 + np.tanh(0.5 * logits_BK)) - targets_BK
        slope_DK = inputs_BD.T @ residual_BK + penalty * weights_DK
        return value, np.concatenate([slope_DK.ravel(), residual_BK.sum(axis=0)])

    start = np.zeros((width + 1) * classes)
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    return best[:-classes].reshape(width, classes), best[-classes:]


def separable(*label_sets: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Classes of the first set of clips that are absent somewhere in every set."""
    present = {name for clip in label_sets[0] for name in clip}
    constant = {name for clips in label_sets for name in present if all(name in c for c in clips)}
    return tuple(sorted(present - constant))


def train_tagger(
    names: Sequence[str],
    train_BD: np.ndarray,
    train_BK: np.ndarray,
    validation_BD: np.ndarray,
    validation_BK: np.ndarray,
    *,
    penalty: float,
    false_positive_rate: float,
) -> Tagger:
    """Fits a tagger of `names` to features [B,D] and presences bool[B,K].

    Each threshold is the score that `false_positive_rate` of the validation clips without the class
    exceed, and never below even odds; every class must be absent from some of them.
    """
    mean_D, scale_D = train_BD.mean(axis=0), train_BD.std(axis=0) + 1e-3
    weights_DK, biases_K = fit_logistic((train_BD - mean_D) / scale_D, train_BK, penalty=penalty)
    scores_BK = (validation_BD - mean_D) / scale_D @ weights_DK + biases_K
    thresholds = [
        max(0.0, float(np.quantile(scores_B[~present_B], 1.0 - false_positive_rate)))
        for scores_B, present_B in zip(scores_BK.T, validation_BK.T, strict=True)
    ]
    return Tagger(
        names=tuple(names),
        mean=mean_D,
        scale=scale_D,
        weights=weights_DK,
        biases=biases_K,
        thresholds=np.array(thresholds),
    )
