"""Finding the media of a dataset by the names its downloaders give them."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from data_pipelines.sources.clip import Dropped, Found, SourceClip

VIDEO = frozenset(
    (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts")
    + (".flv", ".wmv", ".ogv", ".3gp", ".gif", ".mxf")
)
AUDIO = frozenset(
    (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aiff", ".aif", ".wma")
    + (".caf", ".au")
)


def media_files(folder: Path) -> Iterator[Path]:
    """All media files below a folder, in a fixed order; hidden files and folders are passed by."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            suffix = os.path.splitext(name)[1].lower()
            if suffix in VIDEO | AUDIO and not name.startswith("."):
                yield Path(place, name)


class MediaFolder:
    """Paths of the media below a folder, by name without suffix; video goes before audio."""

    def __init__(self, folder: Path):
        self._root = str(folder)
        self._by_stem: dict[str, str] = {}
        for path in media_files(folder):
            known = self._by_stem.get(path.stem)
            if known is None or (_is_audio(known) and not _is_audio(path.name)):
                self._by_stem[path.stem] = os.path.relpath(path, self._root)

    def find(self, *stems: str) -> str | None:
        """The file that has the first of these names there is."""
        for stem in stems:
            if stem in self._by_stem:
                return os.path.join(self._root, self._by_stem[stem])
        return None

    def clip(self, clip: SourceClip, *stems: str) -> Found:
        """The clip with its media among `stems`, or its drop."""
        return with_media(clip, self.find(*stems), stems[0])


def with_media(clip: SourceClip, media: str | os.PathLike | None, name: str) -> Found:
    """The clip with this file, or its drop when there is none; `name` is what was looked for."""
    if media is None:
        return Dropped(stage="read", reason="media missing", uid=clip.provenance_id, detail=name)
    return dataclasses.replace(clip, media=os.fspath(media))


def cut_names(key: str, start: float, end: float) -> tuple[str, ...]:
    """Names that downloaders give a part of a video: id_start, id_startms_endms."""
    begin, stop = round(1000 * start), round(1000 * end)
    whole = round(start)
    return (f"{key}_{whole:06d}", f"{key}_{begin}_{stop}", f"{key}_{begin}", f"{key}_{whole}")


def _is_audio(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in AUDIO
