"""`lrs3`: a .txt beside each talk's .mp4: `Text:`, `Ref:`, then WORD START END ASDSCORE.

Blocks between them (frames of the face track, or the audio segment) are passed by.
"""

from collections.abc import Iterator
from pathlib import Path

from data_pipelines.sources.clip import Found, Request, Rights, SourceClip
from data_pipelines.sources.locate import with_media
from data_pipelines.sources.tables import bad_row, lines, seconds
from data_pipelines.sources.youtube import watch_url

DATASET = "lrs3"
RIGHTS = Rights(
    licence="CC-BY-NC-ND-4.0",
    evidence="https://www.ted.com/about/our-organization/our-policies-terms/ted-talks-usage-policy",
    consent="licence",
    faces=True,
    voices=True,
)


def read(request: Request) -> Iterator[Found]:
    """A clip for each text below the folder; `trainval`, `pretrain` and `test` are the splits."""
    for path in sorted(request.folder.rglob("*.txt")):
        try:
            clip = _clip(path, request)
        except (ValueError, IndexError) as error:
            yield bad_row(str(path), error)
            continue
        media = path.with_suffix(".mp4")
        if request.media is not None:
            media = request.media / path.relative_to(request.folder).with_suffix(".mp4")
        yield with_media(clip, media if media.is_file() else None, media.name)


def _clip(path: Path, request: Request) -> SourceClip:
    told: dict[str, str] = {}
    words: list[tuple[str, float, float]] = []
    in_words = False
    for line in lines(path):
        fields = line.split()
        if fields[:3] == ["WORD", "START", "END"]:
            in_words = True
        elif in_words and fields:
            words.append((fields[0], seconds(fields[1]), seconds(fields[2])))
        elif ":" in line:
            name, _, value = line.partition(":")
            told[name.strip()] = value.strip()
    if "Text" not in told:
        raise ValueError("no 'Text:' line")
    parts = path.relative_to(request.folder).parts
    return SourceClip(
        uid=path.relative_to(request.folder).with_suffix("").as_posix(),
        dataset=DATASET,
        media="",
        url=watch_url(told["Ref"]) if told.get("Ref") else "",
        transcript=told["Text"],
        words=tuple(words),
        split=_split(parts) or request.split,
        rights=RIGHTS,
    )


def _split(parts: tuple[str, ...]) -> str:
    named = {"trainval": "train", "pretrain": "train", "test": "test"}
    return next((named[part] for part in parts if part in named), "")
