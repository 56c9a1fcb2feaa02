"""A request to stop: SIGTERM or SIGINT, honoured between two steps."""

import signal
from types import FrameType, TracebackType

import jax
from jax.experimental import multihost_utils

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Within this context a first signal asks to stop, and a second one acts as it usually does.

    On several hosts, JAX's coordination service hears SIGTERM and picks the step for all of them.
    """

    def __init__(self) -> None:
        self._asked = False
        self._usual: dict[int, object] = {}

    def __enter__(self) -> "StopRequest":
        if jax.process_count() == 1:
            self._usual = {number: signal.signal(number, self._ask) for number in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def before(self, step: int) -> bool:
        """Whether to stop instead of taking this step."""
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(step)
        return self._asked

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        self._restore()

    def _restore(self) -> None:
        while self._usual:
            signal.signal(*self._usual.popitem())
