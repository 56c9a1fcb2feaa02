"""The TFDS dataset holds the records, in their order, and needs no TensorFlow."""

import dataclasses
import pickle
import sys

import pytest
import tensorflow_datasets as tfds

from data_pipelines import records
from data_pipelines.tfds_builder import TfdsSource, write_tfds
from data_pipelines.world import WorldConfig, WorldSource
from v2a_jax.errors import UserError

CONFIG = WorldConfig(
    seed=0,
    split="val",
    clips=6,
    seconds=1.0,
    fps=10,
    size=32,
    sample_rate=8000,
    classes=("impact", "bounce", "landscape"),
    offscreen_probability=0.5,
)


@pytest.fixture(name="folder", scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    clips = list(WorldSource(CONFIG))
    clips[2] = dataclasses.replace(clips[2], video=None)
    clips[3] = dataclasses.replace(clips[3], audio=None, events=())
    records.write_shards(clips, folder / "records", count=6, shards=2)
    write_tfds(folder / "records", folder / "tfds")
    return folder


def test_round_trip(folder):
    source, expected = (
        TfdsSource(folder / "tfds/clips/2.0.0"),
        records.RecordSource(folder / "records"),
    )
    assert [source[k] for k in range(len(source))] == list(expected)
    assert pickle.loads(pickle.dumps(source))[1] == expected[1]
    assert "tensorflow" not in sys.modules


def test_data_source_has_features_of_their_own(folder):
    data = tfds.data_source("clips", split="val", data_dir=folder / "tfds")
    expected = records.RecordSource(folder / "records")[0]
    assert data[0]["video"].shape == (10, 32, 32, 3) and data[0]["audio"].shape == (8000, 1)
    assert data[0]["caption"].decode() == expected.caption
    times = [event.time for event in expected.events]
    assert times and data[0]["events"]["time"] == pytest.approx(times, rel=1e-6)
    assert not data[2]["has_video"] and not data[3]["has_audio"]


def test_other_folders_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match="no TFDS dataset"):
        TfdsSource(tmp_path)
    with pytest.raises(UserError, match="no dataset"):
        write_tfds(tmp_path, tmp_path / "out")
