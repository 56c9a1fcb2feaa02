"""Where clips come from: one small reader a dataset, all giving `SourceClip`s.

A reader is a module of `readers`, found by its name, with `read(request) -> Iterator[Found]`. It
streams, and tells of what it cannot use as `Dropped` instead of stopping. A new source is one file.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from data_pipelines.sources import readers
from data_pipelines.sources.clip import Dropped, Found, Request, Rights, SourceClip
from v2a_jax.errors import UserError

__all__ = ["Dropped", "Found", "Request", "Rights", "SourceClip", "names", "read"]


def names() -> list[str]:
    """Names of all sources, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(readers.__path__))


def read(source: str, path: Path, *, media: Path | None, split: str) -> Iterator[Found]:
    """What `source` (NAME, or NAME:ARGUMENT) finds at `path`, in the source's own order.

    `media` is the folder of the media files where it is not `path`'s; `split` keeps only clips of
    that split, and is given to those that tell none. UserError when there is no such source, or
    nothing of its layout.
    """
    name, _, argument = source.partition(":")
    if name not in names():
        raise UserError(f"--source: no '{name}' (one of: {', '.join(names())})")
    if not path.exists():
        raise UserError(f"--input: nothing at '{path}'")
    if media is not None and not media.is_dir():
        raise UserError(f"--media: no folder at '{media}'")
    module = importlib.import_module(f"{readers.__name__}.{name}")
    request = Request(path=path, media=media, argument=argument, split=split)
    return _of_split(module.read(request), split)


def _of_split(found: Iterator[Found], split: str) -> Iterator[Found]:
    for one in found:
        if not split or isinstance(one, Dropped) or one.split == split:
            yield one
