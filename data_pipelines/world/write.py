"""Writes procedural datasets: worker processes render, this one writes the shards."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import tqdm

from data_pipelines import records, schema
from data_pipelines.pool import run_pool
from data_pipelines.world import playable
from data_pipelines.world.config import WorldConfig, validate
from data_pipelines.world.source import WORLD_VERSION, WorldSource
from v2a_jax.errors import UserError

EVENTS = "events.json"


def write_world(
    config: WorldConfig,
    directory: str | os.PathLike,
    *,
    shards: int,
    workers: int,
    mp4: bool,
    tfds: bool,
    progress: bool,
) -> None:
    """Writes all clips of `config` into the new folder `directory`, or nothing at all.

    `mp4` adds a playable file for each clip, and `events.json` that maps a file's name to its
    events, caption, labels and words; `tfds` adds the records as a TFDS dataset in the folder
    `tfds`.
    UserError on a bad config or a folder that cannot be written.
    """
    validate(config)
    if shards < 1 or workers < 1:
        raise UserError(f"world: {shards} shards, {workers} workers; there is at least 1 of each")
    with records.staged(directory) as staging, contextlib.ExitStack() as stack:
        work = _Work(config, staging if mp4 else None)
        made = run_pool(work, range(config.clips), workers=workers, ordered=True)
        stack.enter_context(contextlib.closing(made))
        bar = stack.enter_context(tqdm.tqdm(total=config.clips, unit="clip", disable=not progress))
        entries: dict[str, dict] = {}
        clips = _noting(made, entries, bar)
        world = dataclasses.asdict(config) | {"version": WORLD_VERSION}
        records.fill(staging, clips, count=config.clips, shards=shards, world=world)
        if mp4:
            (staging / EVENTS).write_text(json.dumps(entries, indent=1) + "\n")
        if tfds:
            from data_pipelines import tfds_builder  # takes seconds to import

            tfds_builder.write_tfds(staging, staging / "tfds")


@dataclasses.dataclass(frozen=True)
class _Work:
    """Renders clips, and writes their playable files where there is a folder for them."""

    config: WorldConfig
    playable: Path | None

    def __call__(self, index: int) -> schema.ClipRecord:
        record = WorldSource(self.config)[index]
        if self.playable is not None:
            playable.write_mp4(record, self.playable / _file_name(index))
        return record


def _file_name(index: int) -> str:
    return f"clip-{index:06d}.mp4"


def _noting(
    clips: Iterable[schema.ClipRecord], entries: dict[str, dict], bar: tqdm.tqdm
) -> Iterator[schema.ClipRecord]:
    """The clips, each counted and entered into `entries` under its file's name."""
    for record in clips:
        known = schema.annotations(record)
        name = _file_name(record.meta["index"])
        entries[name] = {key: known[key] for key in ("events", "caption", "labels", "words")}
        bar.update()
        yield record
