"""`audiocaps`: `audiocap_id,youtube_id,start_time,caption`; several rows may describe one clip."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_pipelines.sources.clip import Found, Request
from data_pipelines.sources.locate import MediaFolder
from data_pipelines.sources.readers.audioset import found_clip
from data_pipelines.sources.tables import bad_row, seconds, table
from data_pipelines.sources.youtube import annotation_file
from v2a_jax.errors import UserError

DATASET = "audiocaps"
SECONDS = 10.0
SPLITS = ("train", "val", "test")


def read(request: Request) -> Iterator[Found]:
    """A clip for each (video, start), with all its captions; a folder has a table a split."""
    media, tables = MediaFolder(request.media_folder), [request.path]
    if request.path.is_dir():
        tables = [path for name in SPLITS for path in sorted(request.path.rglob(f"{name}.csv"))]
        if not tables:
            raise UserError(f"--input: no train.csv, val.csv or test.csv in '{request.path}'")
    for path in tables:
        split = path.stem if path.stem in SPLITS else request.split
        yield from _clips(annotation_file(Request(path=path)), split, media)


def _clips(path: Path, split: str, media: MediaFolder) -> Iterator[Found]:
    captions: dict[tuple[str, float], list[str]] = {}
    for line, row in table(path, ("youtube_id", "start_time", "caption")):
        try:
            captions.setdefault(_key(row), []).append(row["caption"])
        except (ValueError, KeyError) as error:
            yield bad_row(f"{path}:{line}", error)
    for (key, start), told in captions.items():
        end = start + SECONDS
        yield found_clip(key, start, end, media, dataset=DATASET, captions=tuple(told), split=split)


def _key(row: dict[str, Any]) -> tuple[str, float]:
    if not row["youtube_id"] or not row.get("caption"):
        raise ValueError("a row needs an id and a caption")
    return row["youtube_id"], seconds(row["start_time"])
