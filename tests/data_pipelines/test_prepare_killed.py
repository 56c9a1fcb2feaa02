"""`v2a prepare` killed at any moment goes on where it was, and ends with the same bytes."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from test_prepare import contents

CLIPS, KILLS = 40, 3
MOST = 4  # shards, of 20, before a kill
ATTEMPTS = 5  # a busy machine may look away until all is done
SETTINGS = ["--seconds=0.64", "--size=32", "--shard_clips=2", "--workers=2", "--min_seconds=0.2"]


@pytest.fixture
def start(tmp_path, clip_files):
    """start(out): the command on a folder of clips, in a process group of its own."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for index in range(CLIPS):
        shutil.copyfile(clip_files[0], folder / f"{index}.mp4")

    def run(out):
        asked = ["--source=folder", f"--input={folder}", f"--out={out}", *SETTINGS]
        return subprocess.Popen(
            [sys.executable, "-m", "v2a_jax.bin.prepare", *asked],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    return run


def finish(process):
    told = process.communicate()[1].decode()
    assert process.returncode == 0, told


def wait_for_work(folder, process, notes):
    """Until there are more notes of finished shards than `notes`, or the process ends."""
    while process.poll() is None and len(list(folder.glob("shard-*.json"))) <= notes:
        time.sleep(0.01)


def killed(start, out, moments, *, whole_group):
    """Kills three preparations of `out` after a few more shards each; names of what was finished.

    None where one was done too soon to be killed.
    """
    work, kept = out.with_name(f".{out.name}.prepare"), {}
    for _ in range(KILLS):
        process = start(out)
        wait_for_work(work, process, len(kept) + moments.randrange(MOST))
        time.sleep(moments.uniform(0, 0.05))
        if process.poll() is None:
            os.kill(-process.pid if whole_group else process.pid, signal.SIGKILL)
        process.communicate()
        if out.exists():
            return None
        notes = {path.name: path.stat().st_mtime_ns for path in work.glob("shard-*.json")}
        assert kept.items() <= notes.items(), "a finished shard was made again"
        kept = notes
    return kept


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [True, False])
def test_killed_three_times_the_result_is_the_same(start, tmp_path, whole_group):
    undisturbed, moments = tmp_path / "undisturbed", random.Random(whole_group)
    finish(start(undisturbed))
    for attempt in range(ATTEMPTS):
        out = tmp_path / f"out{attempt}"
        if killed(start, out, moments, whole_group=whole_group):
            break
    else:
        pytest.fail("the kills never hit the work")
    finish(start(out))
    assert contents(out) == contents(undisturbed)
    assert not out.with_name(f".{out.name}.prepare").exists()
