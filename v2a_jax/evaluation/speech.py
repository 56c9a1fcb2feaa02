"""What is asked of a voice: is it the face's, are its words right, and in time with the lips?"""

from collections.abc import Sequence

import numpy as np

from v2a_jax.evaluation import lips, pitch
from v2a_jax.evaluation.clips import Clip, has_face
from v2a_jax.evaluation.examination import SHARE, Examination, Figure
from v2a_jax.evaluation.words import Recogniser, error_terms

LAG_SECONDS = 0.040  # earlier or later is noticed
VOICE_HZ = (60.0, 400.0)
NEAR_CENTS = 200.0  # one voice's own range: what the face does not tell


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
        asks=lambda clip: _speaks(clip) and has_face(clip),
        terms=terms,
    )


def voice() -> Examination:
    """`voice_pitch`: share of the clips whose median pitch is within 2 semitones of the speaker's.

    Heard by YIN, mostly where there are vowels: they are what is loud.
    """

    def terms(sound_N: np.ndarray, clip: Clip) -> Sequence[float]:
        _, heard_T = pitch.track(sound_N, clip.sample_rate, low=VOICE_HZ[0], high=VOICE_HZ[1])
        if not np.isfinite(heard_T).any():
            return 0.0, 1.0
        away = pitch.cents(np.nanmedian(heard_T), np.median(_pitches(clip)))
        return abs(away) <= NEAR_CENTS, 1.0

    return Examination(
        figures={"voice_pitch": SHARE},
        needs="with speech alone, of a known pitch",
        asks=lambda clip: has_face(clip) and bool(_pitches(clip)),
        terms=terms,
    )


def _pitches(clip: Clip) -> list[float]:
    """The speaker's mean pitch in Hz, once for each word."""
    return [event.f1 for event in clip.events if event.kind == "speech" and event.f1]


def _speaks(clip: Clip) -> bool:
    return clip.labels == ("speech",) and bool(clip.words)
