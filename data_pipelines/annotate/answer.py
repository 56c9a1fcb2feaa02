"""What a model answers, read as hostile input: every type, length and character is checked."""

import dataclasses
import json
import math
import re
from typing import Any

from data_pipelines.annotate.chat import Fault

MOST = {"description": 1000, "short": 200, "transcript": 20_000, "label": 100, "word": 100}
MOST_LABELS, MOST_WORDS = 32, 5000
_LATE = 0.5  # seconds that a word may end after the window
_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*?)\s*```\s*", re.DOTALL)
_JOINERS = str.maketrans("", "", "\u200c\u200d")  # spelling in some languages, though not shown


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """What is told of a window; `words` are (word, start, end) in seconds, within the window."""

    description: str
    short: str
    labels: tuple[str, ...]
    transcript: str
    words: tuple[tuple[str, float, float], ...]

    def to_json(self) -> str:
        """As a model might have said it: `read_answer` makes the same of it."""
        words = [dict(word=word, start=start, end=end) for word, start, end in self.words]
        return json.dumps(dataclasses.asdict(self) | {"words": words}, ensure_ascii=False)


def read_answer(text: str, seconds: float) -> Answer:
    """The answer in a message about a window of that length; Fault that names what is wrong."""
    fenced = _FENCED.fullmatch(text)
    try:
        told = json.loads(fenced[1] if fenced else text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Fault("answer is not JSON") from None
    if not isinstance(told, dict):
        raise Fault("answer is no JSON object")
    description = _line(told.get("description"), "description")
    if not description:
        raise Fault("answer has no description")
    words = tuple(_word(word, seconds) for word in _list(told, "words", MOST_WORDS))
    if any(after[1] < before[1] for before, after in zip(words, words[1:], strict=False)):
        raise Fault("answer: words are not in order")
    spoken = " ".join(word for word, *_ in words)
    labels = [_line(label, "label") for label in _list(told, "labels", MOST_LABELS)]
    return Answer(
        description=description,
        short=_line(told.get("short"), "short") or description,
        labels=tuple(dict.fromkeys(label for label in labels if label)),
        transcript=_line(told.get("transcript"), "transcript") or spoken,
        words=words,
    )


def _line(value: Any, name: str) -> str:
    """A text on one line; '' for null."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Fault(f"answer: {name} is no text")
    line = " ".join(value.split())
    if not line.translate(_JOINERS).isprintable():
        raise Fault(f"answer: {name} has control characters")
    if len(line) > MOST[name]:
        raise Fault(f"answer: {name} of {len(line)} characters, over {MOST[name]}")
    return line


def _list(told: dict[str, Any], name: str, most: int) -> list[Any]:
    values = told.get(name)
    if values is None:
        return []
    if not isinstance(values, list) or len(values) > most:
        raise Fault(f"answer: {name} is no list of at most {most}")
    return values


def _word(value: Any, seconds: float) -> tuple[str, float, float]:
    if not isinstance(value, dict):
        raise Fault("answer: a word is no object")
    word = _line(value.get("word"), "word")
    start, end = (_time(value.get(name)) for name in ("start", "end"))
    if not word or not 0 <= start <= end <= seconds + _LATE or start > seconds:
        raise Fault("answer: a word is empty, or not within the window")
    return word, start, min(end, seconds)


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        raise Fault("answer: a word's time is no number")
    return round(float(value), 4)


def _finite(value: float) -> bool:
    """Whether it is a number that a float can hold."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
