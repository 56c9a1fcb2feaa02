"""Work on this machine: a pool of processes that end when this one does."""

import concurrent.futures
import itertools
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item, Result = TypeVar("Item"), TypeVar("Result")
_AHEAD = 4  # items in the making for each worker, so that none waits


def run_pool(
    work: Callable[[Item], Result], items: Sequence[Item], *, workers: int, ordered: bool = False
) -> Iterator[Result]:
    """Results of the items as they are done, or in order; one worker works in this process.

    `work` is picklable. A bounded number of results is made ahead.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("forkserver")  # a fork of threads may hang
    context.set_forkserver_preload([work.__module__])
    pool = concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=context, initializer=_end_with_parent
    )
    todo = iter(items)
    try:
        pending = [pool.submit(work, item) for item in itertools.islice(todo, _AHEAD * workers)]
        while pending:
            awaited = pending[:1] if ordered else pending
            done, _ = concurrent.futures.wait(
                awaited, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for future in done:
                pending.remove(future)
                yield future.result()
                pending += [pool.submit(work, item) for item in itertools.islice(todo, 1)]
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """A worker whose program was killed would wait for work for ever."""
    sentinel = multiprocessing.parent_process().sentinel

    def watch() -> None:
        multiprocessing.connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
