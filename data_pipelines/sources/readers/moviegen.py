"""`moviegen`: Movie Gen Audio Bench, JSONL `{id, video_prompt, audio_prompt[, music_prompt]}`.

One file of all, or one .jsonl beside each video, named like it.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from data_pipelines.sources.clip import Found, Request, Rights, SourceClip
from data_pipelines.sources.locate import MediaFolder
from data_pipelines.sources.tables import lines, parsed
from v2a_jax.errors import UserError

DATASET = "moviegen"
RIGHTS = Rights(
    licence="CC-BY-NC-4.0",
    evidence="https://github.com/facebookresearch/MovieGenBench",
    consent="licence",
)


def read(request: Request) -> Iterator[Found]:
    """A clip for each line; it is of the test split, for the benchmark is no training data."""
    found = [request.path] if request.path.is_file() else sorted(request.path.rglob("*.jsonl"))
    if not found:
        raise UserError(f"--input: no .jsonl in '{request.path}'")
    media = MediaFolder(request.media_folder)
    for path in found:
        numbered = ((k, line) for k, line in enumerate(lines(path), 1) if line.strip())
        yield from parsed(path, numbered, lambda line, path=path: _clip(line, path, media))


def _clip(line: str, path: Path, media: MediaFolder) -> Found:
    values = json.loads(line)
    key = str(values.get("id", path.stem))
    prompts = [values["audio_prompt"], values.get("music_prompt") or ""]
    clip = SourceClip(
        uid=key,
        dataset=DATASET,
        media="",
        captions=tuple(prompt.strip() for prompt in prompts if prompt.strip()),
        split="test",
        rights=RIGHTS,
    )
    return media.clip(clip, key)
