"""Clips for a second of one core's time: `v2a prepare` beside bare decoding of the same files.

`python benchmarks/prepare.py --clips=500`. Both are held to one core, take turns, and are judged by
the processor time of all processes that take part, so that what else the machine does counts
little. Bare decoding is PyAV alone: every frame of picture and sound as an array, of which nothing
is kept. Then a preparation is killed at three random moments, and its result compared.
"""

import argparse
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import tqdm
from processes import memory, start

from data_pipelines.prepare.run import RETENTION

TURNS, KILLS = 3, 3
SHARE = 0.7  # of the work, in which all kills fall
PAUSE = 0.1  # seconds between looks at memory
QUIET = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def world(out: Path, clips: int, options: argparse.Namespace) -> None:
    """Makes a folder of MP4 files."""
    form = [f"--seconds={options.seconds}", f"--size={options.size}", "--sample_rate=16000"]
    made = start("world", f"--out={out}", f"--clips={clips}", "--mp4", *form, **QUIET)
    if made.wait():
        sys.exit(f"v2a world ended with status {made.returncode}")


def decode(folder: Path) -> float:
    """Seconds of processor time to decode picture and sound of every file to arrays."""
    begun = time.process_time()
    for path in sorted(folder.glob("*.mp4")):
        for kind in ("video", "audio"):
            with av.open(str(path)) as container:
                stream = container.streams.best(kind)
                stream.thread_count = 1
                for frame in container.decode(stream):
                    frame.to_ndarray(**({"format": "rgb24"} if kind == "video" else {}))
    return time.process_time() - begun


def preparation(folder: Path, out: Path, options: argparse.Namespace) -> subprocess.Popen:
    """`v2a prepare` at work; it drops nothing, so that both sides do all clips."""
    form = [f"--seconds={options.seconds}", f"--size={options.size}", "--filters=", "--workers=1"]
    asked = ["--source=folder", f"--input={folder}", f"--out={out}", "--shard_clips=16", *form]
    return start("prepare", *asked, **QUIET)


def prepare(folder: Path, out: Path, options: argparse.Namespace) -> float:
    """Seconds of processor time of a whole preparation and all its processes."""
    before = _children_seconds()
    _finish(preparation(folder, out, options))
    return _children_seconds() - before


def _children_seconds() -> float:
    """Processor time of all that this process started and waited for, and of what those did."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _finish(process: subprocess.Popen) -> None:
    if process.wait():
        sys.exit(f"v2a prepare ended with status {process.returncode}")


def speed(folder: Path, place: Path, options: argparse.Namespace) -> float:
    """Prints clips a second, apart from what a start costs once; returns seconds of the latter."""
    world(place / "single", 1, options)
    bare, wholes, starts = [], [], []
    for turn in tqdm.trange(TURNS, desc="turns"):
        bare.append(decode(folder) / options.clips)
        starts.append(prepare(place / "single", place / f"single{turn}", options))
        wholes.append(prepare(folder, place / f"turn{turn}", options))
    ours = [(whole - statistics.median(starts)) / (options.clips - 1) for whole in wholes]
    ratio = statistics.median(a / b for a, b in zip(bare, ours, strict=True))
    for name, each in (("PyAV alone", bare), ("v2a prepare", ours)):
        one = statistics.median(each)
        print(f"{name:12} {1 / one:8.1f} clips/s per core {1e3 * one:8.1f} ms a clip")
    print(f"{'ratio':12} {ratio:8.2f}")
    print(f"{'start':12} {statistics.median(starts):8.1f} s")
    return statistics.median(starts)


def undisturbed(folder: Path, out: Path, options: argparse.Namespace) -> float:
    """Prints peak memory of all processes together, and what is kept; returns seconds of wall."""
    begun, peak = time.monotonic(), 0
    process = preparation(folder, out, options)
    while process.poll() is None:
        peak = max(peak, memory(process.pid))
        time.sleep(PAUSE)
    _finish(process)
    seconds = time.monotonic() - begun
    stages = json.loads((out / RETENTION).read_text())
    print(f"{'memory':12} {peak / 2**20:8.0f} MiB at most, of all processes together")
    print(f"{'retention':12} {stages[-1]['out']:8d} of {options.clips} clips")
    return seconds


def killed(
    folder: Path, whole: Path, begin: float, end: float, options: argparse.Namespace
) -> None:
    """Kills a preparation, which works from `begin` to `end`, at random moments of its work.

    Prints whether it ends with the bytes of `whole`.
    """
    out, moments = whole.with_name("killed"), random.Random(options.seed)
    done = []
    for _ in range(KILLS):
        process = preparation(folder, out, options)
        time.sleep(begin + (end - begin) * moments.uniform(0, SHARE / KILLS))
        process.send_signal(signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            sys.exit("it ended before it could be killed: more --clips are needed")
        done.append(len(list(out.with_name(f".{out.name}.prepare").glob("shard-*.json"))))
    _finish(preparation(folder, out, options))
    same = _contents(out) == _contents(whole)
    told = ", ".join(map(str, done))
    print(f"{'killed':12} {'identical' if same else 'DIFFERENT':>8}, after {told} shards")
    if not same:
        sys.exit(1)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def main(options: argparse.Namespace) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        world(place / "world", options.clips, options)
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # and all that are started
        begin = speed(place / "world", place, options)
        end = undisturbed(place / "world", place / "whole", options)
        killed(place / "world", place / "whole", begin, end, options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=500, help="few tell little")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of killing")
    main(parser.parse_args())
