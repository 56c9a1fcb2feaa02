"""Each source reads its own layout, tells what it cannot use, and keeps what the dataset says."""

from pathlib import Path

import pytest
from corpora import CORPORA, ID_A, ID_B

from data_pipelines import sources
from data_pipelines.sources import Dropped, SourceClip
from v2a_jax.errors import UserError


@pytest.fixture
def found(corpus):
    """found(name) -> (clips by uid, drops)"""

    def read(name, split=""):
        everything = list(sources.read(name, corpus(name), media=None, split=split))
        clips = {one.uid: one for one in everything if isinstance(one, SourceClip)}
        return clips, [one for one in everything if isinstance(one, Dropped)]

    return read


def test_every_source_has_a_corpus():
    assert set(CORPORA) == set(sources.names()) - {"tfds"}


@pytest.mark.parametrize("name", CORPORA)
def test_clips_and_drops(found, name):
    clips, drops = found(name)
    assert len(clips) == 2 and all(clip.dataset == name for clip in clips.values())
    assert all(Path(clip.media).stat().st_size for clip in clips.values())
    assert {drop.stage for drop in drops} == {"read"}
    bad = [drop for drop in drops if drop.reason == "bad row"]
    assert len(bad) == 1 and bad[0].where and bad[0].detail
    missing = [drop.uid for drop in drops if drop.reason == "media missing"]
    assert len(missing) == (0 if name in ("folder", "grid") else 1)


@pytest.mark.parametrize("name", CORPORA)
def test_a_clip_survives_json(found, name):
    for clip in found(name)[0].values():
        assert SourceClip.from_json(clip.to_json()) == clip


TOLD = {
    "folder": {"a.mp4": ("captions", ("a ball bounces", "something drops"))},
    "csv": {"a.mp4@0.1": ("captions", ("a ball, bouncing", "second"))},
    "vggsound": {f"{ID_A}_000030": ("labels", ("playing violin, fiddle",))},
    "audioset": {f"{ID_A}_000030": ("labels", ("Music", "Tick, tock"))},
    "audiocaps": {f"{ID_A}_000030": ("captions", ("A man speaks, then a dog barks", "Barking"))},
    "wavcaps": {"100": ("captions", ("sound 100",))},
    "clotho": {"Bells é": ("captions", ("a, Bells é.wav", "b", "c", "d", "e"))},
    "greatest_hits": {"2015-02-16": ("labels", ("wood hit", "contact"))},
    "ave": {ID_B: ("split", "test"), ID_A: ("labels", ("Church bell",))},
    "lrs3": {f"trainval/{ID_A}/50001": ("words", (("HELLO", 0.1, 0.4), ("YOU", 0.5, 0.9)))},
    "grid": {
        "s1/bbaf2n": ("transcript", "bin blue at f two now"),
        "s2/lwwz9s": ("transcript", "lay white with z nine soon"),
    },
    "unav100": {ID_B: ("split", "val"), ID_A: ("labels", ("people talking", "dog barking"))},
    "moviegen": {"1": ("captions", ("rain", "a piano")), "2": ("split", "test")},
}


@pytest.mark.parametrize("name", CORPORA)
def test_what_the_dataset_says_is_kept(found, name):
    clips, _ = found(name)
    for uid, (field, value) in TOLD[name].items():
        assert getattr(clips[uid], field) == value or (
            field == "labels" and set(clips[uid].labels) == set(value)
        )


def test_another_encoding_is_read(found):
    clips, _ = found("csv")
    assert clips["b.mp4"].captions == ("nur ein Geräusch",)


def test_times_are_seconds(found):
    clips, _ = found("greatest_hits")
    events = clips["2015-02-16"].events
    assert [(e.time, e.material, e.kind) for e in events] == [
        (0.3, "wood", "hit"),
        (0.9, "", "contact"),
    ]
    words = found("grid")[0]["s1/bbaf2n"].words
    assert words[0] == ("bin", 0.1, 0.3) and words[-1] == ("now", 1.0, 1.12)


def test_subtitles_share_out_a_cue(found):
    clip = found("folder")[0]["deep/b.mov"]
    assert clip.transcript == "hello you"
    assert clip.words == (("hello", 0.0, 0.375), ("you", 0.375, 0.6))


def test_licences_come_with_evidence_where_there_is_some(found):
    clips, _ = found("clotho")
    assert clips["Bells é"].rights.evidence == "https://freesound.org/1"
    assert clips["wind"].rights.licence == clips["wind"].rights.evidence == ""
    assert found("lrs3")[0][f"trainval/{ID_A}/50001"].rights.faces


def told_by(sidecar, tmp_path, clip_files):
    """What `folder` finds of a file with this text as its sidecar."""
    (tmp_path / "a.mp4").write_bytes(clip_files[0].read_bytes())
    (tmp_path / "a.json").write_text(sidecar)
    (one,) = sources.read("folder", tmp_path, media=None, split="train")
    return one


FIELDS = ("caption", "captions", "labels", "events", "transcript", "words", "start", "end")
FIELDS += ("split", "url", "licence", "licence_evidence", "consent", "rights_holder")


@pytest.mark.parametrize("name", FIELDS)
def test_null_in_a_sidecar_is_nothing(name, tmp_path, clip_files):
    told, plain = (told_by(text, tmp_path, clip_files) for text in (f'{{"{name}": null}}', "{}"))
    assert told == plain and plain.split == "train"


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize(
    "value", ["-1", "NaN", "1e400", "[7]", "[[1, 2]]", '{"a": 1}', '[{"kind": "hit"}]']
)
def test_what_a_sidecar_may_not_say_drops_its_clip(name, value, tmp_path, clip_files):
    assert isinstance(told_by(f'{{"{name}": {value}}}', tmp_path, clip_files), Dropped)


@pytest.mark.parametrize(
    "sidecar",
    [
        '{"labels": "dog"}',
        '{"captions": "a dog"}',
        '{"consent": "None"}',
        '{"events": [{"time": 1, "kind": 3}]}',
        '{"events": [{"time": 1, "kind": "hit", "strength": NaN}]}',
        '{"events": [{"time": 1, "end": -1, "kind": "hit"}]}',
        '{"words": [["a", 0, Infinity]]}',
        '{"words": [[1, 0, 1]]}',
        '{"start": 1' + 400 * "0" + "}",
        '{"start": 1' + 5000 * "0" + "}",
        200_000 * "[",
    ],
)
def test_a_hostile_sidecar_drops_its_clip(sidecar, tmp_path, clip_files):
    dropped = told_by(sidecar, tmp_path, clip_files)
    assert isinstance(dropped, Dropped) and dropped.reason == "bad row" and dropped.detail


def test_an_event_is_as_its_sidecar_tells(tmp_path, clip_files):
    told = '{"events": [{"time": "1.5", "end": null, "kind": "hit", "note": 2}]}'
    (event,) = told_by(told, tmp_path, clip_files).events
    assert (event.time, event.end, event.kind, event.note) == (1.5, 1.5, "hit", 2)


@pytest.mark.parametrize("suffix", [".txt", ".json", ".srt"])
def test_a_sidecar_has_a_limit(suffix, tmp_path, clip_files):
    (tmp_path / "a.mp4").write_bytes(clip_files[0].read_bytes())
    with open(tmp_path / f"a{suffix}", "wb") as file:
        file.truncate(1 << 34)  # takes no space: it is never read
    (one,) = sources.read("folder", tmp_path, media=None, split="")
    assert isinstance(one, Dropped) and "over the limit" in one.detail


def test_one_split_alone(found):
    assert list(found("vggsound", split="test")[0]) == [f"{ID_B}_000004"]


def test_strong_labels_become_events(tmp_path, clip_files):
    (tmp_path / f"{ID_A}_30000_40000.mp4").write_bytes(clip_files[0].read_bytes())
    rows = "segment_id\tstart_time_seconds\tend_time_seconds\tlabel\n"
    rows += "".join(f"{ID_A}_30000\t{t}\t{t + 0.5}\t/m/04rlf\n" for t in (0.1, 0.6))
    (tmp_path / "audioset_train_strong.tsv").write_text(rows)
    (clip,) = sources.read("audioset", tmp_path, media=None, split="")
    assert [(event.time, event.end) for event in clip.events] == [(0.1, 0.6), (0.6, 1.1)]


def test_what_is_not_there_is_one_line(tmp_path):
    (tmp_path / "t.csv").write_text("audiocap_id,start_time\n1,2\n")
    wrong = {
        "nothing": (tmp_path, "no 'nothing'"),
        "folder": (tmp_path / "gone", "nothing at"),
        "audiocaps": (tmp_path / "t.csv", "t.csv:1: no column 'youtube_id'"),
        "vggsound": (tmp_path, "no vggsound.csv"),
        "grid": (tmp_path, "code of GRID"),
        "tfds": (tmp_path, "name"),
    }
    for name, (path, told) in wrong.items():
        with pytest.raises(UserError, match=told):
            list(sources.read(name, path, media=None, split=""))
