"""A profile of some steps, for XProf or Perfetto: `--profile_steps=A:B`."""

import pathlib
import re

import jax

from v2a_jax.errors import UserError


def profiled(text: str | None) -> range:
    """The steps of `A:B`, both included; none for None. UserError for anything else."""
    if text is None:
        return range(0)
    match = re.fullmatch(r"(\d+):(\d+)", text)
    steps = range(int(match[1]), int(match[2]) + 1) if match else range(0)
    if not steps or steps[0] < 1:
        raise UserError(f"--profile_steps={text} is not A:B with 1 <= A <= B")
    return steps


class Profile:
    """Writes a trace of `steps` into `folder`, in a context."""

    def __init__(self, steps: range, folder: pathlib.Path):
        self._steps, self._folder, self._running = steps, folder, False

    def __enter__(self) -> "Profile":
        return self

    def __exit__(self, *ended: object) -> None:
        self._stop()

    def before(self, step: int) -> None:
        """Starts with the first of the steps."""
        if step in self._steps and not self._running:
            jax.profiler.start_trace(str(self._folder))
            self._running = True

    def after(self, step: int, made: object) -> None:
        """Stops after the last one, when what it has `made` is there."""
        if self._running and step >= self._steps[-1]:
            jax.block_until_ready(made)
            self._stop()

    def _stop(self) -> None:
        if self._running:
            self._running = False
            jax.profiler.stop_trace()
