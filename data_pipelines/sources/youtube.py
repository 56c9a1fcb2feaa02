"""What datasets that point into YouTube have in common."""

from pathlib import Path

from data_pipelines.sources.clip import Request
from v2a_jax.errors import UserError


def watch_url(key: str, start: float = 0.0) -> str:
    """The address of a video at a time."""
    return f"https://www.youtube.com/watch?v={key}" + (f"&t={int(start)}s" if start else "")


def annotation_file(request: Request, *patterns: str) -> Path:
    """The file given, or the first in the folder given that has one of these names.

    UserError when there is none.
    """
    if request.path.is_file():
        return request.path
    for pattern in patterns:
        for path in sorted(request.path.rglob(pattern)):
            if path.is_file():
                return path
    raise UserError(f"--input: no {' or '.join(patterns)} in '{request.path}'")
