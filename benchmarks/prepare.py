"""Clips for a second of one core's time: `v2a prepare` beside bare decoding of the same files.

`python benchmarks/prepare.py [CLIPS]`. Time is processor time, of all processes that take part, so
that what else the machine does counts little; the two take turns. Memory is that of all processes.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av

CLIPS, SECONDS, SIZE, TURNS = 60, 4, 64, 3
WORLD = ["--workers=1", "--mp4", f"--seconds={SECONDS}", f"--size={SIZE}", "--sample_rate=16000"]
FORM = ["--workers=1", f"--seconds={SECONDS}", f"--size={SIZE}", "--shard_clips=16", "--filters="]


def run(command: str, *arguments: str) -> subprocess.Popen:
    """A command of ours."""
    return subprocess.Popen(
        [sys.executable, "-m", f"v2a_jax.bin.{command}", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def decode(folder: Path) -> float:
    """Seconds to decode picture and sound of every file to arrays, and to keep nothing."""
    start = time.process_time()
    for path in sorted(folder.glob("*.mp4")):
        for kind in ("video", "audio"):
            with av.open(str(path)) as container:
                stream = container.streams.best(kind)
                stream.thread_count = 1
                for frame in container.decode(stream):
                    frame.to_ndarray(**({"format": "rgb24"} if kind == "video" else {}))
    return time.process_time() - start


def prepare(folder: Path, out: Path) -> tuple[float, int]:
    """(seconds, peak bytes of memory) of a whole preparation, its start among them."""
    before, peak = children_seconds(), 0
    process = run("prepare", "--source=folder", f"--input={folder}", f"--out={out}", *FORM)
    while process.poll() is None:
        peak = max(peak, sum(map(resident, family(process.pid))))
        time.sleep(0.1)
    if process.returncode:
        sys.exit(f"v2a prepare ended with status {process.returncode}")
    return children_seconds() - before, peak


def children_seconds() -> float:
    """Processor time of all that this process started, and of what those did."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in family(int(child)))]


def resident(pid: int) -> int:
    """Bytes of memory of a process; pages it shares are counted in shares."""
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in told.splitlines() if "Pss:" in line), 0) * 1024


def main(clips: int) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as place:
        folder, one = Path(place, "world"), Path(place, "one")
        for out, count in ((folder, clips), (one, 1)):
            run("world", f"--out={out}", f"--clips={count}", *WORLD).wait()
        bare, ours, starts, peaks = [], [], [], []
        for turn in range(TURNS):
            bare.append(decode(folder))
            seconds, peak = prepare(folder, Path(place, f"out{turn}"))
            starts.append(prepare(one, Path(place, f"one{turn}"))[0])
            ours.append(seconds)
            peaks.append(peak)
    # A start loads libraries, once for a corpus: it is told apart.
    alone = statistics.median(bare) / clips
    whole = (statistics.median(ours) - statistics.median(starts)) / (clips - 1)
    print(f"PyAV alone   {1 / alone:8.1f} clips/s per core")
    print(f"v2a prepare  {1 / whole:8.1f} clips/s per core ({alone / whole:.2f} of it)")
    print(f"start        {statistics.median(starts):8.1f} s, with one clip")
    print(f"memory       {max(peaks) / 2**20:8.0f} MiB at most")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else CLIPS)
