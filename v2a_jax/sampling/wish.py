"""What is asked for one video, and what of it no soundtrack can be made with."""

import dataclasses
from typing import NamedTuple

import numpy as np

from v2a_jax.errors import UserError
from v2a_jax.sampling.cues import Cue, cue_for
from v2a_jax.sampling.long_form import BOUNDARIES

SCALES = ("video_scale", "text_scale", "transcript_scale")
SHARES = ("guidance_begin", "guidance_end", "guidance_rescale")
SETTINGS = ("steps", "solver", *SCALES, *SHARES)  # the bundle's own, where a wish has None
MOST_STEPS = 1000
MOST_VARIATIONS = 64  # candidates included
# Candidates' seeds lie so far apart, modulo 2^32, that none of 64 is within 64 of another: the
# golden section spreads its multiples evenly.
CANDIDATE_STRIDE = 0x9E3779B1


class Texts(NamedTuple):
    """What steers one window: towards a sound, away from one, and what is said."""

    prompt: str = ""
    negative_prompt: str = ""
    transcript: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked for one video; None takes the bundle's own setting.

    Variation v has seed `seed + v`, modulo 2^32: a seed gives the same sound whatever the number
    of variations.
    Of `best_of` candidates for each, of which the first is that sound, the one is kept that agrees
    best with the picture.
    `cues` take the place of the texts for the windows they touch; `boundaries` of windows are
    "even" or at changes of "shots".
    """

    prompt: str = ""
    negative_prompt: str = ""
    transcript: str = ""
    variations: int = 1
    best_of: int = 1
    seed: int = 0
    steps: int | None = None
    solver: str | None = None
    video_scale: float | None = None
    text_scale: float | None = None
    transcript_scale: float | None = None
    guidance_begin: float | None = None
    guidance_end: float | None = None
    guidance_rescale: float | None = None
    cues: tuple[Cue, ...] = ()
    boundaries: str = "even"

    def texts(self, cue: Cue | None = None) -> Texts:
        """The general texts, but for those that a cue brings."""
        own = Texts(self.prompt, self.negative_prompt, self.transcript)
        if cue is None:
            return own
        given = Texts(cue.prompt, cue.negative_prompt, cue.transcript)
        return Texts(*(new or old for new, old in zip(given, own, strict=True)))

    @property
    def all_texts(self) -> list[Texts]:
        """What steers any of the windows."""
        return [self.texts(), *map(self.texts, self.cues)]

    @property
    def settings(self) -> dict[str, object]:
        """What it asks for instead of the bundle's own settings."""
        asked = {name: getattr(self, name) for name in SETTINGS}
        return {name: value for name, value in asked.items() if value is not None}

    def seed_of(self, variation: int) -> int:
        """The seed that gives a variation when it is asked for alone."""
        return (self.seed + variation) % 2**32

    @property
    def seeds(self) -> np.ndarray:
        """Those of the candidates for each variation, uint32[V,N], no two of them alike."""
        own = [self.seed_of(v) for v in range(self.variations)]
        steps = CANDIDATE_STRIDE * np.arange(self.best_of, dtype=np.int64)
        return ((np.array(own)[:, None] + steps) % 2**32).astype(np.uint32)

    def texts_between(self, start: float, end: float) -> Texts:
        """The texts that hold for a stretch of the video, in seconds."""
        return self.texts(cue_for(self.cues, start, end))

    def check(self) -> None:
        """UserError for a number or a choice that does not exist."""
        if self.steps is not None and not 1 <= self.steps <= MOST_STEPS:
            raise UserError(f"steps={self.steps} is not between 1 and {MOST_STEPS}")
        if not 1 <= self.variations <= MOST_VARIATIONS:
            raise UserError(f"variations={self.variations} is not between 1 and {MOST_VARIATIONS}")
        if not 1 <= self.best_of <= MOST_VARIATIONS:
            raise UserError(f"best_of={self.best_of} is not between 1 and {MOST_VARIATIONS}")
        if self.variations * self.best_of > MOST_VARIATIONS:
            raise UserError(
                f"variations={self.variations} times best_of={self.best_of} is "
                f"{self.variations * self.best_of} candidates: at most {MOST_VARIATIONS} at once"
            )
        if not 0 <= self.seed < 2**32:
            raise UserError(f"seed={self.seed} is not between 0 and 2^32 - 1")
        for name in SCALES:
            scale = getattr(self, name)
            if scale is not None and not abs(scale) <= float(np.finfo(np.float32).max):
                raise UserError(f"{name}={scale} is not a finite number")
        for name in SHARES:
            share = getattr(self, name)
            if share is not None and not 0 <= share <= 1:
                raise UserError(f"{name}={share} is not between 0 and 1")
        if self.boundaries not in BOUNDARIES:
            raise UserError(f"boundaries={self.boundaries} is not one of: {', '.join(BOUNDARIES)}")
        for texts in self.all_texts:
            for name, text in texts._asdict().items():
                if any("\ud800" <= character <= "\udfff" for character in text):
                    raise UserError(f"{name} {text[:30]!a} is not text in Unicode")
