"""`clotho`: `clotho_captions_SPLIT.csv` and `clotho_metadata_SPLIT.csv` (Latin-1).

The metadata has each clip's own Freesound licence and address: the best of evidence.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_pipelines.sources.clip import Found, Request, Rights, SourceClip, fields_of
from data_pipelines.sources.locate import MediaFolder
from data_pipelines.sources.tables import parsed, table
from v2a_jax.errors import UserError

DATASET = "clotho"
SPLITS = {"development": "train", "validation": "val", "evaluation": "test"}
NONE = "Not found"


def read(request: Request) -> Iterator[Found]:
    """A clip for each row of each table of captions."""
    media, tables = MediaFolder(request.media_folder), [request.path]
    if request.path.is_dir():
        tables = sorted(request.path.rglob("clotho_captions_*.csv"))
        if not tables:
            raise UserError(f"--input: no clotho_captions_*.csv in '{request.path}'")
    for path in tables:
        part = re.sub(r"^clotho_captions_", "", path.stem)
        known = _metadata(path.with_name(path.name.replace("captions", "metadata")))
        split = SPLITS.get(part, request.split or part)

        def parse(row: dict[str, Any], known: dict = known, split: str = split) -> Found:
            return _clip(row, known.get(row["file_name"], {}), split, media)

        yield from parsed(path, table(path, ("file_name", "caption_1")), parse)


def _clip(row: dict[str, Any], told: dict[str, str], split: str, media: MediaFolder) -> Found:
    stem = Path(row["file_name"]).stem
    if not stem or not fields_of(row, "caption"):
        raise ValueError("a row needs a file name and a caption")
    values = {name: "" if value == NONE else value for name, value in told.items()}
    licence = values.get("license", "")
    clip = SourceClip(
        uid=stem,
        dataset=DATASET,
        media="",
        url=values.get("sound_link", ""),
        captions=tuple(fields_of(row, "caption")),
        labels=tuple(word.strip() for word in values.get("keywords", "").split(";") if word),
        split=split,
        rights=Rights(
            licence=licence,
            evidence=values.get("sound_link", "") if licence else "",
            consent="licence" if licence else "none",
            holder=values.get("manufacturer", ""),
        ),
    )
    return media.clip(clip, stem)


def _metadata(path: Path) -> dict[str, dict[str, str]]:
    """Metadata by file name; none without the table."""
    if not path.is_file():
        return {}
    return {row["file_name"]: row for _, row in table(path, ("file_name",))}
