"""`wavcaps`: JSON lists of `{id, caption, duration, ..}`, bare or under `data`; academic use only.

Ids in `blacklist/*.json` (clips that are also in test sets of others) are dropped.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_pipelines.sources.clip import Dropped, Found, Request, Rights, SourceClip
from data_pipelines.sources.locate import MediaFolder
from data_pipelines.sources.tables import parsed, read_json
from v2a_jax.errors import UserError

DATASET = "wavcaps"
BLACKLIST = "blacklist"
RIGHTS = Rights(
    licence="WavCaps, academic use only",
    evidence="https://github.com/XinhaoMei/WavCaps",
    consent="licence",
)


def read(request: Request) -> Iterator[Found]:
    """A clip for each entry of each list; the line told of a bad entry is its number."""
    media, barred = MediaFolder(request.media_folder), _barred(request.folder)
    for path in _lists(request):
        contents = read_json(path)
        entries = contents.get("data") if isinstance(contents, dict) else contents
        if not isinstance(entries, list):
            raise UserError(f"{path}: holds no list of clips")
        yield from parsed(path, enumerate(entries, 1), lambda entry: _clip(entry, media, barred))


def _clip(entry: dict[str, Any], media: MediaFolder, barred: set[str]) -> Found:
    key = _stem(entry["id"])
    clip = SourceClip(
        uid=key,
        dataset=DATASET,
        media="",
        url=str(entry.get("href") or entry.get("download_link") or ""),
        captions=(entry["caption"].strip(),),
        rights=RIGHTS,
    )
    if key in barred:
        return Dropped(stage="read", reason="on the blacklist", uid=clip.provenance_id)
    return media.clip(clip, key)


def _lists(request: Request) -> list[Path]:
    if request.path.is_file():
        return [request.path]
    found = [path for path in sorted(request.path.rglob("*.json")) if BLACKLIST not in path.parts]
    if not found:
        raise UserError(f"--input: no .json in '{request.path}'")
    return found


def _barred(folder: Path) -> set[str]:
    """Ids in the blacklists: lists, or objects of lists."""
    barred: set[str] = set()
    for path in sorted(folder.rglob(f"{BLACKLIST}/*.json")):
        contents = read_json(path)
        lists = contents.values() if isinstance(contents, dict) else [contents]
        barred.update(_stem(key) for found in lists for key in found)
    return barred


def _stem(key: object) -> str:
    """An id without the suffix that some lists give it."""
    text = str(key)
    return text.rsplit(".", 1)[0] if text.endswith((".wav", ".flac", ".mp3")) else text
