"""What is told of a window while its sound is made: the candidates kept, and how it looks."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, kw_only=True)
class Note:
    """Of one window, for each variation: the seed kept, and the agreements of all candidates.

    `start` is in seconds, `heard` how many seconds of sound it gives. `agreements` is empty where
    there was nothing to choose; `quality` is None where the bundle cannot tell, else 0..1.
    """

    start: float
    heard: float
    seeds: tuple[int, ...]
    agreements: tuple[tuple[float, ...], ...]
    quality: float | None


def quality(notes: Sequence[Note]) -> float | None:
    """Of a whole video: the mean over the time of all windows that can be told; None for none."""
    told = [(note.quality, note.heard) for note in notes if note.quality is not None]
    seconds = sum(heard for _, heard in told)
    return sum(value * heard for value, heard in told) / seconds if seconds else None
