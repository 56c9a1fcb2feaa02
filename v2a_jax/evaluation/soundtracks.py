"""The soundtracks that are judged: each held-out clip generated under each condition, once.

The generator works on batches of one fixed size; the last batch is padded with its own last clip.
A clip keeps its seed under every condition, so that conditions differ by nothing but the words.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
from tqdm import tqdm

from v2a_jax.errors import UserError
from v2a_jax.evaluation.clips import Clip, Failure, cut_clips, negative_prompt, off_screen
from v2a_jax.evaluation.nearest import nearest

CONDITIONS = ("prompted", "again", "unprompted", "negative")
ANOTHER = 2**31  # added to the seed of a clip, gives it another sound


class Generator(Protocol):
    """What evaluation needs of a model: clips of one length at one frame and sample rate."""

    fps: float
    sample_rate: int
    seconds: float

    def generate_batch(
        self,
        frames: np.ndarray,
        prompts: Sequence[str],
        negative_prompts: Sequence[str],
        transcripts: Sequence[str],
        seeds: Sequence[int],
    ) -> np.ndarray:
        """Pictures uint8[B,F,H,W,3], B texts of each kind, B seeds -> float32[B,N,C]."""

    def round_trip(self, audio: np.ndarray) -> np.ndarray:
        """Codec encode and decode: float32[B,N,C] -> float32[B,N,C]."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Soundtracks:
    """float32[N,C] at `sample_rate` by position in `clips`.

    `prompted` had the full caption, `again` another seed besides. `unprompted` (no words) holds
    the clips with off-screen sound; `negative` (the full caption, and a negative prompt against the
    off-screen sounds) those of them whose caption names something else besides. `untrained` is
    empty without an untrained model, `nearest`, the sound of the training clip whose video is
    nearest, without training clips.
    """

    sample_rate: int
    clips: tuple[Clip, ...]
    true: dict[int, np.ndarray]
    round_trip: dict[int, np.ndarray]
    prompted: dict[int, np.ndarray]
    again: dict[int, np.ndarray]
    unprompted: dict[int, np.ndarray]
    negative: dict[int, np.ndarray]
    untrained: dict[int, np.ndarray]
    nearest: dict[int, np.ndarray]
    failures: tuple[Failure, ...]
    attempts: int


def render(
    generator: Generator,
    clips: Sequence[Clip],
    *,
    batch: int,
    seed: int,
    variations: int,
    untrained: Generator | None,
    training: Iterable[Clip],
    conditions: Sequence[str] = CONDITIONS,
) -> Soundtracks:
    """Generates every condition of every usable clip; raises UserError where none is usable.

    The first so many `variations` are made `again`. Of `conditions` that are not asked for there is
    no sound. `training` clips, of the same frame and sample rate, are what `nearest` looks among.
    """
    usable, unusable = cut_clips(
        clips, fps=generator.fps, sample_rate=generator.sample_rate, seconds=generator.seconds
    )
    if not usable:
        raise UserError(f"evaluate: none of {len(clips)} clips has picture and sound long enough")
    takes = _takes(usable, variations)
    studio = _Studio(clips=usable, batch=batch, seed=seed)
    tracks = {
        name: studio.generate(name, generator, *take) if name in conditions else {}
        for name, take in takes.items()
    }
    tracks["round_trip"] = studio.round_trip(generator)
    tracks["untrained"] = (
        {} if untrained is None else studio.generate("untrained", untrained, *takes["prompted"])
    )
    return Soundtracks(
        sample_rate=generator.sample_rate,
        clips=usable,
        true={i: clip.audio for i, clip in enumerate(usable)},
        failures=(*unusable, *studio.failures),
        attempts=len(unusable) + sum(map(len, tracks.values())),
        nearest=nearest(usable, training, generator.seconds),
        **tracks,
    )


def _takes(
    usable: Sequence[Clip], variations: int
) -> dict[str, tuple[Sequence[int], Sequence[str], Sequence[str], Sequence[str]]]:
    """By condition the positions of clips; of all clips prompts, negative ones and transcripts."""
    positions = tuple(range(len(usable)))
    captions = [clip.captions["full"] for clip in usable]
    against = [negative_prompt(clip) for clip in usable]
    spoken = [clip.transcript for clip in usable]
    nothing = [""] * len(usable)
    named = [i for i in positions if off_screen(usable[i])]
    opposed = [i for i in named if against[i] != captions[i]]
    return {
        "prompted": (positions, captions, nothing, spoken),
        "again": (positions[:variations], captions, nothing, spoken),
        "unprompted": (named, nothing, nothing, nothing),
        "negative": (opposed, captions, against, spoken),
    }


class _Studio:
    """Runs fixed-size batches over clips, and collects what came out unusable."""

    def __init__(self, *, clips: Sequence[Clip], batch: int, seed: int) -> None:
        self.failures: list[Failure] = []
        self._clips, self._batch, self._seed = clips, batch, seed

    def generate(
        self,
        condition: str,
        generator: Generator,
        positions: Sequence[int],
        prompts: Sequence[str],
        negatives: Sequence[str],
        transcripts: Sequence[str],
    ) -> dict[int, np.ndarray]:
        def of_batch(chosen: list[int]) -> np.ndarray:
            return generator.generate_batch(
                np.stack([self._clips[i].video for i in chosen]),
                [prompts[i] for i in chosen],
                [negatives[i] for i in chosen],
                [transcripts[i] for i in chosen],
                [self._seed + i + (ANOTHER if condition == "again" else 0) for i in chosen],
            )

        return self._run(condition, positions, of_batch)

    def round_trip(self, generator: Generator) -> dict[int, np.ndarray]:
        def of_batch(chosen: list[int]) -> np.ndarray:
            return generator.round_trip(np.stack([self._clips[i].audio for i in chosen]))

        return self._run("round trip", range(len(self._clips)), of_batch)

    def _run(
        self,
        condition: str,
        positions: Sequence[int],
        of_batch: Callable[[list[int]], np.ndarray],
    ) -> dict[int, np.ndarray]:
        tracks: dict[int, np.ndarray] = {}
        for start in tqdm(range(0, len(positions), self._batch), desc=condition, leave=False):
            chosen = list(positions[start : start + self._batch])
            padded = chosen + chosen[-1:] * (self._batch - len(chosen))
            sounds_BNC = np.asarray(of_batch(padded), np.float32)[: len(chosen)]
            for i, sound_NC in zip(chosen, sounds_BNC, strict=True):
                tracks[i] = self._checked(condition, i, sound_NC)
        return tracks

    def _checked(self, condition: str, position: int, sound_NC: np.ndarray) -> np.ndarray:
        """Judged as silence where it is no sound: a failure costs score, it never goes missing."""
        clip = self._clips[position]
        if sound_NC.shape == clip.audio.shape and np.isfinite(sound_NC).all():
            return sound_NC
        reason = (
            f"shape {sound_NC.shape}, not {clip.audio.shape}"
            if sound_NC.shape != clip.audio.shape
            else "not finite"
        )
        self.failures.append(Failure(clip=clip.provenance, condition=condition, reason=reason))
        return np.zeros_like(clip.audio)
