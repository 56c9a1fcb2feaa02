"""Text of any encoding as lines, rows and JSON; a row that cannot be used is told with its line."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from data_pipelines.sources.clip import Dropped, Found
from v2a_jax.errors import UserError

Row = TypeVar("Row")


def lines(path: Path) -> Iterator[str]:
    """Lines of a text file: UTF-8 with or without a byte-order mark, or else Latin-1."""
    try:
        with open(path, "rb") as file:
            for number, data in enumerate(file):
                yield _decoded(data.removeprefix(b"\xef\xbb\xbf") if number == 0 else data)
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
        except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
            yield bad_row(f"{path}:{line}", error)


def bad_row(where: str, error: Exception) -> Dropped:
    """The drop of a row or file that cannot be read."""
    told = f"no {error}" if isinstance(error, KeyError) else str(error)
    return Dropped(stage="read", reason="bad row", where=where, detail=told)


def read_json(path: Path) -> Any:
    """The contents of a JSON file; UserError with file and line when it is none."""
    try:
        return json.loads("".join(lines(path)))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: not JSON ({error.msg})") from error


def seconds(text: str) -> float:
    """A time that is finite and not negative; ValueError for another."""
    value = float(text)
    if not 0 <= value < 1e7:
        raise ValueError(f"'{text}' is no time in seconds")
    return value
