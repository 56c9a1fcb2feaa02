"""`v2a audit`: its exit status, and bad input told in one line."""

import json

import pytest

from data_pipelines import records
from data_pipelines.audit.run import REPORT
from data_pipelines.provenance import ledger
from data_pipelines.world import WorldConfig, WorldSource
from data_pipelines.world.playable import write_mp4


@pytest.fixture
def world():
    """Four clips without a fault."""
    config = WorldConfig(
        seed=0,
        split="train",
        clips=4,
        seconds=3.0,
        fps=25,
        size=32,
        sample_rate=16000,
        classes=("impact", "bounce"),
        offscreen_probability=0.0,
    )
    return list(WorldSource(config))


@pytest.fixture
def write(tmp_path):
    """write(name, clips, **description): a dataset of records; its folder."""

    def make(name, clips, **description):
        with records.staged(tmp_path / name) as staging:
            records.fill(staging, clips, count=len(clips), shards=1, **description)
        return tmp_path / name

    return make


@pytest.fixture
def command(v2a):
    """command(*arguments): exit status, and the lines of stderr that are no progress."""

    def run(*arguments):
        status, lines = v2a("audit", *arguments)
        return status, [line for line in lines if line.startswith("v2a: error")]

    return run


def test_the_exit_status_tells_whether_anything_was_found(world, write, command, tmp_path):
    clean = write("clean", world[:3], world={})
    leaky = write("leaky", world[2:4], world={})
    out = f"--out={tmp_path / 'out'}"
    assert command(f"--data={clean}", out, "--workers=1") == (0, [])
    assert command(f"--data={clean}", f"--against={leaky}", out, "--workers=1") == (1, [])
    assert json.loads((tmp_path / "out" / REPORT).read_text())["counts"] == {"leak": 1}


def test_media_are_audited_in_the_form_that_prepare_makes(world, command, tmp_path):
    (tmp_path / "media").mkdir()
    write_mp4(world[0], tmp_path / "media" / "a.mp4")
    asked = ("--source=folder", f"--input={tmp_path / 'media'}", "--policy=any", "--workers=1")
    assert command(*asked, f"--out={tmp_path / 'out'}") == (1, [])
    report = json.loads((tmp_path / "out" / REPORT).read_text())
    assert report["clips"] == 1 and report["counts"] == {"caption": 1}


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--out=x",),
        ("--data=nowhere", "--out=x"),
        ("--data=a", "--source=folder", "--out=x"),
        ("--source=folder", "--out=x"),
        ("--source=nothing", "--input=.", "--out=x"),
        ("--data=a", "--out=x", "--workers=0"),
        ("--data=a", "--out=x", "--pictures=-1"),
        ("--data=a", "--out=x", "--policy=all"),
        ("--data=a", "--out=x", "more"),
        ("--data=a", "--out=x", "--require=audio"),
        ("--data=a", "--out=x", "--split=train"),
        ("--data=a", "--out=x", "--media=."),
        ("--data=a", "--out=x", "--input=."),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(command, monkeypatch, tmp_path, arguments):
    monkeypatch.chdir(tmp_path)
    status, errors = command(*arguments)
    assert status == 2 and len(errors) == 1
    assert not list(tmp_path.iterdir())


def test_a_damaged_ledger_is_named(world, write, command, tmp_path):
    folder = write("data", world[:2])
    (folder / ledger.LEDGER).write_text("{}\n")
    status, errors = command(f"--data={folder}", f"--out={tmp_path / 'out'}", "--workers=1")
    assert status == 2 and "ledger.jsonl:1" in errors[0] and not (tmp_path / "out").exists()
