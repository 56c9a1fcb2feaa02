"""A store of features: the same stream as the clips it was made of, whole, and never half there."""

import dataclasses
import datetime
import itertools
import json
import shutil

import ml_dtypes
import numpy as np
import pytest

from data_pipelines.features import schema
from data_pipelines.features.encoder import ClipEncoder
from data_pipelines.features.example import FeatureExample
from data_pipelines.features.source import FEATURES, FeatureSource, is_store
from data_pipelines.features.write import StoreWriter
from data_pipelines.loader import Loader, Stream, read_ahead
from data_pipelines.provenance import ledger
from data_pipelines.provenance.allowed import INDEX, AllowedSource
from data_pipelines.records import DESCRIPTION, RecordSource, write_shards
from data_pipelines.schema import ClipRecord
from data_pipelines.transforms import Example, LoaderConfig
from v2a_jax.errors import UserError
from v2a_jax.media.files import file_sha256
from v2a_jax.types import Conditions, Encoded

FPS, RATE, SIZE, FRAMES, CLIPS, BATCH = 10, 100, 4, 12, 11, 4
LENGTH, SPOKEN = 9, 8
CONFIG = LoaderConfig(
    seconds=FRAMES / FPS,
    fps=FPS,
    sample_rate=RATE,
    size=SIZE,
    channels=1,
    caption_length=LENGTH,
    transcript_length=SPOKEN,
    captions={"full": 0.4, "short": 0.3, "rare": 0.1, "none": 0.2},
    degrade=False,
    max_severity=0.0,
    threads=2,
    prefetch=2,
)
SHAPES = {"latents": (3, 2), "sync": (FRAMES, 2), "semantic": (1, 2), "text": (LENGTH, 2)}
SHAPES["transcript"] = (SPOKEN,)


def record(index, frames=FRAMES, **changes):
    """A clip that lacks one thing or another, by its index."""
    rng = np.random.default_rng(index)
    whole = ClipRecord(
        video=rng.integers(0, 255, (frames, SIZE, SIZE, 3), dtype=np.uint8),
        fps=float(FPS),
        audio=rng.standard_normal((frames * RATE // FPS, 1)).astype(np.float32),
        sample_rate=RATE,
        caption=f"main {index}",
        captions={"full": f"a full {index}", "short": f"s{index}", "offscreen": ""},
        negatives=(),
        transcript="",
        words=(("hey", 0.1, 0.2),),
        labels=(),
        events=(),
        meta={"licence": "CC0-1.0", "asset": f"sha{index}", "more": "not kept"},
        provenance=f"test/{index}@0.000",
    )
    lacking = [{}, {"video": None}, {"audio": None}, {"caption": "", "captions": {}}, {"words": ()}]
    return dataclasses.replace(whole, **(lacking[index % len(lacking)] | changes))


class Records(list):
    """A source of clips in memory."""

    def __repr__(self):
        return "Records()"


def ids(text):
    return [ord(letter) for letter in text]


def numbers(batch):
    """What stands in for the frozen parts: sums of a clip's pixels and sound."""
    seen = batch.video.astype(np.float32).mean((3, 4)).mean(2)[..., None] * [1, 0.5]
    given = Conditions(
        sync=seen.astype(np.float32),
        semantic=seen[:, :1].astype(np.float32),
        text=None,
        text_mask=None,
        transcript=batch.transcript,
        use_video=batch.has_video,
        use_text=None,
        use_transcript=None,
    )
    heard = batch.audio.reshape(len(batch.audio), 3, -1, 2).mean(2)
    return Encoded(index=batch.index, latents=heard, given=given, has_audio=batch.has_audio)


def letters(caption_BL):
    """Tokens from which a text can be read again."""
    return np.stack([caption_BL, -caption_BL], axis=-1).astype(np.float32)


def writer(source, dtype="float32", encode=numbers, shard_clips=3, **told):
    encoder = ClipEncoder(
        example=Example(config=CONFIG, encode=ids),
        encode=encode,
        read=letters,
        size=2,
        dtype=schema.FLOATS[dtype],
    )
    told = {"shapes": SHAPES, FEATURES: {"weights": {"codec": "a"}}} | told
    return StoreWriter(
        source=source, encoder=encoder, shard_clips=shard_clips, told=told, ledger=None
    )


@pytest.fixture(scope="module")
def clips():
    return Records(record(index) for index in range(CLIPS))


@pytest.fixture(scope="module")
def written(clips, tmp_path_factory):
    """A store; not to be changed."""
    out = tmp_path_factory.mktemp("features") / "store"
    writer(clips).write(out, progress=False)
    return out


@pytest.fixture
def store(written, tmp_path):
    """A store to be damaged."""
    return shutil.copytree(written, tmp_path / "store")


def contents(folder):
    return {path.name: file_sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def raw_batches(source, steps, start=0, part=0, parts=1, config=CONFIG):
    loader = Loader(source, config, encode=ids, batch_size=BATCH, seed=5, part=part, parts=parts)
    return list(itertools.islice(loader.batches(start), steps))


def stored_batches(source, steps, start=0, part=0, parts=1, config=CONFIG, dtype="float32"):
    example = FeatureExample(config=config, shapes=SHAPES, dtype=schema.FLOATS[dtype])
    settings = dict(batch_size=BATCH, seed=5, reading=read_ahead(config), part=part, parts=parts)
    return list(itertools.islice(Stream(source, example, **settings).batches(start), steps))


def assert_same(encoded, batch):
    """An encoded batch says what the raw one would have been encoded to."""
    made, given = numbers(batch), encoded.given
    there = [
        ("has_audio", encoded.latents, made.latents),
        ("has_video", given.sync, made.given.sync),
    ]
    for mask, found, wanted in there:
        mask_B = getattr(batch, mask)
        np.testing.assert_array_equal(found[mask_B], wanted[mask_B])
        assert not found[~mask_B].any()
    for name in ("index", "has_audio"):
        np.testing.assert_array_equal(getattr(encoded, name), getattr(batch, name))
    np.testing.assert_array_equal(given.use_video, batch.has_video)
    np.testing.assert_array_equal(given.text, letters(batch.caption))
    np.testing.assert_array_equal(given.text_mask[:, 1:], batch.caption[:, 1:] != 0)
    np.testing.assert_array_equal(given.use_text, batch.has_caption)
    np.testing.assert_array_equal(given.transcript, batch.transcript)
    np.testing.assert_array_equal(given.use_transcript, batch.has_transcript)


@pytest.mark.parametrize("start, part, parts", [(0, 0, 1), (3, 0, 1), (1, 1, 2)])
def test_the_stream_is_that_of_the_clips(clips, written, start, part, parts):
    where = dict(steps=9, start=start, part=part, parts=parts)
    pairs = zip(
        stored_batches(FeatureSource(written), **where), raw_batches(clips, **where), strict=True
    )
    seen = set()
    for encoded, batch in pairs:
        assert_same(encoded, batch)
        seen |= {bool(use) for use in encoded.given.use_text}
    assert seen == {True, False}, "captions are there and are not"


def test_wordings_are_drawn_by_the_weights_of_the_run(clips, written):
    config = dataclasses.replace(CONFIG, captions={"short": 0.5, "offscreen": 0.3, "full": 0.2})
    pairs = zip(
        stored_batches(FeatureSource(written), 6, config=config),
        raw_batches(clips, 6, config=config),
        strict=True,
    )
    for encoded, batch in pairs:
        assert_same(encoded, batch)


def test_half_precision_is_that_of_bfloat16(clips, written, tmp_path):
    writer(clips, dtype="bfloat16").write(tmp_path / "half", progress=False)
    for full, half in zip(FeatureSource(written), FeatureSource(tmp_path / "half"), strict=True):
        if full.latents is not None:
            assert half.latents.dtype == ml_dtypes.bfloat16
            np.testing.assert_array_equal(half.latents, full.latents.astype(ml_dtypes.bfloat16))
    batch = stored_batches(FeatureSource(tmp_path / "half"), 1, dtype="bfloat16")[0]
    assert {batch.latents.dtype, batch.given.sync.dtype, batch.given.text.dtype} == {
        np.dtype(ml_dtypes.bfloat16)
    }


def test_bytes_give_the_same_clip(written):
    for clip in FeatureSource(written):
        assert schema.decode(schema.encode(clip)) == clip
    data = schema.encode(clip)
    for bad in (b"", data[:6], b"V2AC" + data[4:], data[:-1], data + b"x", data[:8] + data[9:]):
        with pytest.raises(UserError):
            schema.decode(bad)
    with pytest.raises(UserError, match="latents is float64"):
        schema.encode(dataclasses.replace(clip, latents=np.zeros((3, 2))))
    with pytest.raises(UserError, match="its wordings are not"):
        dataclasses.replace(clip, caption="another")


def test_killed_anywhere_the_result_is_the_same(clips, written, tmp_path):
    """An interruption at every batch in turn; what was finished is not made again."""
    out, made, stops = tmp_path / "store", [], iter(range(1, 40, 3))
    work, kept = tmp_path / ".store.encode", {}

    def stopping(stop):
        count = itertools.count()

        def encode(batch):
            if next(count) == stop:
                raise KeyboardInterrupt
            made.append(int(batch.index[0]))
            return numbers(batch)

        return encode

    while not out.exists():
        try:
            writer(clips, encode=stopping(next(stops))).write(out, progress=False)
        except KeyboardInterrupt:
            notes = {path.name: path.stat().st_mtime_ns for path in work.glob("shard-*.json")}
            assert kept.items() <= notes.items()
            kept = notes
            if kept:
                (work / "data" / ".index.jsonl.0123abcd").write_bytes(b"a kill's draft")
    assert kept, "the interruptions hit the work"
    assert len(made) > len(set(made)), "and a shard"
    assert contents(out) == contents(written)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_another_writer_does_not_go_on_with_what_was_begun(clips, tmp_path):
    def failing(batch):
        if batch.index[0] > 4:
            raise UserError("gone")
        return numbers(batch)

    with pytest.raises(UserError, match="gone"):
        writer(clips, encode=failing).write(tmp_path / "store", progress=False)
    others = {"weights.codec a -> b": {FEATURES: {"weights": {"codec": "b"}}}}
    others["form.shard_clips 3 -> 4"] = {"shard_clips": 4}
    for change, settings in others.items():
        with pytest.raises(UserError, match=rf"another configuration.*{change}.*delete"):
            writer(clips, **settings).write(tmp_path / "store", progress=False)
    writer(clips).write(tmp_path / "store", progress=False)
    assert len(FeatureSource(tmp_path / "store")) == CLIPS


def test_failure_in_the_first_shard_leaves_nothing(clips, tmp_path):
    long = Records([*clips[:2], record(0, frames=FRAMES + 3)])
    with pytest.raises(
        UserError, match="has 15 frames, an example 12: prepare it with --seconds=1"
    ):
        writer(long).write(tmp_path / "store", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_kept(clips, store):
    before = contents(store)
    with pytest.raises(UserError, match="exists already"):
        writer(clips).write(store, progress=False)
    assert contents(store) == before


def test_damage_is_named(store):
    assert is_store(store) and not is_store(store.parent)
    shard = sorted(store.glob("*.array_record"))[1]
    data = shard.read_bytes()
    place = data.index(b"V2AF")
    shard.write_bytes(data[: place + 40] + b"\xff" + data[place + 41 :])
    with pytest.raises(UserError, match=r"store: record \d+ is damaged"):
        list(FeatureSource(store))
    shard.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="store"):
        list(FeatureSource(store))
    shard.unlink()
    with pytest.raises(UserError, match="is missing"):
        FeatureSource(store)
    text = (store / DESCRIPTION).read_text()
    (store / DESCRIPTION).write_text(text.replace('"shapes"', '"shops"'))
    shard.write_bytes(data)
    with pytest.raises(UserError, match="damaged.*shapes"):
        FeatureSource(store)
    (store / DESCRIPTION).write_text(json.dumps(json.loads(text) | {FEATURES: "none"}))
    with pytest.raises(UserError, match="damaged"):
        FeatureSource(store)
    (store / DESCRIPTION).write_text("{")
    with pytest.raises(UserError, match="damaged"):
        is_store(store)


def test_a_clip_of_other_shapes_is_refused(store):
    text = (store / DESCRIPTION).read_text()
    for name, shape in {"sync": [5, 2], "text": [2, 2], "transcript": [1]}.items():
        told = json.loads(text)
        told["shapes"][name] = shape
        (store / DESCRIPTION).write_text(json.dumps(told))
        with pytest.raises(UserError, match=r"is damaged \(.*shape"):
            list(FeatureSource(store))


def test_what_is_withdrawn_after_encoding_is_skipped(tmp_path):
    data, out = tmp_path / "data", tmp_path / "store"
    write_shards(map(record, range(CLIPS)), data, count=CLIPS, shards=2)
    rows = [row(index) for index in range(CLIPS)]
    ledger.write(data / ledger.LEDGER, rows)
    entries = (f'{{"clip": "test/{k}", "asset": "sha{k}"}}\n' for k in range(CLIPS))
    (data / INDEX).write_text("".join(entries))
    withdraw(data, "sha3")

    def raw():
        return AllowedSource(RecordSource(data), "research", data)

    dataclasses.replace(writer(raw()), ledger=data / ledger.LEDGER).write(out, progress=False)
    assert ledger.digest(out / ledger.LEDGER) == ledger.digest(data / ledger.LEDGER)
    for place in (data, out):
        withdraw(place, "test/7")
    clips = AllowedSource(FeatureSource(out), "research", out)
    assert len(clips) == len(raw()) == CLIPS - 2
    assert clips.provenance["licences"] == raw().provenance["licences"]
    assert clips.provenance["ledger_sha256"] == raw().provenance["ledger_sha256"]
    for encoded, batch in zip(stored_batches(clips, 6), raw_batches(raw(), 6), strict=True):
        assert_same(encoded, batch)


def withdraw(folder, name):
    ledger.withdraw(folder / ledger.LEDGER, [name], "asked", datetime.date(2025, 1, 2))


def row(index):
    """A row of a ledger that lets a clip be trained on."""
    return {
        "asset_id": f"sha{index}",
        "provenance_id": f"test/{index}",
        "licence": "CC0-1.0",
        "licence_evidence": "here",
        "consent_basis": "licence",
        "gates": {"train": True, "eval": True, "redistribute": True, "commercial": True},
        "status": "active",
    }
