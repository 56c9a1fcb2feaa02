"""`audioset`: `YTID, start, end, "mid,mid"` after three # lines, or the strong labels' TSV.

`class_labels_indices.csv` (`index,mid,display_name`, with or without a header), or
`mid_to_display_name.tsv`, names the classes when it lies beside; without it labels are class ids.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from data_pipelines.sources.clip import Found, Request, Rights, SourceClip
from data_pipelines.sources.locate import MediaFolder, cut_names
from data_pipelines.sources.tables import parsed, rows, seconds
from data_pipelines.sources.youtube import annotation_file, watch_url
from v2a_jax.types import Event

DATASET = "audioset"
SECONDS = 10.0
RIGHTS = Rights(licence="YouTube upload, unknown")
CLASSES = ("class_labels_indices.csv", "mid_to_display_name.tsv")


def read(request: Request) -> Iterator[Found]:
    """A clip for each segment."""
    path = annotation_file(request, "*segments.csv", "*strong*.tsv")
    media, names = MediaFolder(request.media_folder), _classes(path.parent)
    if path.suffix == ".tsv":
        yield from parsed(path, _segments(path), lambda found: _strong(found, names, media))
        return

    def parse(row: list[str]) -> Found:
        key, start, end = row[0], seconds(row[1]), seconds(row[2])
        labels = [mid.strip() for field in row[3:] for mid in field.split(",")]
        told = dict(labels=tuple(names.get(mid, mid) for mid in labels if mid))
        return found_clip(key, start, end, media, split=_split(path, request), **told)

    yield from parsed(path, rows(path), parse)


def found_clip(
    key: str,
    start: float,
    end: float,
    media: MediaFolder,
    *,
    dataset: str = DATASET,
    **told: object,
) -> Found:
    """The clip of a part of a video: cut already where its name says so, else perhaps whole."""
    clip = dict(uid=f"{key}_{round(start):06d}", dataset=dataset, media="", rights=RIGHTS, **told)
    clip["url"] = watch_url(key, start)
    cut = cut_names(key, start, end)
    if media.find(*cut):
        return media.clip(SourceClip(**clip), *cut)
    whole = SourceClip(**clip, start=start, end=end)
    return media.clip(whole, f"Y{key}", key)


def _segments(path: Path) -> Iterator[tuple[int, list[list[str]]]]:
    """(line, rows) of each segment of the strong labels, whose rows follow each other."""
    events = ((line, row) for line, row in rows(path, delimiter="\t") if row[:1] != ["segment_id"])
    for _, group in groupby(events, key=lambda pair: pair[1][:1]):
        numbered = list(group)
        yield numbered[0][0], [row for _, row in numbered]


def _strong(found: list[list[str]], names: dict[str, str], media: MediaFolder) -> Found:
    key, _, begins = found[0][0].rpartition("_")
    start = seconds(begins) / 1000
    events = tuple(
        Event(time=seconds(row[1]), end=seconds(row[2]), kind=names.get(row[3], row[3]))
        for row in found
    )
    labels = tuple(dict.fromkeys(event.kind for event in events))
    return found_clip(key, start, start + SECONDS, media, labels=labels, events=events)


def _classes(folder: Path) -> dict[str, str]:
    """Display name by class id."""
    table, listed = (folder / name for name in CLASSES)
    if table.is_file():
        return {row[1]: row[2] for _, row in rows(table) if len(row) > 2}
    if listed.is_file():
        return {row[0]: row[1] for _, row in rows(listed, delimiter="\t") if len(row) > 1}
    return {}


def _split(path: Path, request: Request) -> str:
    """The file's name tells the split: eval_segments is the test set."""
    return "test" if path.name.startswith("eval") else request.split or "train"
