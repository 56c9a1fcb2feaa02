"""Audits of whole sets: every fault is found, a sound set has none, and the page shows it."""

import base64
import dataclasses
import functools
import html.parser
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from configs.base import AUDIT
from data_pipelines import records, schema
from data_pipelines.audit.config import AuditConfig, validate
from data_pipelines.audit.dataset import Dataset
from data_pipelines.audit.run import CLIPS, PAGE, REPORT, audit, workplace
from data_pipelines.audit.unprepared import Unprepared
from data_pipelines.pool import run_pool
from data_pipelines.prepare.run import Corpus
from data_pipelines.world import WorldConfig, WorldSource
from v2a_jax.errors import UserError

CONFIG = AuditConfig(**AUDIT)
WORLD = WorldConfig(
    seed=0,
    split="train",
    clips=10,
    seconds=3.0,
    fps=25,
    size=32,
    sample_rate=16000,
    classes=("impact", "bounce"),
    offscreen_probability=0.0,
)


@pytest.fixture(scope="module")
def world():
    """Ten clips without a fault."""
    return [WorldSource(WORLD)[index] for index in range(WORLD.clips)]


@pytest.fixture
def write(tmp_path):
    """write(name, clips, **description): a dataset of records; its folder."""

    def make(name, clips, **description):
        folder = tmp_path / name
        with records.staged(folder) as staging:
            records.fill(staging, clips, count=len(clips), shards=2, **description)
        return folder

    return make


@pytest.fixture
def audited(tmp_path):
    """audited(collection, *against): the report, as its JSON file has it."""

    def run(collection, *against, config=CONFIG, workers=1, out="audit"):
        with workplace(tmp_path / out) as folder:
            audit(
                collection,
                against,
                tmp_path / out,
                config,
                folder=folder,
                run=functools.partial(run_pool, workers=workers),
                progress=False,
            )
        assert not list(tmp_path.glob(f".{out}*"))
        return json.loads((tmp_path / out / REPORT).read_text())

    return run


def dataset(folder, chunk_clips=4):
    return Dataset(source=records.RecordSource(folder), chunk_clips=chunk_clips)


def found(report):
    """Clips by kind of finding."""
    kinds = {}
    for one in report["findings"]:
        kinds.setdefault(one["kind"], set()).add(one["clip"])
    return kinds


def faulty(clip, kind):
    """The clip with one fault, under a name that tells it."""
    audio, video = clip.audio.copy(), clip.video.copy()
    if kind == "silent":
        audio[:] = 1e-5
    elif kind == "clipping":
        audio = np.clip(audio * 40, -1, 1)
    elif kind == "constant":
        audio += np.float32(0.1)
    elif kind == "still":
        video[:] = video[0]
    elif kind == "black":
        video[10:] //= 16
    elif kind == "undecodable":
        audio[5] = np.nan
    elif kind == "incomplete":
        audio = None
    changes = {"caption": "", "captions": {}} if kind == "caption" else {}
    name = f"world/faulty/{kind}"
    return dataclasses.replace(clip, audio=audio, video=video, provenance=name, **changes)


FAULTS = (
    "silent",
    "clipping",
    "constant",
    "still",
    "black",
    "undecodable",
    "incomplete",
    "caption",
)


def test_a_sound_set_has_no_findings(world, write, audited):
    report = audited(dataset(write("data", world, world={})))
    assert report["findings"] == [] and report["counts"] == {} and report["flagged"] == 0
    assert report["clips"] == 10 and report["seconds"] == pytest.approx(30.0)
    assert report["licences"] == {"procedural": 10}
    for name in ("silent", "still", "bandwidth", "level_db"):
        assert report["measures"][name]["count"] == 10
        assert sum(report["measures"][name]["histogram"]["counts"]) == 10


def test_every_fault_is_found_in_its_clip_and_nowhere_else(world, write, audited):
    bad = [faulty(clip, kind) for clip, kind in zip(world, FAULTS, strict=False)]
    report = audited(dataset(write("data", [*bad, *world[8:]], world={})))
    kinds = found(report)
    assert kinds == {kind: {f"world/faulty/{kind}"} for kind in FAULTS}
    for one in report["findings"]:
        assert one["detail"]
        if one["kind"] in ("silent", "clipping", "constant", "still", "black"):
            assert one["value"] >= one["threshold"]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_result_is_the_same_whatever_chunks_and_workers(
    world, write, audited, tmp_path, workers
):
    folder = write("data", [faulty(world[0], "constant"), *world[1:5]], world={})
    audited(dataset(folder), out="one")
    audited(dataset(folder, chunk_clips=2), workers=workers, out="two")
    for name in (REPORT, PAGE, CLIPS):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_damaged_record_is_a_finding_and_not_the_end(world, write, audited, monkeypatch):
    encode = schema.encode

    def damaging(record):
        data = encode(record)
        return data[:-7] if record is world[1] else data

    monkeypatch.setattr(schema, "encode", damaging)
    report = audited(dataset(write("data", world[:4], world={})))
    assert found(report) == {"undecodable": {"record 1"}} and report["clips"] == 3


def test_copies_and_leakage_are_found(world, write, audited):
    quiet = dataclasses.replace(world[0], audio=world[0].audio * np.float32(0.3), provenance="a/b")
    loud = dataclasses.replace(world[2], audio=world[2].audio * np.float32(1.1), provenance="c/d")
    ours = dataset(write("train", [*world[:6], quiet], world={}))
    theirs = write("test", [*world[6:], loud], world={})
    report = audited(ours, dataset(theirs))
    assert found(report) == {"duplicate": {world[0].provenance}, "leak": {world[2].provenance}}
    others = {one["kind"]: one["other"] for one in report["findings"]}
    assert others == {"duplicate": "a/b", "leak": f"{theirs}: c/d"}
    assert report["against"] == [str(theirs)]


def test_the_same_file_is_a_copy_whatever_it_is_called(world, write, audited):
    def of(clip, asset, start, name):
        meta = {**clip.meta, "asset": asset, "start": start}
        return dataclasses.replace(clip, meta=meta, provenance=f"{name}@{start:.3f}")

    ours = [of(world[0], "f1", 0.0, "x/a"), of(world[1], "f1", 0.0, "x/b")]
    ours += [of(world[2], "f1", 3.0, "x/a"), of(world[3], "f2", 0.0, "x/c")]
    theirs = [of(world[4], "f2", 6.0, "y/c"), of(world[5], "f3", 0.0, "y/d")]
    report = audited(
        dataset(write("train", ours, world={})), dataset(write("test", theirs, world={}))
    )
    assert found(report) == {"duplicate": {"x/a@0.000"}, "leak": {"x/c@0.000"}}
    assert "another part" in report["findings"][0]["detail"]


def test_many_copies_are_told_once_each(world, write, audited):
    def copies(name, count):
        return [dataclasses.replace(world[0], provenance=f"{name}/{k}") for k in range(count)]

    theirs = write("test", [*copies("theirs", 3), world[1]], world={})
    ours = write("train", [*copies("ours", 4), world[2]], world={})
    report = audited(dataset(ours), dataset(theirs))
    assert report["counts"] == {"duplicate": 3, "leak": 4}
    told = {(one["kind"], one["other"]) for one in report["findings"] if one["kind"] != "leak"}
    assert told == {("duplicate", f"ours/{k}") for k in (1, 2, 3)}


def test_captions_that_very_many_clips_share(world, write, audited):
    same = {"caption": "rain", "captions": {"full": "rain"}}
    clips = [dataclasses.replace(clip, **same) for clip in world]
    report = audited(dataset(write("data", clips, world={})))
    assert found(report) == {"caption": {clip.provenance for clip in world}}
    told = report["texts"]["caption"]
    assert (told["with"], told["distinct"], told["repeated"]) == (10, 1, 10)


def test_a_transcript_is_missed_only_where_most_clips_have_one(world, write, audited):
    for count, expected in ((7, {"transcript": {world[7].provenance}}), (2, {})):
        clips = [
            dataclasses.replace(clip, transcript=f"said {k}" if k < count else "")
            for k, clip in enumerate(world[:8])
        ]
        assert found(audited(dataset(write(f"data{count}", clips, world={})))) == expected


def test_licences_are_judged_by_the_policy_and_counted(corpus, prepared, audited, tmp_path):
    prepared(corpus("folder"), tmp_path / "data")
    config = dataclasses.replace(CONFIG, picture_bits=0.0, sound_bits=0.0, repeated_share=1.0)
    told = {}
    for policy in ("any", "research"):
        report = audited(
            dataset(tmp_path / "data"), config=dataclasses.replace(config, policy=policy)
        )
        told[policy] = found(report).get("licence", set())
        assert report["licences"] == {"CC-BY-4.0": 1, "unknown": 1}
        assert report["consent"] == {"licence": 1, "none": 1}
        assert report["dropped"] == {"read: bad row": 1}
    assert told == {"any": set(), "research": {"folder/deep/b.mov"}}


def test_without_a_ledger_nothing_is_known_of_rights(world, write, audited):
    report = audited(dataset(write("data", world[:2])))
    assert found(report) == {"licence": {clip.provenance for clip in world[:2]}}


def test_an_index_that_names_other_clips(corpus, prepared, audited, tmp_path):
    prepared(corpus("clotho"), tmp_path / "data", source="clotho")
    path = tmp_path / "data" / "index.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0].replace("Bells", "Balls"), *lines[1:-1]]) + "\n")
    clips = [f"record {index}: " for index in (0, len(lines) - 1)]
    told = [
        one for one in audited(dataset(tmp_path / "data"))["findings"] if one["kind"] == "index"
    ]
    assert [one["detail"].startswith(clip) for one, clip in zip(told, clips, strict=True)] == [
        True
    ] * 2


@pytest.fixture
def unprepared(tmp_path, prepare_config):
    """unprepared(path, source=..): the media as a collection."""

    def make(path, source="folder", **changes):
        form = prepare_config(require=("video", "audio"), **changes)
        (tmp_path / "plan").mkdir()
        corpus = Corpus(source=source, path=path)
        return Unprepared.plan(corpus, tmp_path / "plan", form, chunk_clips=2)

    return make


def test_media_before_preparation(clip_files, unprepared, audited, tmp_path):
    folder = tmp_path / "media"
    folder.mkdir()
    shutil.copyfile(clip_files[0], folder / "a.mp4")
    shutil.copyfile(clip_files[0], folder / "again.mp4")
    (folder / "broken.mp4").write_bytes(clip_files[0].read_bytes()[:900])
    shutil.copyfile(clip_files[1], folder / "sound.wav")
    shutil.copyfile(clip_files[0], folder / "sidecar.mp4")
    (folder / "sidecar.json").write_text("{")
    kinds = found(audited(unprepared(folder)))
    assert kinds["undecodable"] == {"folder/broken.mp4"}
    assert kinds["missing"] == {str(folder / "sidecar.mp4")}
    assert kinds["incomplete"] == {"folder/sound.wav@0.000", "folder/sound.wav@0.640"}
    assert kinds["duplicate"] == {"folder/a.mp4@0.000", "folder/a.mp4@0.640"}
    assert "folder/a.mp4" in kinds["licence"]


def test_missing_media_of_a_table(corpus, unprepared, audited):
    report = audited(unprepared(corpus("csv"), source="csv"))
    missing = [one["detail"] for one in report["findings"] if one["kind"] == "missing"]
    assert any("gone.mp4" in detail for detail in missing) and report["clips"] >= 2


def test_media_too_short_for_a_window(clip_files, unprepared, audited, tmp_path):
    (tmp_path / "media").mkdir()
    shutil.copyfile(clip_files[0], tmp_path / "media" / "a.mp4")
    report = audited(unprepared(tmp_path / "media", seconds=8.0, stride=8.0, min_seconds=4.0))
    (short,) = (one for one in report["findings"] if one["kind"] == "incomplete")
    assert short["value"] == pytest.approx(1.2, abs=0.1) and short["threshold"] == 4.0


class Images(html.parser.HTMLParser):
    """Opens every picture of a page, and keeps what else it would fetch."""

    def __init__(self, text):
        super().__init__()
        self.sizes, self.open, self.fetched = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        source = told.get("src", "")
        if tag == "img":
            picture = Image.open(io.BytesIO(base64.b64decode(source.partition("base64,")[2])))
            picture.load()
            self.sizes.append(picture.size)
        if source and not source.startswith("data:"):
            self.fetched.append(source)
        if tag not in ("meta", "img", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag != "rect":
            assert self.open.pop() == tag


def test_the_page_opens_and_shows_what_was_found(world, write, audited, tmp_path):
    evil = dataclasses.replace(faulty(world[0], "constant"), provenance="<script>x</script>")
    again = dataclasses.replace(world[1], provenance="world/again")
    audited(dataset(write("data", [evil, *world[1:5], again], world={})))
    text = (tmp_path / "audit" / PAGE).read_text()
    page = Images(text)
    assert page.open == [] and page.fetched == []
    assert len(page.sizes) == 2 * 3, "strip and spectrogram of the clip and of both of the pair"
    assert "<script" not in text and "world/again" in text


def test_per_clip_measures_are_kept(world, write, audited, tmp_path):
    audited(dataset(write("data", world, world={})))
    rows = [json.loads(line) for line in (tmp_path / "audit" / CLIPS).read_text().splitlines()]
    assert [row["name"] for row in rows] == [clip.provenance for clip in world]
    assert all(
        set(row["measures"]) >= {"still", "black", "silent", "clipped", "constant"} for row in rows
    )


def test_thresholds_out_of_bounds_are_named():
    for changes, name in (({"still_share": 1.5}, "still_share"), ({"policy": "none"}, "policy")):
        with pytest.raises(UserError, match=name):
            validate(dataclasses.replace(CONFIG, **changes))
