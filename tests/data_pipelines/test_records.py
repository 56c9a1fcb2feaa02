"""Datasets appear whole or not at all, and damage is reported with the folder's name."""

import concurrent.futures
import json
import pickle

import numpy as np
import pytest

from data_pipelines.records import DESCRIPTION, RecordSource, shard_range, write_shards
from data_pipelines.schema import ClipRecord
from v2a_jax.errors import UserError


def clip(index):
    return ClipRecord(
        video=np.full((3, 8, 8, 3), index, np.uint8),
        fps=10.0,
        audio=np.full((30, 1), index, np.float32),
        sample_rate=100,
        caption=f"clip {index}",
        captions={"full": f"clip {index}"},
        negatives=(),
        transcript="",
        words=(),
        labels=(),
        events=(),
        meta={"licence": "procedural", "split": "val"},
        provenance=f"test/{index}",
    )


@pytest.fixture(name="dataset")
def written(tmp_path):
    write_shards(map(clip, range(11)), tmp_path / "data", count=11, shards=3)
    return tmp_path / "data"


def test_random_access_by_threads_and_after_pickling(dataset):
    source = pickle.loads(pickle.dumps(RecordSource(dataset)))
    order = [int(k) for k in np.random.default_rng(0).integers(0, 11, 60)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        read = list(pool.map(source.__getitem__, order))
    assert len(source) == 11
    assert all(record == clip(index) for index, record in zip(order, read, strict=True))


def test_iteration_ends(dataset):
    assert [record.caption for record in RecordSource(dataset)] == [f"clip {k}" for k in range(11)]


def test_description(dataset):
    description = json.loads((dataset / DESCRIPTION).read_text())
    expected = {"count": 11, "fps": 10.0, "size": [8, 8], "sample_rate": 100, "split": "val"}
    assert description.items() >= (expected | {"seconds": 0.3, "shards": 3}).items()
    assert description["provenance"] == {"sources": {"test": 11}, "licences": {"procedural": 11}}


def test_shards_partition_the_clips():
    for shards in (1, 3, 7):
        ranges = [shard_range(shard, shards, 23) for shard in range(shards)]
        assert [index for part in ranges for index in part] == list(range(23))
        assert max(map(len, ranges)) - min(map(len, ranges)) <= 1


def test_failure_leaves_nothing(tmp_path):
    def failing():
        yield clip(0)
        raise UserError("gone")

    with pytest.raises(UserError, match="gone"):
        write_shards(failing(), tmp_path / "new" / "data", count=5, shards=2)
    with pytest.raises(UserError, match="1 records where 5"):
        write_shards(iter([clip(0)]), tmp_path / "data", count=5, shards=2)
    assert list(tmp_path.iterdir()) == []


def test_existing_data_is_kept(dataset):
    with pytest.raises(UserError, match="exists already"):
        write_shards(map(clip, range(2)), dataset, count=2, shards=1)
    assert len(RecordSource(dataset)) == 11


def test_missing_and_damaged_datasets_are_named(dataset, tmp_path):
    with pytest.raises(UserError, match="nowhere: no dataset"):
        RecordSource(tmp_path / "nowhere")
    shard = sorted(dataset.glob("*.array_record"))[1]
    data = shard.read_bytes()
    shard.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=str(dataset)):
        list(map(RecordSource(dataset).__getitem__, range(11)))
    shard.unlink()
    with pytest.raises(UserError, match="is missing"):
        RecordSource(dataset)
    (dataset / DESCRIPTION).write_text("{")
    with pytest.raises(UserError, match="damaged"):
        RecordSource(dataset)


@pytest.mark.parametrize("name", ["shards", "count"])
@pytest.mark.parametrize("told", [None, "3", 1.5])
def test_a_description_without_its_numbers_is_damaged(dataset, name, told):
    description = json.loads((dataset / DESCRIPTION).read_text())
    for wrong in (description | {name: told}, {k: v for k, v in description.items() if k != name}):
        (dataset / DESCRIPTION).write_text(json.dumps(wrong))
        with pytest.raises(UserError, match=f"{DESCRIPTION}: damaged"):
            RecordSource(dataset)


def test_a_flipped_bit_is_reported_or_harmless(dataset):
    shard = sorted(dataset.glob("*.array_record"))[0]
    data = shard.read_bytes()
    reported = 0
    for position in np.flatnonzero(np.frombuffer(data, np.uint8))[::31]:
        changed = bytearray(data)
        changed[position] ^= 0x10
        shard.write_bytes(changed)
        try:
            assert list(RecordSource(dataset)) == list(map(clip, range(11)))
        except UserError as error:
            assert str(dataset) in str(error)
            reported += 1
    assert reported > 10


def test_index_out_of_range(dataset):
    for index in (-1, 11):
        with pytest.raises(IndexError):
            RecordSource(dataset)[index]
