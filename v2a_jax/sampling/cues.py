"""Cue sheets: which prompts hold from when to when, as JSON, CSV or SRT.

    JSON  [{"start": 0, "end": "1:02.5", "prompt": "rain", "negative_prompt": "", "transcript": ""}]
    CSV   start,end,prompt,negative_prompt,transcript     a header names the columns, in any order
    SRT   a number, `00:00:01,000 --> 00:00:02,500`, then lines of the prompt; a line that begins
          with `negative_prompt:` or `transcript:` is that instead

Times are seconds, M:S or H:M:S, from the first picture on; start and end are needed, and something
to say. A window takes the cue that covers most of it, of cues that cover as much the one that
begins last. What a cue leaves out, and what no cue touches, is taken from the general request.
"""

import csv
import dataclasses
import io
import json
import math
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from v2a_jax.errors import UserError

TEXTS = ("prompt", "negative_prompt", "transcript")
MAX_BYTES = 16 << 20
ARROW = re.compile(r"(\S+)\s+-->\s+(\S+)")
NAMED = re.compile(rf"({'|'.join(TEXTS)}):\s*(.*)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cue:
    """Texts that hold from `start` to `end` seconds; an empty one leaves the general one."""

    start: float
    end: float
    prompt: str = ""
    negative_prompt: str = ""
    transcript: str = ""

    def covers(self, start: float, end: float) -> float:
        """How many seconds of a stretch it covers."""
        return max(0.0, min(self.end, end) - max(self.start, start))


def cue_for(cues: Sequence[Cue], start: float, end: float) -> Cue | None:
    """The cue that covers most of a stretch; None where none touches it."""
    touching = [cue for cue in cues if cue.covers(start, end) > 0]
    return max(
        touching, key=lambda cue: (round(cue.covers(start, end), 6), cue.start), default=None
    )


def read_cues(path: str | os.PathLike) -> tuple[Cue, ...]:
    """The cues of a sheet, by start; UserError, with the line's number, for what makes no sense."""
    readers = {".json": _json_rows, ".csv": _csv_rows, ".srt": _srt_rows}
    reader = readers.get(pathlib.Path(path).suffix.lower())
    if reader is None:
        raise UserError(f"{path}: a cue sheet ends in {', '.join(readers)}")
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise UserError(f"{path}: over the limit of {MAX_BYTES} bytes for a cue sheet")
        text = pathlib.Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}:{line}: not text in UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    cues = list(_cues(path, reader, text))
    if not cues:
        raise UserError(f"{path}: holds no cue")
    return tuple(sorted(cues, key=lambda cue: (cue.start, cue.end)))


class _Bad(Exception):
    """(number of a line, what is wrong there)."""


Rows = Iterable[tuple[int, dict[str, object]]]


def _cues(path: str | os.PathLike, reader: Callable[[str], Rows], text: str) -> Iterator[Cue]:
    try:
        for line, row in reader(text):
            yield _cue(line, row)
    except _Bad as bad:
        line, reason = bad.args
        raise UserError(f"{path}:{line}: {reason}") from bad


def _cue(line: int, row: dict[str, object]) -> Cue:
    unknown = sorted(str(name) for name in set(row) - {"start", "end", *TEXTS})
    if unknown:
        raise _Bad(line, f"unknown field '{unknown[0]}'")
    texts = {name: row.get(name) or "" for name in TEXTS}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise _Bad(line, f"{name} is not text")
        texts[name] = value.strip()
    if not any(texts.values()):
        raise _Bad(line, f"says nothing: it needs one of {', '.join(TEXTS)}")
    start, end = (_seconds(line, name, row.get(name)) for name in ("start", "end"))
    if end <= start:
        raise _Bad(line, f"ends at {end:g} s, not after its start at {start:g} s")
    return Cue(start=start, end=end, **texts)


def _seconds(line: int, name: str, value: object) -> float:
    if value is None or value == "":
        raise _Bad(line, f"has no {name}")
    parts = str(value).strip().replace(",", ".").split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = [math.nan]
    seconds = sum(number * 60**power for power, number in enumerate(reversed(numbers)))
    small = all(number < 60 for number in numbers[1:])
    if len(parts) > 3 or not (min(numbers) >= 0 and small and math.isfinite(seconds)):
        raise _Bad(line, f"{name} '{value}' is no time: seconds, M:S or H:M:S")
    return seconds


def _json_rows(text: str) -> Rows:
    """Objects of a list one by one, so that each is known by its line."""
    decoder, position = json.JSONDecoder(), _after_space(text, 0)
    if text[position : position + 1] != "[":
        raise _Bad(1, "not a JSON list of cues")
    closed, position = False, _after_space(text, position + 1)
    if text[position : position + 1] == "]":
        closed, position = True, position + 1
    while not closed:
        line = text.count("\n", 0, position) + 1
        try:
            row, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise _Bad(getattr(error, "lineno", line), "not JSON") from error
        if not isinstance(row, dict):
            raise _Bad(line, "not a cue: an object with start, end and prompt")
        yield line, row
        position = _after_space(text, position)
        mark, position = text[position : position + 1], _after_space(text, position + 1)
        if mark not in (",", "]") or not mark:
            raise _Bad(text.count("\n", 0, position) + 1, "not JSON: a comma or ] is missing")
        closed = mark == "]"
    if text[position:].strip():
        raise _Bad(text.count("\n", 0, position) + 1, "more text after the list")


def _after_space(text: str, position: int) -> int:
    return re.compile(r"\s*").match(text, position).end()


def _csv_rows(text: str) -> Rows:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    line = 1
    try:
        for name in ("start", "end"):
            if name not in (reader.fieldnames or ()):
                raise _Bad(1, f"the header has no column '{name}'")
        for row in reader:
            line = reader.line_num
            if None in row or None in row.values():
                raise _Bad(
                    line, f"a row has as many fields as the header: {len(reader.fieldnames)}"
                )
            yield line, row
    except csv.Error as error:
        raise _Bad(max(line, reader.line_num), f"not CSV ({error})") from error


def _srt_rows(text: str) -> Rows:
    for first, lines in _paragraphs(text):
        numbered = len(lines) > 1 and lines[0].strip().isdigit()
        times = ARROW.match(lines[numbered].strip())
        line = first + numbered
        if times is None:
            raise _Bad(line, "no times like 00:00:01,000 --> 00:00:02,500")
        row = {"start": times[1], "end": times[2]}
        for said in lines[numbered + 1 :]:
            named = NAMED.match(said.strip())
            name, words = (named[1].lower(), named[2]) if named else ("prompt", said.strip())
            row[name] = f"{row.get(name, '')} {words}".strip()
        yield line, row


def _paragraphs(text: str) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines that are not blank, each with the number of its first line."""
    lines: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if line.strip():
            lines.append(line)
        elif lines:
            yield number - len(lines), lines
            lines = []
