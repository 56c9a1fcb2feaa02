"""`unav100`: JSON `{"database": {id: {subset, annotations: [{segment, label}]}}}`, whole videos."""

from collections.abc import Iterator
from typing import Any

from data_pipelines.sources.clip import Found, Request, Rights, SourceClip
from data_pipelines.sources.locate import MediaFolder
from data_pipelines.sources.tables import parsed, read_json, seconds
from data_pipelines.sources.youtube import annotation_file, watch_url
from v2a_jax.errors import UserError
from v2a_jax.types import Event

DATASET = "unav100"
RIGHTS = Rights(licence="YouTube upload, unknown")


def read(request: Request) -> Iterator[Found]:
    """A clip for each video, whole; the line told of a bad entry is its number."""
    path = annotation_file(request, "unav100*.json", "*.json")
    contents = read_json(path)
    if not isinstance(contents, dict) or not isinstance(contents.get("database"), dict):
        raise UserError(f"{path}: no 'database' in it")
    media = MediaFolder(request.media_folder)
    entries = enumerate(contents["database"].items(), 1)
    yield from parsed(path, entries, lambda entry: _clip(*entry, media))


def _clip(key: str, values: dict[str, Any], media: MediaFolder) -> Found:
    events = tuple(
        Event(time=seconds(one["segment"][0]), end=seconds(one["segment"][1]), kind=one["label"])
        for one in values["annotations"]
    )
    subset = values.get("subset", "")
    clip = SourceClip(
        uid=key,
        dataset=DATASET,
        media="",
        url=watch_url(key),
        labels=tuple(dict.fromkeys(event.kind for event in events)),
        events=tuple(sorted(events, key=lambda event: event.time)),
        split={"validation": "val"}.get(subset, subset),
        rights=RIGHTS,
    )
    return media.clip(clip, key, f"v_{key}")
