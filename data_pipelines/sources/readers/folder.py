"""`folder`: media files with sidecars of the same name: .txt, .json, .srt, .vtt.

.txt has a caption a line. .json may have `caption` or `captions`, `labels`, `events` (objects of
`time`, `end`, `kind`, ..), `transcript`, `words` ([word, start, end]), `start`, `end`, `split`,
`url`, `licence`, `licence_evidence`, `consent`, `rights_holder`. .srt and .vtt have what is said.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from data_pipelines.sources.clip import Found, Request, Rights, SourceClip
from data_pipelines.sources.locate import media_files
from data_pipelines.sources.subtitles import read_subtitles
from data_pipelines.sources.tables import (
    BAD_ROW,
    SIDECAR_BYTES,
    bad_row,
    lines,
    read_json,
    seconds,
)
from v2a_jax.errors import UserError
from v2a_jax.types import Event

DATASET = "folder"


def read(request: Request) -> Iterator[Found]:
    """A clip for each media file below the folder; a sidecar that cannot be read drops its clip."""
    if not request.path.is_dir():
        raise UserError(f"--input: '{request.path}' is not a folder")
    for path in media_files(request.path):
        try:
            yield _clip(request, path)
        except (*BAD_ROW, UserError) as error:
            yield bad_row(str(path), error)


def _clip(request: Request, path: Path) -> SourceClip:
    told: dict[str, Any] = {}
    for suffix in (".srt", ".vtt"):
        if path.with_suffix(suffix).is_file():
            told["transcript"], told["words"] = read_subtitles(path.with_suffix(suffix))
    if path.with_suffix(".txt").is_file():
        told["captions"] = _nonempty(lines(path.with_suffix(".txt"), limit=SIDECAR_BYTES))
    if path.with_suffix(".json").is_file():
        told |= sidecar(read_json(path.with_suffix(".json"), limit=SIDECAR_BYTES))
    uid = path.relative_to(request.path).as_posix()
    told["split"] = told.get("split") or request.split
    return SourceClip(uid=uid, dataset=DATASET, media=str(path), **told)


def sidecar(values: Any) -> dict[str, Any]:
    """Fields of a SourceClip from a JSON sidecar, where null is as good as nothing.

    One of BAD_ROW is raised for wrong values, here or when a clip is made of them.
    """
    if not isinstance(values, dict):
        raise ValueError("the sidecar is not a JSON object")
    values = _given(values)
    told: dict[str, Any] = {
        name: seconds(values[name]) for name in ("start", "end") if name in values
    }
    told |= {name: values[name] for name in ("split", "url", "transcript") if name in values}
    captions = _nonempty([values.get("caption", ""), *_list(values, "captions")])
    if captions:
        told["captions"] = captions
    if "labels" in values:
        told["labels"] = _nonempty(_list(values, "labels"))
    if "events" in values:
        told["events"] = tuple(map(_event, _list(values, "events")))
    if "words" in values:
        told["words"] = tuple((w, seconds(a), seconds(b)) for w, a, b in _list(values, "words"))
        told.setdefault("transcript", " ".join(word for word, *_ in told["words"]))
    told["rights"] = Rights(
        licence=values.get("licence", ""),
        evidence=values.get("licence_evidence", ""),
        consent=values.get("consent") or ("licence" if values.get("licence") else "none"),
        holder=values.get("rights_holder", ""),
    )
    return told


def _event(told: dict[str, Any]) -> Event:
    values = _given(told)
    time = seconds(values["time"])
    return Event(**values | {"time": time, "end": seconds(values.get("end", time))})


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """The values that are not null."""
    return {name: value for name, value in values.items() if value is not None}


def _list(values: dict[str, Any], name: str) -> list[Any]:
    found = values.get(name, [])
    if not isinstance(found, list):
        raise ValueError(f"{name} is {found!r:.50}, not a list")
    return found


def _nonempty(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(text.strip() for text in texts if text.strip())
