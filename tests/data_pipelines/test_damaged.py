"""A record that cannot be read is named and fatal, or skipped alike by all who read."""

import itertools

import jax
import numpy as np
import pytest
from tiny_loader import FORM, LOADER

from data_pipelines.damaged import FAR, Skipping, by_policy
from data_pipelines.loader import Loader, Numbered
from data_pipelines.records import RecordSource, shard_path, write_shards
from data_pipelines.world.config import WorldConfig
from data_pipelines.world.source import WorldSource
from v2a_jax.errors import UserError

CLIPS, BATCH = 6, 4
WORLD = dict(seed=0, split="train", seconds=0.64, classes=("bounce",), offscreen_probability=0.0)


@pytest.fixture(scope="module")
def corrupt(tmp_path_factory):
    """A dataset with one record whose bytes have rotted on disk, and the record's index."""
    folder = tmp_path_factory.mktemp("data") / "records"
    clips = WorldSource(WorldConfig(clips=CLIPS, **WORLD, **FORM))
    write_shards((clips[i] for i in range(CLIPS)), folder, count=CLIPS, shards=1)
    shard = shard_path(folder, 0, 1)
    content = bytearray(shard.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    shard.write_bytes(content)
    bad = [i for i in range(CLIPS) if not readable(RecordSource(folder), i)]
    assert len(bad) == 1
    return folder, bad[0]


def readable(source, index):
    try:
        source[index]
    except UserError:
        return False
    return True


def batches(folder, damaged, part=0, parts=1, start=0, steps=6):
    loader = Loader(
        RecordSource(folder),
        LOADER,
        encode=lambda _: [],
        batch_size=BATCH,
        seed=1,
        part=part,
        parts=parts,
        damaged=damaged,
    )
    return list(itertools.islice(loader.batches(start), steps))


def test_by_default_it_is_named_and_fatal(corrupt):
    folder, bad = corrupt
    with pytest.raises(UserError, match=rf"record {bad} of .*records.* cannot be read"):
        batches(folder, "fail")


def test_skipped_it_is_told_once_and_the_next_one_comes_whoever_reads(corrupt, capfd):
    folder, bad = corrupt
    whole = batches(folder, "skip")
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 1 and f"record {bad} of" in told[0] and "1 damaged so far" in told[0]
    indices = [batch.index.tolist() for batch in whole]
    assert bad not in sum(indices, []) and (bad + 1) % CLIPS in sum(indices, [])
    halves = [batches(folder, "skip", part, 2, start=2, steps=2) for part in range(2)]
    for step, both in enumerate(zip(*halves, strict=True), 2):
        joined = jax.tree.map(lambda *rows: np.concatenate(rows), *both)
        jax.tree.map(np.testing.assert_array_equal, joined, whole[step])


def test_data_that_is_gone_is_not_skipped_for_ever(corrupt):
    class Gone:
        def __len__(self):
            return 10 * FAR

        def __getitem__(self, index):
            raise OSError("no such device")

    with pytest.raises(UserError, match=f"record 7 and the {FAR - 1} after it cannot be read"):
        Skipping(Numbered(Gone()))[7]
    with pytest.raises(UserError, match="data.damaged 'ignore' is not one of: fail, skip"):
        by_policy("ignore", Numbered(RecordSource(corrupt[0])))
