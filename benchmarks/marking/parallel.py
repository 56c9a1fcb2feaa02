"""Work spread over processes of one thread each, with a progress bar."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tqdm import tqdm

ONE_THREAD = {
    "JAX_PLATFORMS": "cpu",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


def spread(
    work: Callable[[Any], Iterable[dict]], tasks: Sequence[Any], *, jobs: int, title: str
) -> list[dict]:
    """All rows of `work(task)`, in order of the tasks; `work` and tasks are picklable."""
    os.environ.update(ONE_THREAD)
    rows: list[dict] = []
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        done = pool.imap(work, tasks)
        for found in tqdm(done, total=len(tasks), desc=title, smoothing=0):
            rows += found
    return rows
