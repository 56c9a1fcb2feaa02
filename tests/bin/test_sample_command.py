import hashlib
import json
import shutil

import numpy as np
import pytest
from tiny_system import RATE

from v2a_jax.media.decode import read_clip
from v2a_jax.media.files import packet_digest
from v2a_jax.media.source import LIMITS
from v2a_jax.sampling.quality import measure
from v2a_jax.sampling.wish import Wish


@pytest.fixture
def sample(v2a, bundle_folder, clip, key_file, tmp_path):
    """sample(**flags) with good flags but for those given; None leaves one out."""
    out = tmp_path / "out"
    out.mkdir()

    def run(*more, **changes):
        given = dict(bundle=bundle_folder, video=clip, out=out / "a.mp4", key_file=key_file)
        given |= changes
        return v2a("sample", *(f"--{k}={v}" for k, v in given.items() if v is not None), *more)

    run.out = out
    return run


def test_a_soundtrack_is_joined_with_the_untouched_picture_and_told_in_a_manifest(sample, clip):
    assert sample(prompt="a siren", variations=2, best_of=2, seed=7) == (0, [])
    names = sorted(path.name for path in sample.out.iterdir())
    assert names == ["a-0.json", "a-0.mp4", "a-1.json", "a-1.mp4"]
    for index in range(2):
        path = sample.out / f"a-{index}.mp4"
        assert packet_digest(path, limits=LIMITS) == packet_digest(clip, limits=LIMITS)
        made = read_clip(path, fps=25, sample_rate=RATE)
        assert abs(len(made.audio) - round(0.6 * RATE)) <= 1
        told = json.loads(path.with_suffix(".json").read_text())
        assert told["seed"] == 7 + index and told["prompt"] == "a siren" and told["steps"] == 2
        (choice,) = told["choices"]
        candidates = Wish(seed=7, variations=2, best_of=2).seeds[index]
        assert choice["seed"] == candidates[np.argmax(choice["agreements"])]
        assert told["best_of"] == len(choice["agreements"]) == 2 and told["quality"] is None
        assert told["source"]["sha256"] == hashlib.sha256(clip.read_bytes()).hexdigest()
        assert bytes(range(32)).hex() not in json.dumps(told)


BAD_FLAGS = [
    dict(bundle=None),
    dict(video=None),
    dict(out=None),
    dict(nope=1),
    dict(steps="many"),
    dict(steps=0),
    dict(steps=10**6),
    dict(variations=0),
    dict(variations=-3),
    dict(best_of=0),
    dict(best_of=33, variations=2),
    dict(seed=-1),
    dict(solver="magic"),
    dict(video_scale="nan"),
    dict(prompt=""),
    dict(prompt="  "),
    dict(negative_prompt=""),
    dict(prompt="bell " * 2000),
    dict(transcript="more than fits"),
    dict(bundle="/nonexistent"),
    dict(bundle="/dev/null"),
    dict(video="/nonexistent.mp4"),
    dict(video="/"),
    dict(key_file="/dev/null"),
    dict(out="/nonexistent/a.mp4"),
    dict(out="a.txt"),
    dict(out="a"),
]


@pytest.mark.parametrize(
    "changes", BAD_FLAGS, ids=lambda c: " ".join(f"{k}={v}" for k, v in c.items())[:30]
)
def test_bad_flags_end_with_one_line_and_leave_nothing(sample, changes, monkeypatch):
    monkeypatch.chdir(sample.out)
    status, lines = sample(**changes)
    assert status == 2 and len(lines) == 1, lines
    assert len(lines[0]) < 400
    assert not list(sample.out.iterdir())


FILES = {
    "empty.mp4": b"",
    "text.mp4": b"These are only words.\n" * 50,
    "zeros.mp4": bytes(5000),
    "text.txt": b"words",
}


@pytest.mark.parametrize("name", [*FILES, "cut.mp4", "folder.mp4"])
def test_what_is_no_video_ends_with_one_line_that_names_it(sample, name, tmp_path, clip):
    path = tmp_path / name
    if name == "folder.mp4":
        path.mkdir()
    else:
        path.write_bytes(FILES.get(name, clip.read_bytes()[:300]))
    status, lines = sample(video=path)
    assert status == 2 and len(lines) == 1, lines
    assert name in lines[0]
    assert not list(sample.out.iterdir())


def test_the_video_is_not_overwritten(sample, tmp_path, clip):
    path = tmp_path / "only.mp4"
    path.write_bytes(clip.read_bytes())
    status, lines = sample(video=path, out=path)
    assert status == 2 and len(lines) == 1
    assert path.read_bytes() == clip.read_bytes()


def test_words_that_are_no_flags_are_refused(sample):
    status, lines = sample("stray")
    assert status == 2 and len(lines) == 1 and "stray" in lines[0]


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_folder_of_videos_is_a_batch_that_goes_on_where_it_ended(v2a, sample, clip, tmp_path):
    videos, out = tmp_path / "in", tmp_path / "made"
    videos.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (videos / name).write_bytes(clip.read_bytes())
    assert sample(video=videos, out=out) == (0, [])
    assert tree(out) == ["a.json", "a.mp4", "b.json", "b.mp4"]
    assert "2 made" in v2a.output[-1]
    (videos / "c.mp4").write_bytes(b"no video")
    status, lines = sample(video=videos / "*.mp4", out=out)
    assert status == 1 and len(lines) == 1 and "c.mp4" in lines[0]
    assert v2a.output[-1] == "3 videos: 0 made, 2 was there, 1 failed"
    assert tree(out) == ["a.json", "a.mp4", "b.json", "b.mp4"]


def test_a_batch_needs_a_folder_and_wishes_are_checked_once(sample, clip, tmp_path):
    for changes in (dict(out=clip), dict(steps=0), dict(video=tmp_path / "no*"), dict(prompt="")):
        given = dict(video=clip.parent / "*.mp4", out=tmp_path / "made") | changes
        status, lines = sample(**given)
        assert status == 2 and len(lines) == 1, lines
        assert not tree(sample.out)


@pytest.mark.slow
def test_a_folder_as_out_names_the_result_like_the_video(sample):
    assert sample(out=sample.out) == (0, [])
    assert tree(sample.out) == ["clip.json", "clip.mp4"]


@pytest.mark.slow
def test_cues_loudness_stems_and_sound_alone(sample, tmp_path):
    sheet, stems = tmp_path / "cues.csv", tmp_path / "stems"
    sheet.write_text("start,end,prompt\n0,5,a siren\n")
    stems.mkdir()
    options = dict(cues=sheet, loudness=-20, stems=stems, stem_format="flac", boundaries="shots")
    assert sample(out=sample.out / "a.wav", **options) == (0, [])
    assert tree(sample.out) == ["a.json", "a.wav"] and tree(stems) == ["a-generated.flac"]
    told = json.loads((sample.out / "a.json").read_text())
    assert told["cues"][0]["prompt"] == "a siren" and told["boundaries"] == "shots"
    assert told["loudness"] == -20 and told["original"] == "replace"
    digest = hashlib.sha256((sample.out / "a.wav").read_bytes()).hexdigest()
    assert told["output"] == {"name": "a.wav", "sha256": digest}


@pytest.mark.slow
def test_a_video_unlike_the_training_data_is_warned_of_in_one_line(
    sample, bundle_folder, clip, tmp_path
):
    bundle = shutil.copytree(bundle_folder, tmp_path / "bundle")
    rng = np.random.default_rng(0)
    usual = (rng.integers(0, 256, (15, 32, 32, 3), dtype=np.uint8) for _ in range(100))
    (bundle / "clean.npz").write_bytes(measure(usual, 15, 0.05).to_bytes())
    told = "v2a: warning: clip.mp4: it looks unlike what the model was trained on (quality 0.000, "
    for out in (sample.out / "a.mp4", sample.out):
        status, lines = sample(bundle=bundle, out=out)
        assert status == 0 and len(lines) == 1 and lines[0].startswith(told)
    assert json.loads((sample.out / "a.json").read_text())["quality"] == 0
    (tmp_path / "in").mkdir()
    shutil.copy(clip, tmp_path / "in")
    asked = dict(bundle=bundle, video=tmp_path / "in", out=tmp_path / "made")
    status, lines = sample(**asked)
    assert status == 0 and len(lines) == 1 and lines[0].startswith(told)
    assert sample(**asked) == (0, [])


MORE_BAD_FLAGS = [
    dict(original="magic"),
    dict(loudness=5),
    dict(loudness="loud"),
    dict(boundaries="magic"),
    dict(stems="/nonexistent"),
    dict(cues="/nonexistent.srt"),
    dict(cues="/dev/null"),
    dict(certificate="/nonexistent"),
    dict(certificate="/nonexistent", private_key="/nonexistent"),
    dict(out="a.avi"),
]


@pytest.mark.parametrize("changes", MORE_BAD_FLAGS, ids=str)
def test_bad_ways_of_delivery_end_with_one_line(sample, changes, monkeypatch):
    monkeypatch.chdir(sample.out)
    status, lines = sample(**changes)
    assert status == 2 and len(lines) == 1 and not tree(sample.out), lines
