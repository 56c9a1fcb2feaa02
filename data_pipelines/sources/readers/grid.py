"""`grid`: 3 s of a speaker a file; the name is the sentence's code, .align has the words' times.

Times are in units of 1/25000 s. Code: command colour preposition letter digit adverb.
"""

from collections.abc import Iterator
from pathlib import Path

from data_pipelines.sources.clip import Found, Request, Rights, SourceClip
from data_pipelines.sources.locate import media_files
from data_pipelines.sources.tables import bad_row, lines, seconds
from v2a_jax.errors import UserError

DATASET = "grid"
UNITS = 25000
SILENCE = ("sil", "sp")
LETTERS = {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"}
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGITS = dict(zip("z123456789", NUMBERS, strict=True))
CODE = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    LETTERS,
    DIGITS,
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)
# CC BY 4.0 is said of a copy of it; no evidence is claimed.
RIGHTS = Rights(licence="CC-BY-4.0", consent="release form", faces=True, voices=True)


def read(request: Request) -> Iterator[Found]:
    """A clip for each media file whose name is a code."""
    found, aligned = 0, _alignments(request.folder)
    for path in media_files(request.media_folder):
        if sentence(path.stem) is None:
            continue
        found += 1
        try:
            yield _clip(path, aligned, request)
        except (ValueError, IndexError) as error:
            yield bad_row(str(path), error)
    if not found:
        raise UserError(f"--input: no file of '{request.media_folder}' is named by a code of GRID")


def sentence(code: str) -> str | None:
    """What is said in the file of this name; None when it is no code."""
    if len(code) != len(CODE):
        return None
    words = [table.get(letter) for table, letter in zip(CODE, code.lower(), strict=True)]
    return None if None in words else " ".join(words)


def _clip(path: Path, aligned: dict[tuple[str, str], Path], request: Request) -> SourceClip:
    speaker = path.parent.name
    align = aligned.get((speaker, path.stem)) or aligned.get(("", path.stem))
    words = _words(align) if align else ()
    return SourceClip(
        uid=path.relative_to(request.media_folder).with_suffix("").as_posix(),
        dataset=DATASET,
        media=str(path),
        transcript=" ".join(word for word, *_ in words) or sentence(path.stem),
        words=words,
        split=request.split,
        rights=RIGHTS,
    )


def _words(path: Path) -> tuple[tuple[str, float, float], ...]:
    found = (line.split() for line in lines(path))
    return tuple(
        (fields[2], seconds(fields[0]) / UNITS, seconds(fields[1]) / UNITS)
        for fields in found
        if fields and fields[2] not in SILENCE
    )


def _alignments(folder: Path) -> dict[tuple[str, str], Path]:
    """Paths of .align files by (speaker, code): SPEAKER/align/CODE or align/SPEAKER/CODE.

    Where no folder names the speaker, the speaker is ''.
    """
    found = {}
    for path in sorted(folder.rglob("*.align")):
        named = [part for part in path.parent.relative_to(folder).parts if "align" not in part]
        found[named[-1] if named else "", path.stem] = path
    return found
