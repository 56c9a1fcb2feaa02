"""SubRip and WebVTT: what is said, and when each word is.

Cues have times, words do not: a cue's time is shared out in proportion to the words' lengths.
"""

import re
from pathlib import Path

from data_pipelines.sources.tables import SIDECAR_BYTES, lines

_ARROW = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})")
_MARKUP = re.compile(r"<[^>]*>|\{\\[^}]*\}")

Words = tuple[tuple[str, float, float], ...]


def read_subtitles(path: Path) -> tuple[str, Words]:
    """(transcript, words with their times); ValueError for a cue whose times are wrong."""
    words: list[tuple[str, float, float]] = []
    span, said = None, []
    for line in [*lines(path, limit=SIDECAR_BYTES), ""]:
        if "-->" in line:
            span, said = _span(line), []
        elif line.strip():
            said.append(_MARKUP.sub("", line).strip())
        elif span is not None:
            words += _spread(" ".join(said).split(), *span)
            span = None
    return " ".join(word for word, *_ in words), tuple(words)


def _span(line: str) -> tuple[float, float]:
    times = [
        3600 * int(h or 0) + 60 * int(m) + int(s) + int(f.ljust(3, "0")) / 1000
        for h, m, s, f in _ARROW.findall(line)
    ]
    if len(times) != 2 or times[1] < times[0]:
        raise ValueError(f"no times in '{line.strip()}'")
    return times[0], times[1]


def _spread(words: list[str], start: float, end: float) -> list[tuple[str, float, float]]:
    total, spread, place = sum(map(len, words)), [], start
    for word in words:
        stop = place + (end - start) * len(word) / total
        spread.append((word, round(place, 3), round(stop, 3)))
        place = stop
    return spread
