"""Sentences about a sound, from what is measured in it; unsure ones are left unsaid.

A statement whose measure x lies beyond its threshold a is believed to s((x - a) / w), the logistic
function of the distance in widths w; what is told of several things is as sure as their product.
It tells no events: an event is something seen or known to be unseen, and the ear cannot tell.
"""

import dataclasses
import math

import librosa
import numpy as np
import scipy.ndimage
import scipy.stats

from data_pipelines.annotate.hearing import HOP, Heard, listen
from data_pipelines.annotate.protocol import Annotation, View
from data_pipelines.world import words

ORIGIN = "describe"
SURE = 0.7  # below which nothing is said
_SHORTEST = 0.1  # seconds of sound that can be measured
_HEARD_ALL = 0.95  # share of the world's clips in which this counts all, when all seems sure
_COUNTED = 10  # hits; of more, the number is "about"


@dataclasses.dataclass(frozen=True)
class Statement:
    """A sentence, or a part of one, and how sure it is: 0..1."""

    text: str
    confidence: float


@dataclasses.dataclass(frozen=True)
class Describer:
    """Describes the sound alone; deterministic."""

    def annotate(self, view: View) -> Annotation:
        """See `Annotator`."""
        if view.audio is None or len(view.audio) < _SHORTEST * view.sample_rate:
            return Annotation(origin=ORIGIN)
        short, sentences = describe(listen(view.audio, view.sample_rate))
        if not sentences:
            return Annotation(origin=ORIGIN)
        return Annotation(
            origin=ORIGIN,
            confidence=round(math.prod(one.confidence for one in sentences), 3),
            captions={"full": " ".join(one.text for one in sentences), "short": short},
            statements=tuple((one.text, round(one.confidence, 3)) for one in sentences),
        )


def describe(heard: Heard) -> tuple[str, list[Statement]]:
    """The short wording, and sentences of which each is sure by itself; none where none is."""
    silent = Statement("Silence.", _beyond(-60 - heard.level_T.max(), 0, 3))
    if silent.confidence >= SURE:
        return "silence", [silent]
    hits = _hits(heard)
    if hits.confidence >= SURE:
        found = [hits, _rhythm(heard.onset_E), _pitch(heard, "They ring")]
        found.append(_course(heard.peak_E, "They grow louder.", "They grow softer."))
    elif heard.sounding > 0.5:
        level_T = scipy.ndimage.median_filter(heard.level_T, round(0.5 / HOP), mode="nearest")
        found = [_sustained(heard), _pitch(heard, "It sounds"), _level(level_T)]
    else:
        found = [_pitch(heard, "The pitch is heard")]
    found.append(Statement("All of it is faint.", _beyond(-45 - heard.level_T.max(), 0, 3)))
    sentences = [one for one in found if one.confidence >= SURE]
    return (sentences[0].text[0].lower() + sentences[0].text[1:-1] if sentences else ""), sentences


def _beyond(value: float, threshold: float, width: float) -> float:
    """How sure it is that a measure lies beyond its threshold."""
    return float(1 / (1 + np.exp(np.clip((threshold - value) / width, -50, 50))))


def _hits(heard: Heard) -> Statement:
    """How many hits there are, with the adjectives that are sure.

    All onsets must rise from what was before, and fall soon; and any other peak of the level may be
    a hit as well.
    """
    count = len(heard.onset_E)
    if not count:
        return Statement("", 0.0)
    margin_E = np.minimum(heard.rise_E - 9, heard.fall_E - 6)
    taken = [_beyond(margin, 0, 1) for margin in margin_E]
    passed = [_beyond(12, stands_out, 2) for stands_out in heard.other_P]
    sure = _HEARD_ALL * math.prod(taken + passed)
    attack = float(np.median(heard.attack_E))
    sharp = _sure(("sharp", _beyond(0.045, attack, 0.007)), ("soft", _beyond(attack, 0.06, 0.01)))
    told = [one for one in (*sharp, *_brightness(heard)) if sure * one.confidence >= SURE]
    number = words.number(count) if count <= _COUNTED else f"about {count}"
    phrase = f"{', '.join(one.text for one in told)} {words.plural('sound', count)}".strip()
    sure *= math.prod(one.confidence for one in told)
    return Statement(f"{number} {phrase}.".capitalize(), sure)


def _sure(*choices: tuple[str, float]) -> list[Statement]:
    """Those of the choices that are sure."""
    return [Statement(*choice) for choice in choices if choice[1] >= SURE]


def _brightness(heard: Heard) -> list[Statement]:
    return _sure(
        ("dull", _beyond(700, heard.centroid, 80)), ("bright", _beyond(heard.centroid, 2500, 200))
    )


def _sustained(heard: Heard) -> Statement:
    """What a sound that goes on is: a tone, noise, or neither for sure."""
    noun = _sure(
        ("tone", _beyond(heard.voiced, 0.75, 0.05)),
        ("noise", _beyond(heard.flatness, 0.25, 0.05) * (1 - heard.voiced)),
    )
    kind = noun or [Statement("sound", 1.0)]
    told = [*_brightness(heard), *kind]
    phrase = words.a("sustained " + " ".join(one.text for one in told))
    sure = _beyond(heard.sounding, 0.75, 0.05) * math.prod(one.confidence for one in told)
    return Statement(f"{phrase}.".capitalize(), sure)


def _rhythm(onset_E: np.ndarray) -> Statement:
    """Regular, faster and faster, or irregular; of fewer than four hits nothing."""
    gap_E = np.diff(onset_E)
    if len(gap_E) < 3:
        return Statement("", 0.0)
    spread = float(gap_E.std() / gap_E.mean())
    trend = _trend(gap_E)
    quicker = _beyond(-trend, 0.8, 0.05) * _beyond(gap_E[0] / gap_E[-1], 1.4, 0.1)
    rate = f"{1 / gap_E.mean():.1f}".removesuffix(".0")
    return max(
        Statement(f"They come regularly, about {rate} a second.", _beyond(0.1, spread, 0.025)),
        Statement("They come faster and faster.", quicker),
        Statement("They come irregularly.", _beyond(spread, 0.2, 0.03) * (1 - quicker)),
        key=lambda one: one.confidence,
    )


def _pitch(heard: Heard, begin: str) -> Statement:
    """A steady pitch, a glide, or the span it moves in; as sure as it is the pitch all the time."""
    pitch_V = heard.pitch_V
    if len(pitch_V) < 5:
        return Statement("", 0.0)
    low, middle, high = np.percentile(pitch_V, (10, 50, 90))
    tenth = max(1, len(pitch_V) // 10)
    first, last = np.median(pitch_V[:tenth]), np.median(pitch_V[-tenth:])
    glide = _beyond(abs(_trend(pitch_V)), 0.9, 0.02) * _beyond(abs(last - first), 2, 0.5)
    voiced = _beyond(heard.voiced, 0.75, 0.05)
    way = "up" if last > first else "down"
    return max(
        Statement(f"{begin} {_where(middle)}.", voiced * _beyond(1.0, high - low, 0.2)),
        Statement(f"The pitch glides {way} from {_note(first)} to {_note(last)}.", voiced * glide),
        Statement(
            f"The pitch moves between {_note(low)} and {_note(high)}.",
            voiced * _beyond(high - low, 3.0, 0.5) * (1 - glide),
        ),
        key=lambda one: one.confidence,
    )


def _where(pitch: float) -> str:
    place = "low, " if pitch < 48 else "high, " if pitch > 84 else ""
    return f"{place}at about {_note(pitch)}"


def _note(pitch: float) -> str:
    return librosa.midi_to_note(round(pitch), unicode=False)


def _level(level_T: np.ndarray) -> Statement:
    """Swelling, fading or staying level."""
    low, high = np.percentile(level_T, (5, 95))
    even = Statement("It stays at one level.", _beyond(3.0, high - low, 0.5))
    course = _course(level_T, "It swells.", "It fades.")
    return max(even, course, key=lambda one: one.confidence)


def _course(level_T: np.ndarray, rising: str, falling: str) -> Statement:
    """Which way the level goes, in dB from the first fifth to the last."""
    if len(level_T) < 4:
        return Statement("", 0.0)
    fifth = max(1, len(level_T) // 5)
    change = float(np.median(level_T[-fifth:]) - np.median(level_T[:fifth]))
    sure = _beyond(abs(change), 6, 1) * _beyond(abs(_trend(level_T)), 0.8, 0.05)
    return Statement(rising if change > 0 else falling, sure)


def _trend(values: np.ndarray) -> float:
    """Spearman's correlation with the order: 1 rising, -1 falling; 0 when all are the same."""
    if np.ptp(values) == 0:
        return 0.0
    return float(scipy.stats.spearmanr(np.arange(len(values)), values).statistic)
