"""`greatest_hits`: `{vid}_denoised.mp4` (or `_mic`), and `{vid}_times.txt`.

Each line of the latter is `time material action reaction`. An action or material that was not told
is `None` there; the event stays.
"""

from collections.abc import Iterator
from pathlib import Path

from data_pipelines.sources.clip import Found, Request, Rights, SourceClip
from data_pipelines.sources.locate import MediaFolder
from data_pipelines.sources.tables import bad_row, lines, seconds
from v2a_jax.errors import UserError
from v2a_jax.types import Event

DATASET = "greatest_hits"
TIMES = "_times.txt"
UNTOLD = "contact"
RIGHTS = Rights(licence="Greatest Hits, research", consent="release form")


def read(request: Request) -> Iterator[Found]:
    """A clip for each file of times."""
    media = MediaFolder(request.media_folder)
    found = sorted(request.folder.rglob(f"*{TIMES}"))
    if not found:
        raise UserError(f"--input: no *{TIMES} in '{request.folder}'")
    for path in found:
        key = path.name.removesuffix(TIMES)
        events = []
        for number, line in enumerate(lines(path), 1):
            try:
                events += _event(line)
            except (ValueError, IndexError) as error:
                yield bad_row(f"{path}:{number}", error)
        yield media.clip(
            _clip(key, tuple(events), path, request), f"{key}_denoised", f"{key}_mic", key
        )


def _event(line: str) -> list[Event]:
    words = line.split()
    if not words:
        return []
    time, material, action = seconds(words[0]), words[1], words[2]
    kind = UNTOLD if action == "None" else action
    return [Event(time=time, end=time, kind=kind, material="" if material == "None" else material)]


def _clip(key: str, events: tuple[Event, ...], path: Path, request: Request) -> SourceClip:
    labels = (f"{event.material} {event.kind}".strip() for event in events)
    return SourceClip(
        uid=key,
        dataset=DATASET,
        media="",
        labels=tuple(dict.fromkeys(labels)),
        events=events,
        split=request.split,
        rights=RIGHTS,
    )
