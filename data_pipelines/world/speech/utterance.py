"""Words laid out in time: which sound when, and what the mouth does meanwhile."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d

from data_pipelines.world.curves import HZ, Curve, times
from data_pipelines.world.speech.lexicon import PRONOUNCED
from data_pipelines.world.speech.phones import PHONES, Mouth, Phone

_PAUSE = 0.07  # s between words
_SLUR = 0.022  # s: deviation of the Gaussian by which the mouth goes from shape to shape
_SMALL_WORDS = ("the", "is", "and")
_CLOSED = Mouth(aperture=0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Segment:
    """A phone from start to end, in seconds."""

    phone: Phone
    start: float
    end: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Utterance:
    """Words as (word, start, end) and their phones, all of it within the clip."""

    words: tuple[tuple[str, float, float], ...]
    segments: tuple[Segment, ...]

    @property
    def transcript(self) -> str:
        """The words, with spaces between."""
        return " ".join(word for word, _, _ in self.words)

    @property
    def phonemes(self) -> tuple[tuple[str, float, float], ...]:
        """(IPA, start, end)."""
        return tuple((part.phone.ipa, part.start, part.end) for part in self.segments)


def lay_out(words: Sequence[str], start: float, pace: float, seconds: float) -> Utterance:
    """As many of `words` as fit between `start` and `seconds`, and at least one.

    `pace` divides the length of every sound. Nothing ends in the middle of a phrase.
    """
    words = _up_to_a_phrase(words, start, pace, seconds)
    said: list[tuple[str, float, float]] = []
    segments: list[Segment] = []
    time = start
    for word in words:
        parts, end = _word(word, time, pace)
        segments += parts
        said.append((word, time, min(end, seconds)))
        time = end + _pause(word, pace)
    return Utterance(
        words=tuple(said),
        segments=tuple(
            dataclasses.replace(part, end=min(part.end, seconds))
            for part in segments
            if part.start < seconds
        ),
    )


def _up_to_a_phrase(
    words: Sequence[str], start: float, pace: float, seconds: float
) -> Sequence[str]:
    time, kept = start, 0
    for place, word in enumerate(words, 1):
        time = _word(word, time, pace)[1]
        if time > seconds - 0.05:
            break
        time += _pause(word, pace)
        kept = kept if word in _SMALL_WORDS else place
    return words[: max(kept, 1)]


def _pause(word: str, pace: float) -> float:
    """Seconds between a word and the next."""
    return (0.3 if word in _SMALL_WORDS else 1.0) * _PAUSE / pace


def _word(word: str, time: float, pace: float) -> tuple[list[Segment], float]:
    parts = []
    for place, name in enumerate(PRONOUNCED[word]):
        phone = PHONES[name]
        length = phone.seconds / pace
        if place == 0:  # the lips were closed before: a word begins with what is heard
            length -= phone.closed / pace
            phone = dataclasses.replace(phone, closed=0.0)
        parts.append(Segment(phone=phone, start=time, end=time + length))
        time += length
    return parts, time


def mouth_curves(segments: Sequence[Segment], seconds: float) -> dict[str, Curve]:
    """How `Mouth`'s fields change: held in each phone, with soft changes."""
    time_K = times(seconds)
    closed = dataclasses.asdict(_CLOSED)
    held = {name: np.full(len(time_K), value) for name, value in closed.items()}
    for part in segments:
        first, last = (np.searchsorted(time_K, t) for t in (part.start, part.end))
        for name, value in dataclasses.asdict(part.phone.mouth).items():
            held[name][first:last] = value
    return {
        name: Curve(values=gaussian_filter1d(values, _SLUR * HZ, mode="nearest"))
        for name, values in held.items()
    }
