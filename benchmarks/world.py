"""Clips a second on one core, by class: `OMP_NUM_THREADS=1 python benchmarks/world.py [SIZE ..]`.

Rendering includes video, audio, captions and events; then what storing a clip costs.
"""

import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from data_pipelines import records, schema
from data_pipelines.world import WorldConfig, WorldSource, degrade, draws, scenes

CLIPS = 40
CONFIG = WorldConfig(
    seed=0,
    split="train",
    clips=CLIPS,
    seconds=4.0,
    fps=25,
    size=64,
    sample_rate=16000,
    classes=scenes.names(),
    offscreen_probability=0.3,
)


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Processor time of one call."""
    work()
    start = time.process_time()
    for _ in range(repeats):
        work()
    return 1e3 * (time.process_time() - start) / repeats


def classes(size: int) -> None:
    """Prints how fast each class renders at `size` pixels."""
    for name in scenes.names():
        source = WorldSource(dataclasses.replace(CONFIG, classes=(name,), size=size))
        spent = milliseconds(lambda source=source: [source[k] for k in range(CLIPS)], 1) / CLIPS
        print(f"{name:12} {size:4} px {1e3 / spent:7.1f} clips/s")


def storage() -> None:
    """Prints size and decoding time of a record as encoded bytes and as read from shards."""
    clips = [WorldSource(CONFIG)[k] for k in range(CLIPS)]
    data = schema.encode(clips[0])
    print(f"decode alone {milliseconds(lambda: schema.decode(data), 20):.2f} ms")
    for options in ("group_size:1,uncompressed", "group_size:1,snappy", "group_size:1,zstd:1"):
        with tempfile.TemporaryDirectory() as folder:
            shard = records.shard_path(Path(folder), 0, 1)
            records.describe(Path(folder), [records.write_shard(clips, shard, options)])
            source, stored = records.RecordSource(folder), os.path.getsize(shard) / CLIPS
            read = milliseconds(lambda source=source: [source[k] for k in range(CLIPS)], 2) / CLIPS
            print(f"{options:26} {stored / 1e3:7.0f} kB/clip {read:6.2f} ms/read")


def damage() -> None:
    """Prints the time of each kind of damage to a clip."""
    video, rng = WorldSource(CONFIG)[0].video, draws.stream(0, "train", 0, "damage")
    for kind in degrade.KINDS:
        spent = milliseconds(lambda kind=kind: degrade.degrade(video, kind, 0.5, rng), 10)
        print(f"{kind:16} {spent:6.2f} ms")


if __name__ == "__main__":
    for pixels in sys.argv[1:] or ("64", "96"):
        classes(int(pixels))
    storage()
    damage()
