import json
import os
import shutil

import pytest

from v2a_jax.errors import UserError
from v2a_jax.sampling import batch
from v2a_jax.sampling.batch import Order, is_many, matching, run_batch, table
from v2a_jax.sampling.delivery import Delivery
from v2a_jax.sampling.wish import Wish


class Bar:
    """Notes what a progress bar is told."""

    total, seconds = 0.0, 0.0

    def reset(self, total):
        self.total = total

    def update(self, seconds):
        self.seconds += seconds

    def set_description(self, text):
        pass


@pytest.fixture
def folder(film, tmp_path):
    """Three good videos, two that are none, and what is not looked at."""
    videos = tmp_path / "in"
    videos.mkdir()
    for name in ("a.mp4", "b.mkv", "c.avi"):
        shutil.move(film(name, 0.6), videos / name)
    (videos / "bad.mp4").write_bytes(b"no video")
    (videos / "empty.mov").write_bytes(b"")
    (videos / "notes.txt").write_text("not looked at")
    (videos / ".hidden.mp4").write_bytes(b"nor this")
    (tmp_path / "out").mkdir()
    return videos


@pytest.fixture
def work(generator, folder, tmp_path):
    """work(**wish) -> {video: state}, after one batch."""

    def run(delivery=None, videos=None, **wish):
        run.bar = Bar()
        run.order = order = Order(
            generator=generator, wish=Wish(**wish), delivery=delivery or Delivery()
        )
        found = videos or matching(str(folder))
        run.outcomes = list(run_batch(order, found, tmp_path / "out", run.bar))
        return {outcome.video.name: outcome.state for outcome in run.outcomes}

    return run


GOOD = {"a.mp4", "b.mkv", "c.avi"}
BAD = {"bad.mp4", "empty.mov"}


def states(made=(), left=()):
    return (
        dict.fromkeys(made, "made")
        | dict.fromkeys(left, "was there")
        | dict.fromkeys(BAD, "failed")
    )


@pytest.mark.slow
def test_failures_do_not_stop_the_others_and_all_is_told(work, tmp_path):
    assert work() == states(made=GOOD)
    names = ["a.json", "a.mp4", "b.json", "b.mkv", "c.json", "c.mp4"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == names
    assert work.bar.seconds == pytest.approx(work.bar.total) == pytest.approx(1.8, abs=0.1)
    told = table(work.outcomes).splitlines()
    assert len(told) == 6 and told[-1] == "5 videos: 3 made, 0 was there, 2 failed"
    assert any("bad.mp4" in line and "not a media file" in line for line in told)


def test_what_is_finished_is_left_and_what_is_not_is_made(work, tmp_path):
    work(seed=1)
    out = tmp_path / "out"
    times = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert work(seed=1) == states(left=GOOD) and work.bar.total == 0
    assert times == {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    (out / "a.json").unlink()
    (out / "b.mkv").write_bytes((out / "b.mkv").read_bytes()[:-1])
    told = json.loads((out / "c.json").read_text())
    assert work(seed=1) == states(made={"a.mp4", "b.mkv"}, left={"c.avi"})
    (out / "c.json").write_text(json.dumps(told | {"prompt": "another"}))
    assert work(seed=1) == states(made={"c.avi"}, left={"a.mp4", "b.mkv"})


@pytest.mark.parametrize(
    "changes",
    [dict(seed=2), dict(prompt="a siren"), dict(steps=3), dict(best_of=2),
     pytest.param(dict(variations=2), marks=pytest.mark.slow),
     dict(delivery=Delivery(loudness=-20.0)), dict(delivery=Delivery(original="mix"))],
    ids=str,
)  # fmt: skip
def test_another_request_is_made_anew(work, folder, changes):
    one = [folder / "a.mp4"]
    assert work(videos=one, seed=1) == {"a.mp4": "made"}
    assert work(videos=one, **(dict(seed=1) | changes)) == {"a.mp4": "made"}
    assert work(videos=one, **(dict(seed=1) | changes)) == {"a.mp4": "was there"}


def test_nothing_of_the_users_is_replaced(work, folder, film, tmp_path):
    out, sheet = tmp_path / "out", b'[{"start": 0, "end": 1, "prompt": "a siren"}]'
    (out / "a.json").write_bytes(sheet)
    own = out / "b-1.mkv"
    shutil.move(film("other.mkv", 0.6, seed=9), own)
    before = own.read_bytes()
    assert work(videos=[folder / "a.mp4"]) == {"a.mp4": "failed"}
    assert "a.json is not of a result of ours" in work.outcomes[0].reason
    for taken in ([own, folder / "b.mkv"], [folder / "b.mkv", own]):
        assert work(videos=taken, variations=2)["b.mkv"] == "failed"
    with pytest.raises(UserError, match="b-1.mkv is the source itself"):
        work.order.plan(own, out / "b.mkv")
    assert (out / "a.json").read_bytes() == sheet and own.read_bytes() == before


def test_another_video_of_the_same_name_is_made_anew(work, folder, film):
    one = [folder / "a.mp4"]
    work(videos=one)
    shutil.move(film("other.mp4", 0.6, seed=9), one[0])
    assert work(videos=one) == {"a.mp4": "made"}


def test_a_surprise_is_a_failure_of_its_video(work, monkeypatch):
    made = Order.make

    def make(self, job, advance):
        if job.video.name == "b.mkv":
            raise ZeroDivisionError("surprise")
        return made(self, job, advance)

    monkeypatch.setattr(batch.Order, "make", make)
    assert work() == states(made={"a.mp4", "c.avi"}) | {"b.mkv": "failed"}
    assert "ZeroDivisionError: surprise" in table(work.outcomes)


def test_videos_of_one_stem_get_different_names(work, folder, tmp_path):
    shutil.copy(folder / "a.mp4", folder / "a.m4v")
    assert work() == states(made=GOOD | {"a.m4v"})
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"a.mp4.mp4", "a.m4v.m4v", "b.mkv"} <= names and "a.mp4" not in names


def test_no_result_takes_the_place_of_another(work, folder):
    (folder / "deep").mkdir()
    shutil.copy(folder / "a.mp4", folder / "deep" / "a.mp4")
    found = matching(str(folder / "**" / "a.mp4"))
    assert len(found) == 2
    work(videos=found)
    assert sorted(outcome.state for outcome in work.outcomes) == ["failed", "made"]
    assert "another video, or its result, has its result's name" in table(work.outcomes)


def test_folders_and_patterns_name_many_videos(folder, tmp_path):
    assert is_many(str(folder)) and is_many(str(folder / "*.mp4"))
    assert not is_many(str(folder / "a.mp4")) and not is_many(str(folder / "no.mp4"))
    assert {path.name for path in matching(str(folder))} == GOOD | BAD
    assert [path.name for path in matching(str(folder / "?.m*"))] == ["a.mp4", "b.mkv"]
    (tmp_path / "[odd].mp4").write_bytes(b"")
    assert not is_many(str(tmp_path / "[odd].mp4"))
    os.mkdir(tmp_path / "none")
    for nothing in (tmp_path / "none", tmp_path / "*.webm"):
        with pytest.raises(UserError, match="no video is there"):
            matching(str(nothing))
