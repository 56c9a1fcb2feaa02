"""How far sound and picture are apart: the lag at which onsets and motion agree best.

With m the square root of the picture's motion and s that of the sound's onset strength, both on a
grid of 5 ms and smoothed by 40 ms, c[l] = correlation of m[t] and s[t + l]. The offset is the lag
of the highest peak; its confidence is how much higher that is than all that is over 0.12 s away,
times the root of the clip's seconds: in a short clip much agrees by chance. Clips whose sounds are
not seen, or come at even intervals, get little of it.
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from v2a_jax.evaluation.onsets import HOP, novelty
from v2a_jax.evaluation.spectral import mono

SMOOTH_SECONDS = 0.04
PEAK_SECONDS = 0.12
MAX_SECONDS = 1.0
ONSET_FLOOR_DB = 1.0  # weaker rises are the noise of the spectrum's estimate
STRONGEST = 99.0  # percentile of motion that counts at most: a cut is no motion


def offset(
    motion_F: np.ndarray, fps: float, audio_NC: np.ndarray, sample_rate: int
) -> tuple[float, float]:
    """(seconds that the sound comes late, confidence from 0 on); 0, 0 where nothing tells."""
    sound_T = np.maximum(novelty(mono(audio_NC), sample_rate) - ONSET_FLOOR_DB, 0.0)
    # The change from frame k-1 to frame k happens between their times.
    times_F = (np.arange(len(motion_F)) - 0.5) / fps
    capped_F = np.minimum(motion_F, np.percentile(motion_F, STRONGEST))
    motion_T = np.interp(np.arange(len(sound_T)) * HOP, times_F, capped_F)
    longest = round(min(MAX_SECONDS, len(sound_T) * HOP / 3) / HOP)
    agreement_L = _correlations(_smooth(motion_T), _smooth(sound_T), longest)
    best = int(agreement_L.argmax())
    away_L = np.abs(np.arange(len(agreement_L)) - best) > PEAK_SECONDS / HOP
    if not away_L.any() or agreement_L[best] <= 0:
        return 0.0, 0.0
    lead = agreement_L[best] - max(0.0, agreement_L[away_L].max())
    return (best - longest) * HOP, float(lead * np.sqrt(len(sound_T) * HOP))


def _smooth(strength_T: np.ndarray) -> np.ndarray:
    return gaussian_filter1d(np.sqrt(strength_T), SMOOTH_SECONDS / HOP)


def _correlations(one_T: np.ndarray, other_T: np.ndarray, longest: int) -> np.ndarray:
    """Correlation of one[t] and other[t + lag] for each lag in -longest..longest; 0 for none."""
    count = len(one_T)
    found = np.zeros(2 * longest + 1)
    for lag in range(-longest, longest + 1):
        a_T, b_T = (
            one_T[max(0, -lag) : count - max(0, lag)],
            other_T[max(0, lag) : count + min(0, lag)],
        )
        a_T, b_T = a_T - a_T.mean(), b_T - b_T.mean()
        size = np.sqrt(np.dot(a_T, a_T) * np.dot(b_T, b_T))
        found[lag + longest] = np.dot(a_T, b_T) / size if size > 1e-9 else 0.0
    return found
