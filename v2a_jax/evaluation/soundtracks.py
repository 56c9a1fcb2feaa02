"""The soundtracks that are judged: each held-out clip generated under each condition, once.

The generator works on batches of one fixed size; the last batch is padded with its own last clip.
A clip keeps its seed under every condition but `again`, so that conditions differ by nothing else
than what is told and shown.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from tqdm import tqdm

from v2a_jax.errors import UserError
from v2a_jax.evaluation.clips import Clip, Failure, cut_clips
from v2a_jax.evaluation.nearest import nearest
from v2a_jax.evaluation.takes import CONDITIONS, Amounts, Damage, Take, takes

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
    the clips with off-screen sound and those of `short` (the short caption). With the full caption
    and a negative prompt are `negative` (against the off-screen sounds, of clips whose caption
    names something else besides), `negative_seen` (against what is seen, of the same kind) and
    `negative_absent` (against what the clip lacks). `still` saw a face that stands still and had no
    words, `damaged` a damaged picture. `untrained` is empty without an untrained model, `nearest`,
    the sound of the training clip whose video is nearest, without training clips. `attempts` counts
    the sounds that the model was asked for, round trips included.
    """

    sample_rate: int
    clips: tuple[Clip, ...]
    true: dict[int, np.ndarray]
    round_trip: dict[int, np.ndarray]
    prompted: dict[int, np.ndarray]
    again: dict[int, np.ndarray]
    unprompted: dict[int, np.ndarray]
    short: dict[int, np.ndarray]
    negative: dict[int, np.ndarray]
    negative_seen: dict[int, np.ndarray]
    negative_absent: dict[int, np.ndarray]
    still: dict[int, np.ndarray]
    damaged: dict[int, np.ndarray]
    untrained: dict[int, np.ndarray]
    nearest: dict[int, np.ndarray]
    failures: tuple[Failure, ...]
    attempts: int

    @property
    def of_model(self) -> tuple[Failure, ...]:
        """Those of the `attempts`: neither unusable clips nor the untrained model's sounds."""
        return tuple(f for f in self.failures if f.condition not in ("truth", "untrained"))


def render(
    generator: Generator,
    clips: Sequence[Clip],
    *,
    batch: int,
    seed: int,
    amounts: Amounts,
    artefacts: Mapping[str, Damage],
    untrained: Generator | None,
    training: Iterable[Clip],
    conditions: Sequence[str] = CONDITIONS,
) -> Soundtracks:
    """Generates every condition of every usable clip; raises UserError where none is usable.

    `artefacts` damage pictures. Of `conditions` that are not asked for there is no sound.
    `training` clips, of the same frame and sample rate, are what `nearest` looks among.
    """
    usable, unusable = cut_clips(
        clips, fps=generator.fps, sample_rate=generator.sample_rate, seconds=generator.seconds
    )
    if not usable:
        raise UserError(f"evaluate: none of {len(clips)} clips has picture and sound long enough")
    asked = takes(usable, amounts, artefacts)
    studio = _Studio(clips=usable, batch=batch, seed=seed)
    tracks = {
        name: studio.generate(name, generator, take) if name in conditions else {}
        for name, take in asked.items()
    }
    tracks["round_trip"] = studio.round_trip(generator)
    attempts = sum(map(len, tracks.values()))
    tracks["untrained"] = (
        {} if untrained is None else studio.generate("untrained", untrained, asked["prompted"])
    )
    return Soundtracks(
        sample_rate=generator.sample_rate,
        clips=usable,
        true={i: clip.audio for i, clip in enumerate(usable)},
        failures=(*unusable, *studio.failures),
        attempts=attempts,
        nearest=nearest(usable, training, generator.seconds),
        **tracks,
    )


class _Studio:
    """Runs fixed-size batches over clips, and collects what came out unusable."""

    def __init__(self, *, clips: Sequence[Clip], batch: int, seed: int) -> None:
        self.failures: list[Failure] = []
        self._clips, self._batch, self._seed = clips, batch, seed

    def generate(self, condition: str, generator: Generator, take: Take) -> dict[int, np.ndarray]:
        def of_batch(chosen: list[int]) -> np.ndarray:
            words = [take.words[i] for i in chosen]
            return generator.generate_batch(
                np.stack([take.picture(i) for i in chosen]),
                [each.prompt for each in words],
                [each.negative for each in words],
                [each.transcript for each in words],
                [self._seed + i + (ANOTHER if condition == "again" else 0) for i in chosen],
            )

        return self._run(condition, list(take.words), of_batch)

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
