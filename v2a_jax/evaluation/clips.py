"""The held-out clips as evaluation sees them: cut to the model's length, or listed as failures."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.types import Event

SUDDEN = ("impact", "bounce", "music")  # events that are heard to begin


class Clip(Protocol):
    """The fields of a dataset record that judges read; any dataclass that has them will do.

    video uint8[F,H,W,3] at fps, audio float32[N,C] at sample_rate; `captions` may have the
    keys "full", "short", and "onscreen" and "offscreen", either alone of what is heard; `negatives`
    name only sounds that it lacks; `labels` are the classes heard; `words` are (word,
    start, end) and `curves` (hz, values at k / hz seconds) by name; `meta` may have the "factors"
    of a procedural clip; `provenance` is an id.
    """

    video: np.ndarray | None
    fps: float
    audio: np.ndarray | None
    sample_rate: int
    captions: Mapping[str, str]
    negatives: tuple[str, ...]
    transcript: str
    labels: tuple[str, ...]
    events: tuple[Event, ...]
    words: tuple[tuple[str, float, float], ...]
    curves: Mapping[str, tuple[float, Sequence[float]]]
    meta: Mapping[str, Any]
    provenance: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failure:
    """A sound that could not be judged as it came: of which clip and condition, and why."""

    clip: str
    condition: str
    reason: str


def off_screen(clip: Clip) -> tuple[str, ...]:
    """Classes heard in a clip that nothing visible makes."""
    return tuple(sorted({event.kind for event in clip.events if not event.onscreen}))


def on_screen(clip: Clip) -> tuple[str, ...]:
    """Its other classes."""
    return tuple(name for name in clip.labels if name not in off_screen(clip))


def has_onsets(clip: Clip) -> bool:
    """Whether all that is seen to sound does so at once, and something does."""
    kinds = {event.kind for event in clip.events if event.onscreen}
    return bool(kinds) and kinds.issubset(SUDDEN)


def is_timed(clip: Clip) -> bool:
    """Whether every sound begins with an event that is seen."""
    return has_onsets(clip) and not off_screen(clip)


def has_face(clip: Clip) -> bool:
    """Whether a mouth is seen whose voice alone is heard."""
    return clip.labels == ("speech",) and "aperture" in clip.curves


def negative_prompt(clip: Clip) -> str:
    """The bare caption of a clip's off-screen sounds, or else their names."""
    return clip.captions.get("offscreen") or " and ".join(off_screen(clip))


def cut_clips(
    clips: Sequence[Clip], *, fps: float, sample_rate: int, seconds: float
) -> tuple[tuple[Clip, ...], tuple[Failure, ...]]:
    """Clips shortened to `seconds`, and a failure for each that has no such picture and sound.

    Raises UserError where a clip's frame or sample rate differs from the ones asked for.
    """
    frames, samples = round(seconds * fps), round(seconds * sample_rate)
    usable, failures = [], []
    for clip in clips:
        if clip.video is None or clip.audio is None:
            failures.append(
                Failure(clip=clip.provenance, condition="truth", reason="no picture or no sound")
            )
            continue
        if (clip.fps, clip.sample_rate) != (fps, sample_rate):
            raise UserError(
                f"clip {clip.provenance}: {clip.fps} fps and {clip.sample_rate} Hz, but the model "
                f"works at {fps} fps and {sample_rate} Hz"
            )
        if len(clip.video) < frames or len(clip.audio) < samples:
            failures.append(
                Failure(clip=clip.provenance, condition="truth", reason=f"shorter than {seconds} s")
            )
            continue
        usable.append(_cut(clip, frames, samples, seconds))
    return tuple(usable), tuple(failures)


def _cut(clip: Clip, frames: int, samples: int, seconds: float) -> Clip:
    """The beginning of a clip, and of what is known of it what is true of that."""
    events = tuple(event for event in clip.events if event.time < seconds)
    later = {event.kind for event in clip.events} - {event.kind for event in events}
    words = tuple(word for word in clip.words if word[2] <= seconds)
    told = clip.transcript if len(clip.video) == frames else ""
    return dataclasses.replace(
        clip,
        video=clip.video[:frames],
        audio=clip.audio[:samples],
        events=events,
        labels=tuple(label for label in clip.labels if label not in later),
        words=words,
        transcript=" ".join(word for word, _, _ in words) if clip.words else told,
    )
