"""What is asked of a voice: are its words the right ones, and in time with the lips?"""

from collections.abc import Sequence

import numpy as np

from v2a_jax.evaluation import lips
from v2a_jax.evaluation.clips import Clip
from v2a_jax.evaluation.examination import Examination, Figure
from v2a_jax.evaluation.words import Recogniser, error_terms

LAG_SECONDS = 0.040  # earlier or later is noticed


def words(recogniser: Recogniser) -> Examination:
    """`word_error_rate`: of clips whose words the recogniser all knows."""
    known = set(recogniser.names)

    def terms(sound_N: np.ndarray, clip: Clip) -> Sequence[float]:
        said = recogniser.words(sound_N, clip.sample_rate)
        return error_terms(said, [word for word, _, _ in clip.words])

    return Examination(
        figures={"word_error_rate": Figure(over=0, under=1, unit="share", ideal=0.0)},
        needs="with speech alone, of words that the recogniser knows",
        asks=lambda clip: _speaks(clip) and known.issuperset(word for word, _, _ in clip.words),
        terms=terms,
    )


def lip_sync() -> Examination:
    """`lip_lag`: share of the clips within 40 ms; `lip_correlation`: mean r with no shift."""

    def terms(sound_N: np.ndarray, clip: Clip) -> Sequence[float]:
        hz, aperture_K = clip.curves["aperture"]
        lag, likeness = lips.match_lips(sound_N, clip.sample_rate, np.asarray(aperture_K), hz)
        return abs(lag) <= LAG_SECONDS, 1.0, likeness

    return Examination(
        figures={
            "lip_lag": Figure(over=0, under=1, unit="share", ideal=1.0),
            "lip_correlation": Figure(over=2, under=1, unit="r", ideal=1.0),
        },
        needs="with speech alone and a mouth that is seen",
        asks=lambda clip: _speaks(clip) and "aperture" in clip.curves,
        terms=terms,
    )


def _speaks(clip: Clip) -> bool:
    return clip.labels == ("speech",) and bool(clip.words)
