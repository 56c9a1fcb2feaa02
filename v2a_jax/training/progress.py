"""Progress of a run on stderr: a bar on a terminal, plain lines elsewhere."""

import sys
import time

from tqdm import tqdm


class Progress:
    """Counts steps from `start` to `total`; lines come at most every `interval` seconds."""

    def __init__(self, name: str, start: int, total: int, interval: float = 10.0):
        self._name, self._first, self._total, self._interval = name, start + 1, total, interval
        self._began = self._spoke = time.monotonic()
        self._bar, self._rates = None, ""
        if sys.stderr.isatty():
            self._bar = tqdm(total=total, initial=start, desc=name, unit="step", dynamic_ncols=True)

    def update(self, step: int, loss: float) -> None:
        """A step is finished."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {loss:.4g}{self._rates}", refresh=False)
            self._bar.update(step - self._bar.n)
            return
        now = time.monotonic()
        if step == self._first:  # the rate leaves out the step that waited for the compiler
            self._began = self._spoke = now
        if now - self._spoke < self._interval and step < self._total:
            return
        self._spoke = now
        rate = (step - self._first) / max(now - self._began, 1e-9)
        left = tqdm.format_interval((self._total - step) / rate) if rate else "?"
        speed = f"{rate:.2f} steps/s{self._rates}"
        self.say(f"step {step}/{self._total} loss {loss:.4g} {speed}, {left} left")

    def rates(self, text: str) -> None:
        """What the next lines say besides."""
        self._rates = f", {text}"

    def say(self, text: str) -> None:
        """One line, without breaking the bar."""
        tqdm.write(f"{self._name}: {text}", file=sys.stderr)

    def close(self) -> None:
        """Leaves the bar as it is."""
        if self._bar is not None:
            self._bar.close()
