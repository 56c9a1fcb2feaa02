"""What words are said: a recogniser of connected words by templates, and the word error rate.

One-pass dynamic programming (Bridle, Brown and Chamberlain 1982; Ney 1984): each word is one or
more templates of cepstra; a path moves through a template by 0, 1 or 2 of its frames per frame of
the sound, and from the end of any template to the beginning of any other, at a price. A template
of one frame of silence takes the pauses. In-world only: it knows the voices of its templates.
"""

import dataclasses
from collections.abc import Sequence

import librosa
import numpy as np
from scipy.fft import dct

from v2a_jax.evaluation.spectral import decibels, mel_power

HOP = 0.010  # s
BANDS = 26
CEPSTRA = 12
SPAN_DB = 60.0
DELTA_FRAMES = 5
PENALTY = 8.0  # of beginning a word, in units of one frame's distance
PAUSE = ""  # the template of silence


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recogniser:
    """Templates: the word of each of W, frames float32[W,J,D] padded at the end, lengths [W]."""

    names: tuple[str, ...]
    frames: np.ndarray
    lengths: np.ndarray

    def words(self, wave_N: np.ndarray, sample_rate: int) -> list[str]:
        """The words of one channel, in order."""
        return _best_path(features(wave_N, sample_rate), self)


def features(wave_N: np.ndarray, sample_rate: int) -> np.ndarray:
    """Cepstra and their slopes, each of mean 0 and variance 1 over the sound: float32[T,24]."""
    power_TM = mel_power(wave_N, sample_rate=sample_rate, bands=BANDS, hop=HOP)
    cepstra_TC = dct(decibels(power_TM, span=SPAN_DB), norm="ortho", axis=1)[:, : CEPSTRA + 1]
    width = min(DELTA_FRAMES, len(cepstra_TC) - (len(cepstra_TC) + 1) % 2)
    slope_TC = librosa.feature.delta(cepstra_TC, width=max(width, 3), axis=0, mode="nearest")
    both_TD = np.concatenate([cepstra_TC[:, 1:], slope_TC[:, 1:]], axis=1)
    return ((both_TD - both_TD.mean(axis=0)) / (both_TD.std(axis=0) + 1e-3)).astype(np.float32)


def make_recogniser(spoken: Sequence[tuple[str, np.ndarray]]) -> Recogniser:
    """From (word, cepstra float[T,D]) of each example; `PAUSE` names those of silence."""
    length = max(len(frames_TD) for _, frames_TD in spoken)
    padded = [np.pad(x, ((0, length - len(x)), (0, 0))) for _, x in spoken]
    return Recogniser(
        names=tuple(word for word, _ in spoken),
        frames=np.stack(padded).astype(np.float32),
        lengths=np.array([len(frames_TD) for _, frames_TD in spoken]),
    )


def _distances(features_TD: np.ndarray, frames_WJD: np.ndarray) -> np.ndarray:
    """Euclidean distance of every frame of the sound to every frame of the templates: [T,W,J]."""
    flat_ND = frames_WJD.reshape(-1, frames_WJD.shape[-1])
    squared = (
        np.square(features_TD).sum(1)[:, None]
        + np.square(flat_ND).sum(1)
        - 2 * features_TD @ flat_ND.T
    )
    return np.sqrt(np.maximum(squared, 0)).reshape(len(features_TD), *frames_WJD.shape[:2])


def _best_path(features_TD: np.ndarray, recogniser: Recogniser) -> list[str]:
    distance_TWJ = _distances(features_TD, recogniser.frames)
    words, length = distance_TWJ.shape[1:]
    last_W = recogniser.lengths - 1
    pauses_W = np.array([name == PAUSE for name in recogniser.names])
    price_W = np.where(pauses_W, 0.0, PENALTY)
    cost_WJ = np.full((words, length + 2), np.inf)  # two columns before the first frame
    began_WJ = np.zeros((words, length + 2), int)
    ended, word_T, began_T = 0.0, [], []
    for time, distance_WJ in enumerate(distance_TWJ):
        options = np.stack([cost_WJ[:, 2 - k : length + 2 - k] for k in range(3)])
        origins = np.stack([began_WJ[:, 2 - k : length + 2 - k] for k in range(3)])
        enter_W = ended + price_W
        fresh_W = enter_W < options[0, :, 0]
        options[0, :, 0] = np.minimum(options[0, :, 0], enter_W)
        origins[0, fresh_W, 0] = time
        chosen_WJ = options.argmin(axis=0)[None]
        cost_WJ[:, 2:] = np.take_along_axis(options, chosen_WJ, 0)[0] + distance_WJ
        began_WJ[:, 2:] = np.take_along_axis(origins, chosen_WJ, 0)[0]
        ends_W = cost_WJ[np.arange(words), last_W + 2]
        best = int(ends_W.argmin())
        ended = ends_W[best]
        word_T.append(best)
        began_T.append(int(began_WJ[best, last_W[best] + 2]))
    return _trace(word_T, began_T, recogniser.names)


def _trace(word_T: Sequence[int], began_T: Sequence[int], names: Sequence[str]) -> list[str]:
    """From the last frame back to the first, from each word's end to the end of the one before."""
    time, said = len(word_T) - 1, []
    while time >= 0:
        said.append(names[word_T[time]])
        time = began_T[time] - 1
    return [word for word in reversed(said) if word != PAUSE]


def edits(said: Sequence[str], true: Sequence[str]) -> int:
    """Least number of words to insert, delete or replace (Levenshtein)."""
    row = list(range(len(true) + 1))
    for count, word in enumerate(said, 1):
        diagonal, row[0] = row[0], count
        for k, other in enumerate(true, 1):
            diagonal, row[k] = row[k], min(row[k] + 1, row[k - 1] + 1, diagonal + (word != other))
    return row[-1]


def error_terms(said: Sequence[str], true: Sequence[str]) -> tuple[float, float]:
    """Edits and true words: sums over clips give the word error rate."""
    return float(edits(said, true)), float(len(true))
