"""Writes a store of features shard by shard, and goes on where it was killed.

Beside the new folder OUT, `.OUT.encode` holds what is done so far. A shard is a function of its
clips alone: batches do not reach over its ends. Its note is written last, so that a shard with a
note is whole; the folder of the shards becomes OUT at the end.
"""

import collections
import dataclasses
import itertools
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grain
import tqdm

from data_pipelines import records
from data_pipelines.features import schema
from data_pipelines.features.encoder import ClipEncoder
from data_pipelines.loader import Numbered, Source, read_ahead
from data_pipelines.prepare.shard import Note, note_path, read_note, to_disk
from data_pipelines.provenance.allowed import INDEX
from data_pipelines.provenance.ledger import LEDGER
from v2a_jax.media.files import atomic_output
from v2a_jax.training.workdir import bind_config, held


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreWriter:
    """Encodes the clips of `source` into shards of `shard_clips`.

    `told` is what `dataset.json` says beside counts and shapes; `ledger` is copied where there is
    one.
    """

    source: Source
    encoder: ClipEncoder
    shard_clips: int
    told: Mapping[str, Any]
    ledger: Path | None

    @property
    def shards(self) -> int:
        """How many files there are."""
        return -(-len(self.source) // self.shard_clips)

    def write(self, out: Path, *, progress: bool) -> None:
        """Makes the new folder `out`, or goes on with it.

        UserError when it is there already, another process writes it, it was begun otherwise, or a
        clip cannot be read.
        """
        out = out.absolute()
        records.check_new(out)
        folder = out.with_name(f".{out.name}.encode")
        # Rows of another batch shape may differ in their last bits.
        form = {"shard_clips": self.shard_clips, "batch": self.encoder.size}
        with held(folder):
            try:
                bind_config(folder, {**self.told, "form": form}, started=True)
                self._make_shards(folder, progress)
                self._publish(folder, out)
            finally:
                if not (_data(folder).is_dir() and note_path(folder, 0).is_file()):
                    shutil.rmtree(folder)

    def _make_shards(self, folder: Path, progress: bool) -> None:
        """Makes the shards that have no note yet."""
        data = _data(folder)
        data.mkdir(exist_ok=True)
        todo = [k for k in range(self.shards) if not note_path(folder, k).is_file()]
        done = len(self.source) - sum(len(self._clips(shard)) for shard in todo)
        with tqdm.tqdm(
            total=len(self.source), initial=done, unit="clip", disable=not progress
        ) as bar:
            for shard in todo:
                final = records.shard_path(data, shard, self.shards)
                note, draft = Note(), folder / f".{final.name}"
                encoded = map(schema.encode, self._encoded(shard, note, bar))
                records.write_file(encoded, draft, schema.WRITER_OPTIONS)
                to_disk(draft)
                draft.replace(final)
                with atomic_output(note_path(folder, shard)) as file:
                    file.write(json.dumps(vars(note), ensure_ascii=False).encode())

    def _clips(self, shard: int) -> range:
        """The source's clips in one shard."""
        first = shard * self.shard_clips
        return range(first, min(first + self.shard_clips, len(self.source)))

    def _encoded(self, shard: int, note: Note, bar: tqdm.tqdm) -> Iterator[schema.EncodedClip]:
        """The shard's clips, encoded and noted."""
        clips, config = self._clips(shard), self.encoder.example.config
        rows = grain.MapDataset.source(Numbered(self.source))[clips.start : clips.stop]
        batches = rows.map(self.encoder.row).batch(self.encoder.size, batch_fn=list)
        note.summary = {"count": 0, "sources": collections.Counter()}
        note.summary |= {"licences": collections.Counter()}
        for batch in batches.to_iter_dataset(read_ahead(config)):
            for clip in self.encoder(batch):
                _enter(note, clip)
                bar.update()
                yield clip

    def _publish(self, folder: Path, out: Path) -> None:
        """Writes what describes the store, and moves it into its place."""
        data = _data(folder)
        notes = [read_note(folder, shard) for shard in range(self.shards)]
        if self.ledger is not None:
            shutil.copyfile(self.ledger, data / LEDGER)
            with atomic_output(data / INDEX) as file:
                for entry in itertools.chain.from_iterable(note.index for note in notes):
                    file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        summaries = [note.summary for note in notes]
        records.describe(data, summaries, dtype=str(self.encoder.dtype), **self.told)
        records.publish(data, out)


def _data(folder: Path) -> Path:
    return folder / "data"


def _enter(note: Note, clip: schema.EncodedClip) -> None:
    """Counts a clip, and adds its row of the index."""
    summary, asset = note.summary, clip.meta.get("asset", "")
    summary["count"] += 1
    summary["sources"][clip.provenance.split("/")[0]] += 1
    summary["licences"][str(clip.meta.get("licence", "unknown"))] += 1
    note.index.append({"clip": clip.provenance.rsplit("@", 1)[0], "asset": asset})
