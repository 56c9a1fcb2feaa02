"""The changes of tempo and pitch that are searched: each alone, and both together as of a tape.

Steps are geometric. A coarse grid is searched, and its best points are refined on a fine one; the
p-value counts the fine grid, of which the coarse one is a part.
"""

import dataclasses
import functools
import math

TEMPO_STEP, TEMPO_STEPS = 0.003, 77  # in ln, to each side: 0.79 to 1.26
PITCH_STEP, PITCH_STEPS = 0.015, 15  # 0.80 to 1.25
FINE_TEMPOS = 6  # fine steps in a coarse one
COARSE_STARTS, FINE_STARTS = 2, 8  # starts tried within a cell


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stretch:
    """What was done to the marked sound: 1.1 is a tenth faster, or higher."""

    tempo: float = 1.0
    pitch: float = 1.0


IDENTITY = Stretch()


@functools.cache
def strata() -> dict[str, tuple[Stretch, ...]]:
    """The coarse grid by kind of change, in order of pitch; IDENTITY isn't in it."""
    tempos = [math.exp(TEMPO_STEP * i) for i in _both_ways(TEMPO_STEPS)]
    pitches = [math.exp(PITCH_STEP * i) for i in _both_ways(PITCH_STEPS)]
    return {
        "tempo": tuple(Stretch(tempo=tempo) for tempo in tempos),
        "pitch": tuple(Stretch(pitch=pitch) for pitch in pitches),
        "tape": tuple(Stretch(tempo=tempo, pitch=nearest_pitch(tempo)) for tempo in tempos),
    }


def fine_size(kind: str) -> int:
    """How many tempos, pitches and starts within a cell the fine grid of a stratum has."""
    return FINE_TEMPOS * FINE_STARTS * len(strata()[kind])


def refined(stretch: Stretch) -> tuple[Stretch, ...]:
    """Points of the fine grid around a coarse one, itself among them."""
    step = TEMPO_STEP / FINE_TEMPOS
    around = range(-FINE_TEMPOS // 2, FINE_TEMPOS // 2)
    return tuple(
        dataclasses.replace(stretch, tempo=stretch.tempo * math.exp(step * i)) for i in around
    )


def nearest_pitch(tempo: float) -> float:
    """The searched pitch nearest to a tempo."""
    return math.exp(PITCH_STEP * round(math.log(tempo) / PITCH_STEP))


def _both_ways(steps: int) -> list[int]:
    return [i for i in range(-steps, steps + 1) if i]
