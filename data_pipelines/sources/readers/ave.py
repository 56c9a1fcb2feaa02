"""`ave`: Annotations.txt, `Category&VideoID&Quality&StartTime&EndTime`; clips of 10 s.

trainSet.txt, valSet.txt and testSet.txt, of the same form, tell the splits.
"""

from collections.abc import Iterator
from pathlib import Path

from data_pipelines.sources.clip import Found, Request, Rights, SourceClip
from data_pipelines.sources.locate import MediaFolder
from data_pipelines.sources.tables import lines, parsed, seconds
from data_pipelines.sources.youtube import annotation_file, watch_url
from v2a_jax.types import Event

DATASET = "ave"
SPLITS = ("train", "val", "test")
RIGHTS = Rights(licence="YouTube upload, unknown")


def read(request: Request) -> Iterator[Found]:
    """A clip for each row; a header, if there is one, is passed by."""
    path = annotation_file(request, "Annotations.txt")
    media, splits = MediaFolder(request.media_folder), _splits(path.parent)

    def parse(row: list[str]) -> Found:
        label, key, _, start, end = row
        event = Event(time=seconds(start), end=seconds(end), kind=label)
        clip = SourceClip(
            uid=key,
            dataset=DATASET,
            media="",
            url=watch_url(key),
            labels=(label,),
            events=(event,),
            split=splits.get(key, request.split),
            rights=RIGHTS,
        )
        return media.clip(clip, key)

    yield from parsed(path, _rows(path), parse)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines(path), 1):
        row = line.strip().split("&")
        if any(row) and row[0] != "Category":
            yield number, row


def _splits(folder: Path) -> dict[str, str]:
    """Split by video id."""
    found = {name: folder / f"{name}Set.txt" for name in SPLITS}
    return {
        row[1]: name
        for name, path in found.items()
        if path.is_file()
        for _, row in _rows(path)
        if len(row) > 1
    }
