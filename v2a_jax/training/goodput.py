"""The goodput ledger: what every second of a run was spent on, across restarts.

wall = init + compile + data + step + evaluation + checkpoint + lost + down

A process is in one phase at a time, so its phases sum to its life. Snapshots of the sums go to a
file of JSON lines. What a process did after the step that the next one went on from is `lost`; the
time between a process's last snapshot and the start of the next one is `down`.
"""

import contextlib
import json
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from v2a_jax.errors import UserError

PHASES = ("init", "compile", "data", "step", "evaluation", "checkpoint")
EVERY = 10.0  # seconds between snapshots, where nothing asks for one

Line = Mapping[str, Any]


class Ledger:
    """Keeps the time of this process, in a context; without a `path` it writes nothing.

    `began` is the unix time at which the process began; `start` the step that it goes on from.
    """

    def __init__(
        self,
        path: pathlib.Path | None,
        start: int,
        began: float,
        clock: Callable[[], float] = time.time,
    ):
        self._clock, self._path = clock, path
        self._earlier = read(path) if path is not None else []
        last = self._earlier[-1]["time"] if self._earlier else began
        self._began = self._since = self._written = max(began, last)
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self.phase, self.step, self._start, self._file = "init", start, start, None

    def __enter__(self) -> "Ledger":
        if self._path is not None:
            self._file = _open_to_append(self._path)
            self._write(self._began)
        return self

    def __exit__(self, *ended: object) -> None:
        if self._file is not None:
            self.snapshot()
            self._file.close()

    @contextlib.contextmanager
    def spend(self, phase: str) -> Iterator[None]:
        """What happens within is of `phase`, and of no other."""
        outer = self.phase
        self.enter(phase)
        try:
            yield
        finally:
            self.enter(outer)

    def enter(self, phase: str) -> None:
        """From now on, until told otherwise."""
        now = self._clock()
        self._seconds[self.phase] += now - self._since
        self.phase, self._since = phase, now

    def spent(self) -> float:
        """Seconds in the present phase."""
        return self._clock() - self._since

    def working(self) -> float:
        """Seconds that this process has spent on steps and on waiting for their data."""
        self.enter(self.phase)
        return self._seconds["step"] + self._seconds["data"]

    def finished(self, step: int, *, told: bool = False) -> None:
        """Notes that this step was taken; a snapshot follows when `told`, or the last is old."""
        self.step = step
        if told or self._since - self._written >= EVERY:
            self.snapshot()

    def snapshot(self) -> None:
        """Writes down where the time went until now."""
        self.enter(self.phase)
        if self._file is not None:
            self._write(self._since)

    def totals(self) -> dict[str, float]:
        """Seconds by name, of all processes of this run until now; they sum to the wall time."""
        self.enter(self.phase)
        first = {"began": self._began, "time": self._began, "step": self._start, "seconds": {}}
        return account([*self._earlier, first, self._line(self._since)])

    def report(self) -> str:
        """The totals in one line."""
        totals = self.totals()
        wall = sum(totals.values())
        parts = " ".join(f"{name} {value:.1f}" for name, value in totals.items() if value >= 0.05)
        return f"goodput {goodput(totals):.1%} of {wall:.1f} s: {parts}"

    def _line(self, now: float) -> dict[str, Any]:
        rounded = {name: round(value, 3) for name, value in self._seconds.items() if value}
        return {"began": self._began, "time": now, "step": self.step, "seconds": rounded}

    def _write(self, now: float) -> None:
        self._file.write(json.dumps(self._line(now)) + "\n")
        self._file.flush()
        self._written = now


def goodput(totals: Mapping[str, float]) -> float:
    """The part of the wall time that went into steps which count."""
    return totals["step"] / max(sum(totals.values()), 1e-9)


def account(lines: Sequence[Line]) -> dict[str, float]:
    """Totals of the snapshots of several processes, in order: kept, lost and down."""
    totals = dict.fromkeys((*PHASES, "lost", "down"), 0.0)
    sessions: dict[float, list[Line]] = {}
    for line in lines:
        sessions.setdefault(line["began"], []).append(line)
    ended, resumed_at = None, float("inf")
    for began, session in reversed(sessions.items()):
        counted = [line for line in session if line["step"] <= resumed_at]
        kept = counted[-1] if counted else {"time": began, "seconds": {}}
        for name, value in kept["seconds"].items():
            totals[name] += value
        totals["lost"] += session[-1]["time"] - kept["time"]
        totals["down"] += 0.0 if ended is None else ended - session[-1]["time"]
        ended, resumed_at = began, min(resumed_at, session[0]["step"])
    return totals


def read(path: pathlib.Path) -> list[Line]:
    """The whole lines of a ledger; none when there is no file. UserError for another file."""
    if not path.exists():
        return []
    *whole, _ = path.read_text(encoding="utf-8").split("\n")  # a kill may tear the last line
    try:
        lines = [json.loads(line) for line in whole if line]
        account(lines)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no ledger of a run: delete it ({error!r})") from error
    return lines


def process_began() -> float:
    """Unix time at which this process began, where the system tells; else now."""
    try:
        stat = pathlib.Path("/proc/self/stat").read_text()
        ticks = int(stat.rpartition(")")[2].split()[19])  # field 22: start time after boot
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError):
        return time.time()
    return time.time() - age


def _open_to_append(path: pathlib.Path) -> Any:
    """The file, less a line that a kill has torn."""
    if path.exists():
        content = path.read_bytes()
        os.truncate(path, content.rfind(b"\n") + 1)
    return open(path, "a", encoding="utf-8")  # closed on leaving the context
