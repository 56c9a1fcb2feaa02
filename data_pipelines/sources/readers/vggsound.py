"""`vggsound`: vggsound.csv without a header, `id,start,label,split`; clips of 10 s from YouTube.

Files are named `{id}_{start:06d}` or `{id}_{startms}_{endms}`.
"""

from collections.abc import Iterator

from data_pipelines.sources.clip import Found, Request, Rights, SourceClip
from data_pipelines.sources.locate import MediaFolder, cut_names
from data_pipelines.sources.tables import parsed, rows, seconds
from data_pipelines.sources.youtube import annotation_file, watch_url

DATASET = "vggsound"
SECONDS = 10.0
RIGHTS = Rights(licence="YouTube upload, unknown")


def read(request: Request) -> Iterator[Found]:
    """A clip for each row; a header, if there is one, is passed by."""
    path = annotation_file(request, "vggsound.csv")
    media = MediaFolder(request.media_folder)

    def parse(row: list[str]) -> Found:
        key, start, label, split = row[0], seconds(row[1]), row[2], row[3]
        clip = SourceClip(
            uid=f"{key}_{round(start):06d}",
            dataset=DATASET,
            media="",
            url=watch_url(key, start),
            labels=(label,),
            split=split,
            rights=RIGHTS,
        )
        return media.clip(clip, *cut_names(key, start, start + SECONDS))

    found = rows(path)
    yield from parsed(path, (pair for pair in found if not _is_header(*pair)), parse)


def _is_header(line: int, row: list[str]) -> bool:
    return line == 1 and len(row) > 1 and not row[1].replace(".", "").isdigit()
