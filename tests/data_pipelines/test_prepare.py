"""From raw files to records: what is kept, what is dropped and why."""

import dataclasses
import itertools
import json
import os
import pathlib
import shutil

import numpy as np
import pytest
import scipy.io.wavfile
from corpora import CORPORA
from tiny_system import tiny_config

from data_pipelines.open import make_loader, open_source, provenance, tokenizer_for
from data_pipelines.prepare.config import validate
from data_pipelines.prepare.windows import cut, events_in, useless, words_in
from data_pipelines.records import RecordSource
from data_pipelines.sources import Rights, SourceClip
from data_pipelines.tfds_builder import write_tfds
from v2a_jax.errors import UserError
from v2a_jax.media.files import file_sha256
from v2a_jax.types import Event

CLIP = SourceClip(uid="a", dataset="test", media="a.mp4")
SOUND_ALONE = ("audiocaps", "wavcaps", "clotho")


def contents(folder):
    """Size and digest of each file of a folder."""
    return {path.name: (path.stat().st_size, file_sha256(path)) for path in folder.iterdir()}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", CORPORA)
def test_every_source_becomes_records(corpus, prepared, tmp_path, name):
    out = tmp_path / "out"
    stages = prepared(corpus(name), out, source=name)
    records = list(RecordSource(out))
    assert stages[-1]["out"] == len(records) >= 2
    assert [record.provenance for record in records] == [
        f"{entry['clip']}@{entry['start']:.3f}" for entry in lines(out / "index.jsonl")
    ]
    assert len(lines(out / "dropped.jsonl")) == sum(
        sum(stage["dropped"].values()) for stage in stages
    )
    for record in records:
        assert record.provenance.startswith(f"{name}/")
        assert 0.2 * 16000 <= len(record.audio) <= 0.64 * 16000
        if record.video is None:
            assert name in SOUND_ALONE or name == "audioset"
        else:
            assert record.video.shape[1:] == (32, 32, 3)
            assert len(record.audio) == round(len(record.video) / 25 * 16000)


def test_a_tfds_dataset_becomes_records(corpus, prepared, tmp_path):
    prepared(corpus("folder"), tmp_path / "first")
    write_tfds(tmp_path / "first", tmp_path / "tfds")
    prepared(tmp_path / "tfds", tmp_path / "second", source="tfds:clips")
    first, second = (
        [(len(r.video), r.caption, r.audio.std()) for r in RecordSource(tmp_path / name)]
        for name in ("first", "second")
    )
    assert second == [(*form, pytest.approx(level, rel=1e-4)) for *form, level in first]


@pytest.fixture
def many(tmp_path, clip_files):
    """A folder of nine clips, one broken and one without sound to be heard."""
    folder = tmp_path / "many"
    folder.mkdir()
    for index in range(7):
        shutil.copyfile(clip_files[0], folder / f"{index}.mp4")
        (folder / f"{index}.txt").write_text(f"clip {index}\n")
    (folder / "7.mp4").write_bytes(clip_files[0].read_bytes()[:900])
    scipy.io.wavfile.write(folder / "8.wav", 16000, np.zeros(16000, np.int16))
    return folder


def test_the_result_is_the_same_whatever_the_workers(many, prepared, tmp_path):
    for workers in (1, 2):
        prepared(many, tmp_path / f"out{workers}", workers=workers)
    assert contents(tmp_path / "out1") == contents(tmp_path / "out2")
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("name", ["take#2", "what?mode=rw", "100%41", "a b"])
def test_a_folder_may_have_any_name(corpus, prepared, tmp_path, name):
    prepared(corpus("folder"), tmp_path / name)
    assert len(RecordSource(tmp_path / name)) and not list(tmp_path.glob(".*"))


def test_the_table_and_the_list_tell_every_drop(many, prepared, tmp_path):
    stages = {
        stage["stage"]: stage
        for stage in prepared(many, tmp_path / "out", filters=("silent",), min_seconds=0.6)
    }
    assert stages["probe"]["dropped"] == {"unreadable": 1}
    assert stages["filter"]["dropped"] == {"silent": 1}
    # Of 1.2 s, and of the WAV's 1 s, the second window is short of 0.6 s.
    assert stages["cut"]["dropped"] == {"too short": 8}
    assert (stages["cut"]["in"], stages["filter"]["out"]) == (16, 7)
    unreadable = next(
        drop for drop in lines(tmp_path / "out" / "dropped.jsonl") if drop["stage"] == "probe"
    )
    assert unreadable["uid"] == "folder/7.mp4" and "7.mp4" in unreadable["detail"]


def test_what_is_required_is_told_before_decoding(many, prepared, tmp_path):
    stages = prepared(many, tmp_path / "out", require=("video", "audio"))
    assert stages[2]["dropped"] == {"no video": 1, "unreadable": 1}


def test_finished_shards_are_not_made_again(many, prepared, tmp_path, monkeypatch):
    from data_pipelines.prepare import shard

    out, made = tmp_path / "out", []
    real = shard.open_media

    def failing(clip, *rest):
        made.append(clip.uid)
        if len(made) == 6:
            raise KeyboardInterrupt
        return real(clip, *rest)

    monkeypatch.setattr(shard, "open_media", failing)
    with pytest.raises(KeyboardInterrupt):
        prepared(many, out)
    assert not out.exists()
    with pytest.raises(UserError, match=r"begun with fps=25, not 24"):
        prepared(many, out, fps=24)
    (tmp_path / ".out.prepare" / "data" / ".ledger.jsonl.0123abcd").write_bytes(b"a kill's draft")
    prepared(many, out)
    assert made[6:] == ["4.mp4", "5.mp4", "6.mp4", "7.mp4", "8.wav"]
    prepared(many, tmp_path / "undisturbed")
    assert contents(out) == contents(tmp_path / "undisturbed")


def test_batches_come_of_it(corpus, prepared, tmp_path):
    prepared(corpus("folder"), tmp_path / "data", seconds=1.0, stride=1.0)
    config = tiny_config("codec")
    config.data.train = str(tmp_path / "data")
    source = open_source(config, "train")
    tokenizer = tokenizer_for(config, tmp_path, source)
    batch = next(make_loader(config, source, tokenizer).batches(0))
    assert batch.video.any() and batch.audio.any() and batch.has_video.all()
    assert provenance(config, source)["records"] == len(source)


@pytest.mark.parametrize("fps", [1, 3, 7, 10, 25, 30])
def test_no_window_is_cut_twice(prepare_config, fps):
    strides = [frames / fps for frames in (1, 1.5, 2, 2.7) if frames / fps >= 0.1]
    for stride, frame in itertools.product(strides, (0, 0.3, 0.5, 2.5, 3.3)):
        clip = dataclasses.replace(CLIP, start=frame / fps)
        config = prepare_config(seconds=2.0, stride=stride, fps=fps)
        validate(config)
        starts = [window.start for window in cut(clip, 20.0, config)]
        assert len(starts) > 1 and (np.diff(starts) > 0.5 / fps).all()


def test_a_stride_is_a_frame_at_least(prepare_config):
    with pytest.raises(UserError, match=r"stride is 0\.1, less than a frame of 0\.25 s"):
        validate(prepare_config(stride=0.1, fps=4))


def test_nothing_left_is_told_with_the_reason_and_leaves_nothing(tmp_path, prepared):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").write_text("no video")
    with pytest.raises(UserError, match=r"no clip is left: 1 unreadable; first .*a\.mp4"):
        prepared(tmp_path / "in", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_clip_whose_texts_are_not_unicode_is_dropped(many, prepared, tmp_path):
    (many / "0.json").write_text('{"caption": "\\ud83d"}')
    os.rename(many / "1.mp4", os.fsencode(many) + b"/caf\xe9.mp4")
    os.rename(many / "2.mp4", os.fsencode(many) + b"/\xe9.mp4")
    pathlib.Path(os.fsdecode(os.fsencode(many) + b"/\xe9.json")).write_text("[]")
    stages = prepared(many, tmp_path / "out")
    assert stages[0]["dropped"] == {"bad row": 1, "not Unicode": 2}
    told = {drop["where"].rpartition("/")[2] for drop in lines(tmp_path / "out" / "dropped.jsonl")}
    assert {"0.mp4", r"caf\udce9.mp4", r"\udce9.mp4"} <= told


def test_what_is_there_is_kept(many, prepared, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("")
    with pytest.raises(UserError, match="exists already"):
        prepared(many, tmp_path / "out")
    with pytest.raises(UserError, match="size is 5000"):
        prepared(many, tmp_path / "new", size=5000)


def test_windows_lie_on_the_frame_grid_and_cover_the_clip(prepare_config):
    config = prepare_config(seconds=2.0, stride=2.0)
    windows = cut(CLIP, 7.03, config)
    assert [(w.start, w.frames) for w in windows] == [(0.0, 50), (2.0, 50), (4.0, 50), (6.0, 25)]
    part = dataclasses.replace(CLIP, start=1.013, end=4.9)
    windows = cut(part, 7.03, config)
    assert [(w.start, w.frames) for w in windows] == [(1.0, 50), (3.0, 47)]
    assert all(abs(w.start * 25 - round(w.start * 25)) < 1e-9 for w in windows)
    overlapping = cut(CLIP, 4.0, prepare_config(seconds=2.0, stride=1.0))
    assert [w.start for w in overlapping] == [0.0, 1.0, 2.0]


def test_a_file_that_ends_before_its_part_is_the_part(prepare_config):
    config = prepare_config(seconds=10.0, stride=10.0)
    part = dataclasses.replace(CLIP, start=30.0, end=40.0)
    assert [w.start for w in cut(part, 10.0, config)] == [0.0]
    assert [w.start for w in cut(part, 60.0, config)] == [30.0]


@pytest.mark.parametrize("duration", [11.0, 25.0, 30.2, 35.0, 39.4, 39.6, 40.0, 90.0])
def test_nothing_before_its_part_is_taken_of_a_longer_file(prepare_config, duration):
    part = dataclasses.replace(CLIP, start=30.0, end=40.0)
    windows = cut(part, duration, prepare_config(seconds=4.0, stride=4.0))
    assert sum(w.frames for w in windows) == round(25 * max(0.0, min(duration, 40.0) - 30.0))
    assert all(w.start >= 30.0 for w in windows if w.frames)


def test_events_and_words_move_into_the_window(prepare_config):
    events = (Event(time=0.5, end=0.5, kind="hit"), Event(time=1.5, end=3.5, kind="hum"))
    words = (("one", 0.2, 0.6), ("two", 1.8, 2.1), ("three", 2.2, 2.6))
    clip = dataclasses.replace(CLIP, events=events, words=words)
    first, second = cut(clip, 4.0, prepare_config(seconds=2.0, stride=2.0))
    assert [(e.time, e.end) for e in events_in(clip, first, 2.0)] == [(0.5, 0.5), (1.5, 2.0)]
    assert [(e.time, e.end) for e in events_in(clip, second, 2.0)] == [(0.0, 1.5)]
    assert words_in(clip, first, 2.0) == (("one", 0.2, 0.6), ("two", 1.8, 2.0))
    assert words_in(clip, second, 2.0) == (("three", 0.2, 0.6),)


def test_filters(prepare_config):
    config = prepare_config(filters=("silent", "still"))
    noise_NC = np.random.default_rng(0).uniform(-0.1, 0.1, (100, 1)).astype(np.float32)
    video_FHWC = np.full((5, 8, 8, 3), 100, np.uint8)
    moving_FHWC = video_FHWC.copy()
    moving_FHWC[4, 0, 0] = 110
    assert useless(moving_FHWC, noise_NC, config) == useless(None, noise_NC, config) == ""
    assert useless(video_FHWC, noise_NC, config) == "still"
    assert useless(moving_FHWC, noise_NC * 1e-4, config) == "silent"
    assert useless(video_FHWC, noise_NC * 0, prepare_config()) == ""


def test_annotations_tell_their_origin(corpus, prepared, tmp_path):
    prepared(corpus("audioset"), tmp_path / "out", source="audioset")
    record = next(r for r in RecordSource(tmp_path / "out") if r.video is not None)
    assert record.caption == "Music, Tick, tock" and record.labels == ("Music", "Tick, tock")
    assert record.meta["told"]["captions"] == {"origin": "labels", "confidence": 0.5}
    assert record.meta["told"]["labels"] == {"origin": "audioset", "confidence": 1.0}


def test_rights_given_hold_where_the_source_has_no_evidence(corpus, prepared, tmp_path):
    rights = Rights(licence="CC0", evidence="https://example.org", consent="contract")
    out = tmp_path / "out"
    prepared(corpus("folder"), out, rights=rights, policy="commercial")
    licences = {row["provenance_id"]: row["licence"] for row in lines(out / "ledger.jsonl")}
    assert set(licences.values()) <= {"CC-BY-4.0", "CC0-1.0"}
