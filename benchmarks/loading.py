"""The loader's examples a second beside a raw read of the same files, and beside training.

`python benchmarks/loading.py --out=runs/loading [--config=configs/demo.py]` renders clips, writes
them as `v2a world` does, and features as `v2a encode` does (of noise: their bytes are of no
matter); then reads each through the loader and without it, in turns, prints a table and writes
`loading.json`. With `--train` steps on one batch of each are timed in the same turns.
"""

import collections
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
import processes
from absl import app, flags
from array_record.python.array_record_data_source import ArrayRecordDataSource
from marking.tables import table
from ml_collections import config_flags
from ours import Training
from rounds import Spread, in_turns, ratio

from data_pipelines import records
from data_pipelines.features import schema
from data_pipelines.features.example import FeatureExample
from data_pipelines.features.source import FEATURES, FeatureSource
from data_pipelines.loader import Source, Stream, read_ahead
from data_pipelines.open import loader_config, make_loader, open_source, tokenizer_for
from v2a_jax.models.system import System

CONFIG = config_flags.DEFINE_config_file("config", "configs/demo.py:diffusion", "FILE:diffusion.")
OUT = flags.DEFINE_string("out", "runs/loading", "Folder for the result.")
CLIPS = flags.DEFINE_integer("clips", 64, "Clips that are written.", lower_bound=8)
BATCHES = flags.DEFINE_integer("batches", 32, "Batches read in a turn.", lower_bound=2)
BATCH = flags.DEFINE_integer("batch", 8, "Examples of a batch.", lower_bound=1)
ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each.", lower_bound=1)
TRAIN = flags.DEFINE_integer("train", 0, "Also time training steps on so many examples.")
MANY = 100_000  # clips that a dataset is taken to have
WORLD_PART = 8  # rendering is slow: of so many batches one


def written(config: Any, folder: Path) -> Path:
    """A dataset of clips by `v2a world`."""
    world, out = config.data.world, folder / "records"
    wanted = [f"--out={out}", f"--clips={CLIPS.value}", f"--seconds={world.seconds}"]
    wanted += [f"--size={world.size}", f"--sample_rate={world.sample_rate}", "--workers=2"]
    if processes.start("world", *wanted).wait():
        raise SystemExit("v2a world failed")
    return out


def stored(config: Any, clips: Source, folder: Path) -> Path:
    """A store of features, one for each clip, in the shapes and the type of `v2a encode`."""
    system, out = System.from_config(config), folder / "features"
    frames, width = round(config.data.loader.seconds * config.model.video.fps), system.video_config
    shapes = dict(
        latents=(
            round(config.data.loader.seconds * system.codec_config.latent_rate),
            system.codec_config.latent,
        ),
        sync=(frames, width.width),
        semantic=(-(-frames // width.semantic_frames), width.width),
        text=(config.model.text.length, config.model.text.width),
        transcript=(config.data.loader.transcript_length,),
    )
    out.mkdir()
    encoded = map(schema.encode, _noise(clips, shapes))
    records.write_file(encoded, records.shard_path(out, 0, 1), schema.WRITER_OPTIONS)
    nothing = collections.Counter()
    summary = {"count": len(clips), "sources": nothing, "licences": nothing}
    records.describe(out, [summary], shapes=shapes, dtype="bfloat16", **{FEATURES: {}})
    return out


def _noise(clips: Source, shapes: dict[str, tuple[int, ...]]) -> Iterator[schema.EncodedClip]:
    rng, kind = np.random.default_rng(0), schema.FLOATS["bfloat16"]
    for clip in (clips[index] for index in range(len(clips))):
        made = {k: rng.standard_normal(v, np.float32).astype(kind) for k, v in shapes.items()}
        said = sorted({clip.caption, *clip.captions.values()} - {""})
        yield schema.EncodedClip(
            **{name: made[name] for name in ("latents", "sync", "semantic")},
            texts={text: made["text"][: len(text.split()) + 1] for text in said},
            transcript=np.zeros(0, np.int32),
            caption=clip.caption,
            captions=clip.captions,
            meta=clip.meta,
            provenance=clip.provenance,
        )


class Many:
    """A source that gives its clips again and again, as if there were more.

    Grain draws the order of few clips slowly: an example of 32 costs 0.8 ms, of 2000 0.02 ms.
    """

    def __init__(self, source: Source):
        self._source = source

    def __len__(self) -> int:
        return MANY

    def __getitem__(self, index: int) -> Any:
        return self._source[index % len(self._source)]


def feature_stream(config: Any, store: FeatureSource) -> Stream:
    """What `make_feature_loader` makes, without asking which weights made the features."""
    settings = loader_config(config)
    return Stream(
        Many(store),
        FeatureExample(config=settings, shapes=store.shapes, dtype=store.dtype),
        batch_size=config.run.batch_size,
        seed=config.seed,
        reading=read_ahead(settings),
    )


def through(stream: Stream, batches: int) -> Callable[[], None]:
    """Reads so many batches from a fresh iterator."""

    def read() -> None:
        for _ in itertools.islice(stream.batches(0), batches):
            continue

    return read


def raw(folder: Path, examples: int, threads: int) -> Callable[[], int]:
    """Reads so many records in a random order, by threads; their bytes."""
    files = sorted(str(path) for path in folder.glob("*.array_record"))
    source = ArrayRecordDataSource(files, {"index_storage_option": "in_memory"})
    order = np.random.default_rng(0).integers(0, len(source), examples).tolist()

    def read() -> int:
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(lambda index: len(source[index]), order))

    return read


def measured(config: Any, folder: Path) -> dict[str, dict[str, Any]]:
    """Examples that each work reads, or trains on, and the seconds of its turns."""
    tokenizer = tokenizer_for(config, folder, open_source(config, "train"))
    clips, examples = written(config, folder), BATCHES.value * BATCH.value
    streams = {"world, rendered": make_loader(config, open_source(config, "train"), tokenizer)}
    with config.unlocked():
        config.data.train = str(clips)
    source = open_source(config, "train")
    store = stored(config, source, folder)
    streams["records"] = make_loader(config, Many(source), tokenizer)
    streams["features"] = feature_stream(config, FeatureSource(store))
    few = max(BATCHES.value // WORLD_PART, 2)
    counts = dict.fromkeys(streams, BATCHES.value) | {"world, rendered": few}
    works = {
        name: (through(s, counts[name]), counts[name] * BATCH.value) for name, s in streams.items()
    }
    for name, place in (("records", clips), ("features", store)):
        for threads in (1, config.data.loader.threads):
            works[f"{name}, raw, {threads} thread(s)"] = (raw(place, examples, threads), examples)
    for name in ("records", "features") if TRAIN.value else ():
        batch = next(streams[name].batches(0))
        works[f"training on {name}"] = (trained(config, batch), TRAIN.value)
    for work, _ in works.values():
        work()
    seconds = in_turns({name: work for name, (work, _) in works.items()}, ROUNDS.value)
    return {
        name: {"examples": examples, "seconds": seconds[name]}
        for name, (_, examples) in works.items()
    }


def trained(config: Any, batch: Any) -> Callable[[], float]:
    """A training step on the first examples of a batch."""
    return Training(config, jax.tree.map(lambda x: x[: TRAIN.value], batch))


def rows(found: dict[str, dict[str, Any]]) -> list[tuple]:
    """Of the table: examples a second, beside a raw read by as many threads, beside training."""
    made, threads = [], CONFIG.value.data.loader.threads
    for name, one in found.items():
        others = [
            _quicker(one, found.get(other))
            for other in (f"{name}, raw, {threads} thread(s)", f"training on {name}")
        ]
        rate = Spread.of([one["examples"] / seconds for seconds in one["seconds"]])
        made.append((name, rate, *others))
    return made


def _quicker(one: dict[str, Any], other: dict[str, Any] | None) -> Spread | str:
    """How many times more examples a second than the other, round by round."""
    if other is None:
        return "–"
    share = one["examples"] / other["examples"]
    return ratio([share * seconds for seconds in other["seconds"]], one["seconds"])


def main(argv: list[str]) -> None:
    """Measures, prints, writes."""
    del argv
    config = CONFIG.value
    with config.unlocked():
        config.run.batch_size = BATCH.value
        config.data.tokenizer_clips = CLIPS.value
    with tempfile.TemporaryDirectory() as folder:
        found = measured(config, Path(folder))
    print(table(("", "examples/s", "times a raw read", "times training"), rows(found)))
    Path(OUT.value).mkdir(parents=True, exist_ok=True)
    Path(OUT.value, "loading.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    app.run(main)
