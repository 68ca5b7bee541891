"""Map work over items: here or in local processes. The only place that knows the engine."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from soundreel.errors import SoundreelError

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """How many cores this process may use (its CPU affinity, not the machine's count)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_items(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int = 1,
    apart: bool = False,
) -> Iterator[Result]:
    """The results of `function` for each item, in the items' order, each as soon as it is there.

    With one worker everything runs in this process; with more, in that many fresh processes
    (spawned, since decoders and torch hold threads that a fork would break), so `function` and
    the items must be picklable. An exception of `function` is raised here at its item.
    `apart`: even one worker is a process of its own, with one thread to compute in, so that
    sums are rounded the same way whatever the number of workers.

    Raises: SoundreelError if a worker process dies (killed, out of memory, or a decoder's crash).
    """
    if not apart and (workers <= 1 or len(items) <= 1):
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")
    pool_of = ProcessPoolExecutor(max(1, min(workers, len(items))), mp_context=context)
    with _one_thread_each(), pool_of as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            for item, future in zip(items, futures, strict=True):
                try:
                    yield future.result()
                except BrokenProcessPool as error:
                    raise SoundreelError(
                        f"{item}: a worker process died at or near this item (killed, or out of "
                        "memory): give the same command again to go on, with fewer workers"
                    ) from error
        finally:
            for future in futures:
                future.cancel()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside compute with one thread each: they are the parallelism.

    With the libraries' default, a thread a core in every process, two workers on two cores took
    five times as long to draw the corpus: their threads spin while they wait for each other.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
