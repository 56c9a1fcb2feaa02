"""One shard: its clips go through all stages, one after the other, and leave as a file of records.

What became of each clip is noted beside the shard; the note is written last, so that a shard with
a note is whole.
"""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_pipelines import records, schema
from data_pipelines.annotate.protocol import Annotator, View, annotations
from data_pipelines.prepare.boundaries import shots_of
from data_pipelines.prepare.config import PrepareConfig
from data_pipelines.prepare.media import Media, open_media
from data_pipelines.prepare.plan import Plan
from data_pipelines.prepare.windows import Window, cut, useless
from data_pipelines.provenance import ledger, policy
from data_pipelines.sources import Dropped, SourceClip
from v2a_jax.errors import UserError
from v2a_jax.media.apart import Kept
from v2a_jax.media.files import atomic_output

TOOL = {"tool": "v2a prepare", "version": "1"}


@dataclasses.dataclass(kw_only=True)
class Note:
    """What became of a shard's clips: counts, rows of the ledger and index, and all drops.

    `untold` are the windows of which an annotator failed to tell; they are kept.
    """

    clips: int = 0
    windows: int = 0
    assets: list[ledger.Row] = dataclasses.field(default_factory=list)
    index: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    dropped: list[dict[str, str]] = dataclasses.field(default_factory=list)
    untold: list[dict[str, str]] = dataclasses.field(default_factory=list)
    summary: dict[str, Any] = dataclasses.field(default_factory=dict)


class _Drop(Exception):
    """Ends the way of a clip, or of a window, through the stages."""

    def __init__(self, stage: str, reason: str, detail: str = ""):
        super().__init__(reason)
        self.stage, self.reason, self.detail = stage, reason, detail


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShardMaker:
    """Makes shards of the plan in `folder`; the records go to `data`. Picklable.

    `withdrawn` are names of assets that must not be read; `root` is the folder of the media.
    """

    folder: Path
    data: Path
    config: PrepareConfig
    annotators: tuple[Annotator, ...]
    shards: int
    root: str
    withdrawn: frozenset[str]

    def __call__(self, shard: int) -> int:
        """Makes one shard, and returns its number."""
        final = records.shard_path(self.data, shard, self.shards)
        # A draft that a kill leaves must not get among the data, and no other process may write to
        # it: one that a killed run left may still make the same shard.
        draft = self.folder / f".{final.name}.{secrets.token_hex(4)}"
        note = Note()
        try:
            with Kept() as kept:
                summary = records.write_shard(self._records(shard, note, kept), draft)
            to_disk(draft)
            draft.replace(final)
        finally:
            draft.unlink(missing_ok=True)
        note.summary = summary
        with atomic_output(note_path(self.folder, shard)) as file:
            file.write(json.dumps(vars(note), ensure_ascii=False).encode())
        return shard

    def _records(self, shard: int, note: Note, kept: Kept) -> Iterator[schema.ClipRecord]:
        for clip in Plan(self.folder).clips(shard):
            note.clips += 1
            with _noting(note, clip, clip.media):
                media = self._admitted(clip, kept)
                for window in self._windows(clip, media):
                    note.windows += 1
                    with _noting(note, clip, f"{clip.media}@{window.start:.3f}"):
                        record = self._record(clip, media, window)
                        self._enter(clip, media, record, note)
                        yield record

    def _admitted(self, clip: SourceClip, kept: Kept) -> Media:
        """Policy and probe: the media of a clip that may be read, and has what it must."""
        row = ledger.asset_row(clip, "", [])
        if clip.provenance_id in self.withdrawn:
            raise _Drop("policy", policy.WITHDRAWN)
        refused = policy.refusal(row, self.config.policy)
        if refused:
            raise _Drop("policy", refused, row["licence"])
        try:
            media = open_media(clip, self.config, kept)
        except (UserError, RuntimeError, OSError) as error:
            raise _Drop("probe", "unreadable", str(error)) from error
        if media.asset in self.withdrawn:
            raise _Drop("policy", policy.WITHDRAWN)
        for name in self.config.require:
            if not getattr(media, f"has_{name}"):
                raise _Drop("probe", f"no {name}")
        return media

    def _windows(self, clip: SourceClip, media: Media) -> list[Window]:
        try:
            changes = shots_of(clip, media, self.config)
        except (UserError, RuntimeError) as error:
            raise _Drop("probe", "unreadable", str(error)) from error
        return cut(clip, media.duration, self.config, changes)

    def _record(self, clip: SourceClip, media: Media, window: Window) -> schema.ClipRecord:
        """Decoding, filters and annotators: one window as a record."""
        config = self.config
        if window.frames < config.min_seconds * config.fps:
            raise _Drop("cut", "too short", f"{window.frames / config.fps:.2f} s")
        try:
            video, audio = media.read(window.start, window.frames, config)
        except (UserError, RuntimeError) as error:
            raise _Drop("decode", "unreadable", str(error)) from error
        why = useless(video, audio, config)
        if why:
            raise _Drop("filter", why)
        view = View(
            clip=clip,
            window=window,
            video=video,
            fps=float(config.fps),
            audio=audio,
            sample_rate=config.sample_rate,
        )
        return _encode(view, media.asset, annotations(view, self.annotators))

    @functools.cached_property
    def _made(self) -> dict[str, str]:
        """What the ledger says was done."""
        told = json.dumps(dataclasses.asdict(self.config), sort_keys=True)
        return TOOL | {"args_sha256": hashlib.sha256(told.encode()).hexdigest()}

    def _enter(self, clip: SourceClip, media: Media, record: schema.ClipRecord, note: Note) -> None:
        if not note.index or note.index[-1]["clip"] != clip.provenance_id:
            note.assets.append(ledger.asset_row(clip, media.asset, [self._made], root=self.root))
        for origin, fault in record.meta["faults"].items():
            note.untold.append({"record": record.provenance, "origin": origin, "fault": fault})
        captions = list(dict.fromkeys(text for text in record.captions.values() if text))
        entry = {
            "clip": clip.provenance_id,
            "start": record.meta["start"],
            "asset": media.asset,
            "captions": captions,
        }
        note.index.append(entry)


def _encode(view: View, asset: str, told: dict[str, Any]) -> schema.ClipRecord:
    clip = view.clip
    meta = {
        "licence": ledger.asset_row(clip, asset, [])["licence"],
        "split": clip.split,
        "asset": asset,
        "start": view.window.start,
        "told": told.pop("told"),
        "faults": told.pop("faults"),
    }
    return schema.ClipRecord(
        video=view.video,
        fps=view.fps,
        audio=view.audio,
        sample_rate=view.sample_rate,
        negatives=(),
        meta=meta,
        provenance=f"{clip.provenance_id}@{view.window.start:.3f}",
        **told,
    )


@contextlib.contextmanager
def _noting(note: Note, clip: SourceClip, where: str) -> Iterator[None]:
    """Notes a drop, and goes on."""
    try:
        yield
    except _Drop as drop:
        dropped = Dropped(
            stage=drop.stage,
            reason=drop.reason,
            uid=clip.provenance_id,
            where=where,
            detail=drop.detail,
        )
        note.dropped.append(vars(dropped))


def to_disk(path: Path) -> None:
    """Returns when a file's bytes would outlast the machine's end."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def note_path(folder: Path, shard: int) -> Path:
    """Where the note of a shard is."""
    return folder / f"shard-{shard:05d}.json"


def read_note(folder: Path, shard: int) -> Note:
    """What was noted of a shard that is whole."""
    note = Note(**json.loads(note_path(folder, shard).read_text(encoding="utf-8")))
    for name in ("sources", "licences"):
        note.summary[name] = collections.Counter(note.summary[name])
    return note
