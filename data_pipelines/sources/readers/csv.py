"""`csv`: a table with a header, a clip a row.

Columns: `media` (or `path`, `file`; relative to the table, or to --media), and any of `uid`, `url`,
`start`, `end`, `caption` (or `caption_1`, ..), `labels` (separated by ;), `transcript`, `split`,
`licence`, `licence_evidence`, `consent`, `rights_holder`.
"""

from collections.abc import Iterator
from typing import Any

from data_pipelines.sources.clip import Dropped, Found, Request, Rights, SourceClip, fields_of
from data_pipelines.sources.tables import parsed, seconds, table
from v2a_jax.errors import UserError

DATASET = "csv"
MEDIA = ("media", "path", "file")


def read(request: Request) -> Iterator[Found]:
    """A clip for each row."""
    path = request.path
    if not path.is_file():
        raise UserError(f"--input: '{path}' is not a table")

    def parse(row: dict[str, Any]) -> Found:
        name = next((row[column] for column in MEDIA if row.get(column)), None)
        if name is None:
            raise ValueError(f"no media file named (columns: {', '.join(MEDIA)})")
        clip = _clip(row, name, str(request.media_folder / name), request.split)
        if (request.media_folder / name).is_file():
            return clip
        uid = clip.provenance_id
        return Dropped(stage="read", reason="media missing", uid=uid, detail=name)

    yield from parsed(path, table(path, ()), parse)


def _clip(row: dict[str, Any], name: str, media: str, split: str) -> SourceClip:
    start, end = row.get("start"), row.get("end")
    part = f"@{start or 0}" if start or end else ""
    return SourceClip(
        uid=row.get("uid") or f"{name}{part}",
        dataset=DATASET,
        media=media,
        url=row.get("url", ""),
        start=seconds(start) if start else 0.0,
        end=seconds(end) if end else None,
        captions=tuple(fields_of(row, "caption")),
        labels=tuple(one.strip() for one in row.get("labels", "").split(";") if one.strip()),
        transcript=row.get("transcript", ""),
        split=row.get("split") or split,
        rights=Rights(
            licence=row.get("licence", ""),
            evidence=row.get("licence_evidence", ""),
            consent=row.get("consent") or ("licence" if row.get("licence") else "none"),
            holder=row.get("rights_holder", ""),
        ),
    )
