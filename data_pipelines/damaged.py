"""What becomes of a record that cannot be read: it is fatal, or the next one takes its place.

Which one that is depends on the data alone, so that hosts, threads and restarts agree.
"""

import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from v2a_jax.errors import UserError

FAR = 100  # so many unreadable records side by side are no accident


class Indexed(Protocol):
    """A source whose items know their index, and whose errors name it."""

    def __len__(self) -> int:
        """Number of records."""

    def __getitem__(self, index: int) -> tuple[int, Any]:
        """One record with its index; UserError when it cannot be read."""


class Skipping:
    """A source in place of whose damaged records come the ones after them; each is told once."""

    def __init__(self, source: Indexed):
        self._source, self._lock = source, threading.Lock()
        self.damaged: set[int] = set()

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> tuple[int, Any]:
        for ahead in range(min(FAR, len(self))):
            place = (index + ahead) % len(self)
            try:
                return self._source[place]
            except UserError as error:
                self._tell(place, error)
        raise UserError(
            f"data.damaged=skip: record {index} and the {min(FAR, len(self)) - 1} after it cannot "
            "be read"
        )

    def _tell(self, place: int, error: UserError) -> None:
        with self._lock:
            if place in self.damaged:
                return
            self.damaged.add(place)
            count = len(self.damaged)
        sys.stderr.write(f"v2a: skipped ({count} damaged so far): {error}\n")


POLICIES: Mapping[str, Callable[[Indexed], Indexed]] = {
    "fail": lambda source: source,
    "skip": Skipping,
}


def by_policy(damaged: str, source: Indexed) -> Indexed:
    """The source under a policy for damaged records; UserError for an unknown one."""
    if damaged not in POLICIES:
        raise UserError(f"data.damaged '{damaged}' is not one of: {', '.join(POLICIES)}")
    return POLICIES[damaged](source)
