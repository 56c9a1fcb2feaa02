"""What is asked of sounds that go on: do they follow what is seen, moment by moment?

Only clips with one sound are asked: of a mixture, level and pitch are nobody's.
"""

from collections.abc import Callable, Sequence

import numpy as np

from v2a_jax.evaluation import melody, pitch, tracking
from v2a_jax.evaluation.clips import Clip
from v2a_jax.evaluation.examination import SHARE, Examination, Figure
from v2a_jax.evaluation.onsets import detect_onsets
from v2a_jax.evaluation.spectral import mono

ENGINE_HZ = (28.0, 400.0)
QUIET_DB = -50.0  # of full scale: louder is not silence
CHANGE = 1.5  # between the least and the most of a curve that can be followed


def examinations() -> tuple[Examination, ...]:
    """Of every class that has something to follow."""
    return (
        engine(),
        rain(),
        scrape(),
        roll(),
        notes(),
        tempo(),
        silence(),
    )


def rain() -> Examination:
    """`rain_correlation`: of its level in dB with the logarithm of the drops a second."""
    return level_follows("rain", "density", tracking.log_level, np.log)


def scrape() -> Examination:
    """`scrape_correlation`: of its level with the stick's speed."""
    return level_follows("scrape", "speed", tracking.level, np.abs)


def roll() -> Examination:
    """`roll_correlation`: of its level with the ball's speed."""
    return level_follows("roll", "speed", tracking.level, np.abs)


def only(label: str, curve: str) -> Callable[[Clip], bool]:
    """Clips in which that sounds and nothing else does, where it is known how."""
    return lambda clip: clip.labels == (label,) and curve in clip.curves


def engine() -> Examination:
    """`engine_pitch`: share of the time within 50 cents; `engine_octaves`: an octave off."""

    def terms(sound_N: np.ndarray, clip: Clip) -> Sequence[float]:
        hz, f0_K = clip.curves["f0"]
        heard = pitch.track(sound_N, clip.sample_rate, low=ENGINE_HZ[0], high=ENGINE_HZ[1])
        match = pitch.match_pitch(*heard, np.asarray(f0_K), hz)
        return match.near, match.frames, match.octaves

    return Examination(
        figures={
            "engine_pitch": SHARE,
            "engine_octaves": Figure(over=2, under=1, unit="share", ideal=0.0),
        },
        needs="with the sound of an engine alone",
        asks=only("engine", "f0"),
        terms=terms,
    )


def level_follows(
    label: str, curve: str, level: Callable, scale: Callable[[np.ndarray], np.ndarray]
) -> Examination:
    """`{label}_correlation`: mean r of `level` with `scale` of a curve."""

    def terms(sound_N: np.ndarray, clip: Clip) -> Sequence[float]:
        hz, values = clip.curves[curve]
        level_T = level(sound_N, clip.sample_rate)
        truth_T = tracking.resample(scale(np.asarray(values)), hz, len(level_T))
        return tracking.correlation(level_T, truth_T), 1.0

    return Examination(
        figures={f"{label}_correlation": Figure(over=0, under=1, unit="r", ideal=1.0)},
        needs=f"with the sound of {label} alone, and changing",
        asks=lambda clip: only(label, curve)(clip) and _changes(clip.curves[curve][1]),
        terms=terms,
    )


def _changes(values: Sequence[float]) -> bool:
    """Of what is steady, nothing can follow the changes."""
    return max(values) > CHANGE * min(values)


def notes() -> Examination:
    """`note_accuracy`: share of the notes within 50 cents of the right pitch, in any key."""
    return Examination(
        figures={"note_accuracy": SHARE},
        needs="with music alone, of four notes or more",
        asks=lambda clip: clip.labels == ("music",) and len(_notes(clip)) >= melody.FEWEST_NOTES,
        terms=lambda sound_N, clip: melody.note_terms(sound_N, clip.sample_rate, _notes(clip)),
    )


def _notes(clip: Clip) -> list:
    return melody.judged_notes(clip.events, len(clip.audio) / clip.sample_rate)


def tempo() -> Examination:
    """`tempo_accuracy`: share of the melodies within 4 % of the tempo."""

    def bpm(clip: Clip) -> float:
        times = [event.time for event in clip.events if event.kind == "music"]
        return 60.0 / float(np.median(np.diff(times)))

    return Examination(
        figures={"tempo_accuracy": SHARE},
        needs="with music alone, of three notes or more",
        asks=lambda clip: clip.labels == ("music",) and len(clip.events) > 2,
        terms=lambda sound_N, clip: (
            melody.keeps_tempo(melody.tempo(sound_N, clip.sample_rate), bpm(clip)),
            1.0,
        ),
    )


def silence() -> Examination:
    """`silence_kept`: share of the silent clips below -50 dB; `silence_onsets`: of each of them."""

    def terms(sound_N: np.ndarray, clip: Clip) -> Sequence[float]:
        quiet = is_quiet(sound_N, clip.sample_rate)
        return quiet, 1.0, 0 if quiet else len(detect_onsets(sound_N, clip.sample_rate))

    return Examination(
        figures={
            "silence_kept": SHARE,
            "silence_onsets": Figure(over=2, under=1, unit="onsets", ideal=0.0),
        },
        needs="without any sound, and one with",
        asks=lambda clip: is_quiet(mono(clip.audio), clip.sample_rate),
        terms=terms,
        unlike=True,
    )


def is_quiet(sound_N: np.ndarray, sample_rate: int) -> bool:
    """Whether nothing can be heard at any time."""
    return bool(tracking.log_level(sound_N, sample_rate).max() < QUIET_DB)
