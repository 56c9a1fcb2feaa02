"""Runs the shards on this machine: a pool of processes that end when this one does."""

import concurrent.futures
import itertools
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Callable, Iterable, Iterator

_AHEAD = 2  # shards waiting for each worker, so that none waits for this process


def run_pool(work: Callable[[int], int], shards: Iterable[int], *, workers: int) -> Iterator[int]:
    """Numbers of the shards as they are done; `workers` 1 works in this process."""
    if workers == 1:
        yield from map(work, shards)
        return
    context = multiprocessing.get_context("forkserver")  # a fork of threads may hang
    context.set_forkserver_preload(["data_pipelines.prepare.shard"])
    pool = concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=context, initializer=_end_with_parent
    )
    todo = iter(shards)
    try:
        pending = {pool.submit(work, shard) for shard in itertools.islice(todo, _AHEAD * workers)}
        while pending:
            done, pending = concurrent.futures.wait(
                pending, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for future in done:
                yield future.result()
                pending |= {pool.submit(work, shard) for shard in itertools.islice(todo, 1)}
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """A worker whose program was killed would wait for work for ever."""
    sentinel = multiprocessing.parent_process().sentinel

    def watch() -> None:
        multiprocessing.connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
