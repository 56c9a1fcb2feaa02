"""The commands of this project as processes, and what memory they take with all their children."""

import subprocess
import sys
from pathlib import Path


def start(command: str, *arguments: str, **options: object) -> subprocess.Popen:
    """A command of ours; `options` as for `Popen`."""
    return subprocess.Popen([sys.executable, "-m", f"v2a_jax.bin.{command}", *arguments], **options)


def memory(pid: int) -> int:
    """Bytes of a process and all that descend from it; pages they share are counted once."""
    return sum(map(_resident, _family(pid)))


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in _family(int(child)))]


def _resident(pid: int) -> int:
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in told.splitlines() if "Pss:" in line), 0) * 1024
