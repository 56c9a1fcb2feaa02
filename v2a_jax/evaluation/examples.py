"""The clips a report shows: their frames, what they should sound like, and what they do."""

import dataclasses

import numpy as np

from v2a_jax.evaluation.clips import negative_prompt
from v2a_jax.evaluation.soundtracks import Soundtracks
from v2a_jax.types import Event


@dataclasses.dataclass(frozen=True, kw_only=True)
class Track:
    """One soundtrack: what it is, the words it was made with, and its sound float32[N,C]."""

    title: str
    words: str
    audio: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    """One clip, uint8[F,H,W,3] at `fps`, with soundtracks of equal length at `sample_rate`."""

    name: str
    frames: np.ndarray
    fps: float
    sample_rate: int
    caption: str
    events: tuple[Event, ...]
    tracks: tuple[Track, ...]

    @property
    def seconds(self) -> float:
        return len(self.tracks[0].audio) / self.sample_rate


def choose_examples(tracks: Soundtracks, count: int) -> list[Example]:
    """Up to `count` clips: each combination of sounds once before any comes again."""
    seen: dict[tuple[str, ...], int] = {}
    rounds = []
    for position, clip in enumerate(tracks.clips):
        rounds.append((seen.setdefault(clip.labels, 0), position))
        seen[clip.labels] += 1
    chosen = sorted(position for _, position in sorted(rounds)[:count])
    return [_example(tracks, position) for position in chosen]


def _example(tracks: Soundtracks, position: int) -> Example:
    clip = tracks.clips[position]
    caption = clip.captions.get("full", "")
    against = f"prompt: {caption}; negative: {negative_prompt(clip)}"
    shown = (
        ("True sound", "", tracks.true),
        ("Codec round trip", "", tracks.round_trip),
        ("Generated", f"prompt: {caption}", tracks.prompted),
        ("Generated, no prompt", "", tracks.unprompted),
        ("Generated, negative prompt", against, tracks.negative),
    )
    return Example(
        name=clip.provenance,
        frames=clip.video,
        fps=clip.fps,
        sample_rate=tracks.sample_rate,
        caption=caption,
        events=clip.events,
        tracks=tuple(
            Track(title=title, words=words, audio=sounds[position])
            for title, words, sounds in shown
            if position in sounds
        ),
    )


def track_named(example: Example, title: str) -> Track:
    """The track of that title; raises KeyError where the example has none."""
    return {track.title: track for track in example.tracks}[title]


def evenly(frames: np.ndarray, count: int) -> np.ndarray:
    """`count` frames, each the middle one of its share of the clip."""
    middles = (np.arange(count) + 0.5) * len(frames) / count
    return frames[middles.astype(int)]
