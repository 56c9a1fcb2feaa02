"""A watchdog: a phase of a run that lasts too long ends the process, and every stack is shown."""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable

from v2a_jax.training.goodput import Ledger

EXIT_LOST = 3  # nothing is wrong with the run's input: starting again goes on from a checkpoint
FIRST = ("init", "compile")


class Watchdog:
    """Within this context no phase may take longer than allowed, in seconds.

    `first` is allowed before the first step and for compiling it, `usual` for anything else. The
    stacks of all threads and one line go to stderr, and the exit status is EXIT_LOST; other
    processes of the run, which wait for this one, get `grace` seconds to show theirs.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        usual: float,
        first: float,
        grace: float = 0.0,
        end: Callable[[int], None] = os._exit,
    ):
        self._ledger, self._usual, self._first = ledger, usual, first
        self._grace, self._end = grace, end
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> "Watchdog":
        self._thread.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._left.set()
        self._thread.join()

    def _watch(self) -> None:
        pause = min(1.0, self._usual / 4, self._first / 4)
        while not self._left.wait(pause):
            phase, seconds = self._ledger.phase, self._ledger.spent()
            allowed = self._first if phase in FIRST else self._usual
            if seconds > allowed:
                faulthandler.dump_traceback(sys.__stderr__, all_threads=True)
                sys.stderr.write(
                    f"v2a: error: hung in '{phase}' for {seconds:.0f} s after step "
                    f"{self._ledger.step}: stopped, stacks above (run.hang_seconds and "
                    "run.compile_seconds bound this); start again to go on from the last "
                    "checkpoint\n"
                )
                sys.stderr.flush()
                time.sleep(self._grace)
                self._end(EXIT_LOST)
                return
