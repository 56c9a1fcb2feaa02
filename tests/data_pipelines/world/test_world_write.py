"""Written datasets hold exactly the clips of their config, playable on the same clock."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest
from absl.testing import flagsaver

from data_pipelines import records
from data_pipelines.world import WorldSource
from data_pipelines.world.write import write_world
from v2a_jax.bin import world
from v2a_jax.bin.main import launch
from v2a_jax.errors import UserError

GUARD = 120.0  # seconds; only against hanging
FAMILY = 4  # two workers, what forks them, and what keeps count of shared things


def write(config, directory, **changes):
    values = {"shards": 2, "workers": 1, "mp4": False, "tfds": False, "progress": False}
    write_world(config, directory, **(values | changes))


def test_processes_write_what_the_source_gives(world_config, tmp_path):
    config = world_config(clips=9, seconds=1.0)
    write(config, tmp_path / "data", workers=2, shards=3, mp4=True, tfds=True)
    assert list(records.RecordSource(tmp_path / "data")) == list(WorldSource(config))
    assert (tmp_path / "data/tfds/clips").is_dir()
    assert json.loads((tmp_path / "data/dataset.json").read_text())["world"]["seed"] == 0
    entries = json.loads((tmp_path / "data/events.json").read_text())
    assert sorted(entries) == sorted(path.name for path in (tmp_path / "data").glob("*.mp4"))
    clip = WorldSource(config)[4]
    entry = entries["clip-000004.mp4"]
    assert entry["caption"] == clip.caption and entry["labels"] == list(clip.labels)
    assert [e["time"] for e in entry["events"]] == [e.time for e in clip.events]


def read(path):
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        decoded = list(container.decode(audio=0))
        start = float(decoded[0].pts * decoded[0].time_base)
        wave = np.concatenate([frame.to_ndarray()[0] for frame in decoded])
    return np.stack(frames), wave, start


def test_playable_files_show_and_sound_the_clip(world_config, tmp_path):
    config = world_config(classes=("impact",), clips=1, offscreen_probability=0.0, size=64)
    write(config, tmp_path / "data", mp4=True)
    clip = WorldSource(config)[0]
    frames, wave, start = read(tmp_path / "data/clip-000000.mp4")
    assert frames.shape == clip.video.shape
    assert np.abs(frames.astype(float) - clip.video).mean() < 4
    shifts = range(-200, 201)
    first = round(-start * clip.sample_rate)
    matches = [
        np.dot(wave[first + 2000 + k : first + 20000 + k], clip.audio[2000:20000, 0])
        for k in shifts
    ]
    assert abs(shifts[int(np.argmax(matches))]) <= 8


def test_a_full_disk_leaves_nothing(world_config, tmp_path, monkeypatch):
    def full(record, path):
        path.write_bytes(b"half")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("data_pipelines.world.playable.write_mp4", full)
    with pytest.raises(UserError, match="No space left"):
        write(world_config(), tmp_path / "new" / "data", mp4=True)
    assert list(tmp_path.iterdir()) == []


def workers_of(pid):
    """Processes below one, by /proc."""
    try:
        told = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [below for child in told for below in (int(child), *workers_of(child))]


def is_alive(pid):
    try:
        return ") Z" not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_killed_it_leaves_no_workers(tmp_path):
    arguments = [f"--out={tmp_path / 'data'}", "--clips=100000", "--workers=2", "--size=32"]
    process = subprocess.Popen(
        [sys.executable, "-m", "v2a_jax.bin.world", *arguments],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + GUARD
        while len(left := workers_of(process.pid)) < FAMILY and time.monotonic() < until:
            time.sleep(0.05)
        process.kill()
        process.wait()
        while any(map(is_alive, left)) and time.monotonic() < until:
            time.sleep(0.05)
        assert len(left) == FAMILY and not any(map(is_alive, left))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def command(*arguments):
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as exit_:
        launch(world.run, ["v2a world", *arguments])
    return exit_.value.code


def test_command(tmp_path):
    out = tmp_path / "data"
    size = ["--seconds=1", "--size=32", "--workers=1", "--classes=bounce"]
    assert command(f"--out={out}", "--clips=2", *size) == 0
    assert {clip.labels[0] for clip in records.RecordSource(out)} == {"bounce"}
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--clips=0"],
        ["--clips=2", "--seconds=-3"],
        ["--clips=2", "--classes=impact,fish"],
        ["--clips=2", "--shards=0"],
        [],
        ["--clips=two"],
        ["--clips=2", "stray"],
        ["--clips=2", "--colour=red"],
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, arguments):
    assert command(f"--out={tmp_path / 'data'}", *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("v2a: error: ") and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_unwritable_folders_are_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "data"):
        assert command(f"--out={out}", "--clips=2") == 2
        assert str(out) in capsys.readouterr().err
