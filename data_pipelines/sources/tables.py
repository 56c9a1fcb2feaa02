"""Text of any encoding as lines, rows and JSON; a row that cannot be used is told with its line."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from data_pipelines.sources.clip import Dropped, Found
from v2a_jax.errors import UserError

Row = TypeVar("Row")
LIST_BYTES = 1 << 30  # of a file that lists a dataset
SIDECAR_BYTES = 16 << 20  # of one that tells of a single clip
# What a parser may raise on a row that has not the form it expects.
BAD_ROW = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)


def lines(path: Path, *, limit: int = LIST_BYTES) -> Iterator[str]:
    """Lines of a text file: UTF-8 with or without a byte-order mark, or else Latin-1.

    UserError for one that cannot be read, or has more than `limit` bytes.
    """
    left = limit
    try:
        with open(path, "rb") as file:
            while data := file.readline(left + 1):
                text = _decoded(data.removeprefix(b"\xef\xbb\xbf") if left == limit else data)
                left -= len(data)
                if left < 0:
                    raise UserError(f"{path}: over the limit of {limit} bytes")
                yield text
    except OSError as error:
        raise UserError(f"{path}: {(error.strerror or str(error)).lower()}") from error


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def rows(path: Path, *, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """(line number, fields stripped) of a table; blank lines and leading # lines are skipped.

    A row that the format does not allow comes as an empty list.
    """
    reader = csv.reader(lines(path), delimiter=delimiter, skipinitialspace=True)
    leading = True
    while True:
        try:
            row = next(reader, None)
        except csv.Error:
            yield reader.line_num, []
            continue
        if row is None:
            return
        leading = leading and bool(row) and row[0].startswith("#")
        if row and not leading:
            yield reader.line_num, [field.strip() for field in row]


def table(
    path: Path, required: Iterable[str], *, delimiter: str = ","
) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, row by column name) of a table with a header; names are compared in lower case.

    UserError when a required column is missing.
    """
    found = rows(path, delimiter=delimiter)
    header = [name.lower() for name in next(found, (1, []))[1]]
    missing = [name for name in required if name not in header]
    if missing:
        raise UserError(f"{path}:1: no column '{missing[0]}' (found: {', '.join(header)})")
    for line, row in found:
        # A short row misses columns; what stands beyond the header has no name.
        yield line, dict(zip(header, row, strict=False))


def parsed(
    path: Path, numbered: Iterable[tuple[int, Row]], parse: Callable[[Row], Found]
) -> Iterator[Found]:
    """`parse` of each row; the ones it cannot read are dropped with file and line."""
    for line, row in numbered:
        try:
            yield parse(row)
        except BAD_ROW as error:
            yield bad_row(f"{path}:{line}", error)


def bad_row(where: str, error: Exception) -> Dropped:
    """The drop of a row or file that cannot be read."""
    told = f"no {error}" if isinstance(error, KeyError) else str(error)
    return Dropped(stage="read", reason="bad row", where=where, detail=told)


def read_json(path: Path, *, limit: int = LIST_BYTES) -> Any:
    """The contents of a JSON file; UserError, with the line if known, when it is none."""
    try:
        return json.loads("".join(lines(path, limit=limit)))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: not JSON ({error.msg})") from error
    except (ValueError, RecursionError) as error:  # a number too long, lists too deep
        raise UserError(f"{path}: not JSON ({error})") from error


def seconds(text: str | float) -> float:
    """A time that is finite and not negative; ValueError for another."""
    value = float(text)
    if not 0 <= value < 1e7:
        raise ValueError(f"'{text}' is no time in seconds")
    return value
