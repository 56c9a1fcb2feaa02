"""A TFDS builder over a dataset of records: one split, ArrayRecord files, no TensorFlow.

An example has the arrays a trainer wants as features of their own (video, audio, caption, labels,
events; numbers as float32) and everything else a record holds as JSON, exactly, so that it can be
turned back into the record.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_pipelines import records, schema
from v2a_jax.errors import UserError

VERSION = f"{schema.SCHEMA_VERSION}.0.0"
_EVENT = {
    "time": np.float32,
    "end": np.float32,
    "kind": tfds.features.Text(),
    "material": tfds.features.Text(),
    "strength": np.float32,
    "f1": np.float32,
    "x": np.float32,
    "y": np.float32,
    "onscreen": np.bool_,
    "note": np.int32,
}


class Builder(tfds.core.GeneratorBasedBuilder):
    """Clips of `records_dir` as the TFDS dataset `clips`; without it, a dataset already made."""

    name = "clips"
    VERSION = tfds.core.Version(VERSION)

    def __init__(self, *, records_dir: str | os.PathLike | None = None, **kwargs: Any) -> None:
        """UserError when `records_dir` is given and holds no dataset."""
        self._source = records.RecordSource(records_dir) if records_dir else None
        super().__init__(**{"file_format": "array_record"} | kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "video": tfds.features.Tensor(
                shape=(None, None, None, 3), dtype=np.uint8, encoding="zlib"
            ),
            "audio": tfds.features.Tensor(shape=(None, None), dtype=np.float32, encoding="zlib"),
            "fps": np.float32,
            "sample_rate": np.int64,
            "caption": tfds.features.Text(),
            "transcript": tfds.features.Text(),
            "labels": tfds.features.Sequence(tfds.features.Text()),
            "events": tfds.features.Sequence(_EVENT),
            "has_video": np.bool_,
            "has_audio": np.bool_,
            "annotations": tfds.features.Text(doc="the whole record but its arrays, as JSON"),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,  # index i here is record i there
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict]]]:
        if self._source is None:
            raise UserError(
                "TFDS clips: there is no dataset there, and no records_dir to make it of"
            )
        split = self._source.description.get("split") or "train"
        return {split: self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict]]:
        for index in range(len(self._source)):
            yield index, _example(self._source[index])


def _example(record: schema.ClipRecord) -> dict[str, Any]:
    values = schema.annotations(record)
    nothing = np.zeros((0, 0, 0, 3), np.uint8), np.zeros((0, 0), np.float32)
    shown = {name: values[name] for name in ("fps", "sample_rate", "caption", "transcript")}
    return shown | {
        "video": nothing[0] if record.video is None else record.video,
        "audio": nothing[1] if record.audio is None else record.audio,
        "labels": list(record.labels),
        "events": values["events"],
        "has_video": record.video is not None,
        "has_audio": record.audio is not None,
        "annotations": json.dumps(values),
    }


def write_tfds(records_dir: str | os.PathLike, data_dir: str | os.PathLike) -> None:
    """Writes the records as `data_dir`/clips/VERSION, readable by `tfds.data_source`."""
    builder = Builder(records_dir=records_dir, data_dir=os.fspath(data_dir))
    with tempfile.TemporaryDirectory() as downloads:  # of which there are none
        builder.download_and_prepare(download_dir=downloads)


class TfdsSource:
    """The records of a TFDS dataset, by random access; `directory` is its version folder."""

    def __init__(self, directory: str | os.PathLike) -> None:
        """UserError when `directory` holds no TFDS dataset of clips."""
        self.directory = os.fspath(directory)
        try:
            builder = tfds.builder_from_directory(self.directory)
            (self.split,) = builder.info.splits
            self._examples = builder.as_data_source(split=self.split)
        except (OSError, ValueError, KeyError, tfds.core.DatasetNotFoundError) as error:
            raise UserError(f"{self.directory}: no TFDS dataset of clips ({error})") from error

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> schema.ClipRecord:
        example = self._examples[index]
        return schema.from_annotations(
            json.loads(example["annotations"]),
            video=example["video"] if example["has_video"] else None,
            audio=example["audio"] if example["has_audio"] else None,
        )

    def __reduce__(self) -> tuple[type["TfdsSource"], tuple[str]]:
        return TfdsSource, (self.directory,)
