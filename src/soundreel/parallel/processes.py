"""Local worker processes, each with a pipe of its own: who dies takes one known item along."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any

from soundreel.errors import SoundreelError
from soundreel.parallel.order import Done, Failed, Lost, Outcome
from soundreel.parallel.serving import GRACE_SECONDS, read_message, serve

#: What the libraries that compute read, as they are loaded, for their number of threads.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

#: So many workers in a row that die before they are ready: the next one would, too.
_FAILED_STARTS = 3


@dataclass(eq=False)
class _Worker:
    process: SpawnProcess
    connection: Connection
    number: int | None = None  # of the item it has
    ready: bool = False


class LocalProcesses:
    """An engine of up to `workers` spawned processes, started as items come.

    The standard library's pool shares its queues among all workers and gives up all their items
    when one dies; here a loss concerns one item, and which one is known.
    """

    def __init__(self, function: Callable[[Any], Any], workers: int) -> None:
        self._function = function
        self._most = workers
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def slots(self) -> int:
        return self._most

    def start(self, number: int, item: Any, alone: bool) -> None:
        call = ForkingPickler.dumps((self._function, item))
        if alone:  # a fresh process, and no memory held by others
            self.close()
        for worker in [worker for worker in self._workers if worker.number is None]:
            if _sent(call, worker, number):
                return
            self._part_with(worker)  # it died while it had nothing to do
        worker = self._spawn()
        if not _sent(call, worker, number):  # it died already: to be found by `outcomes`
            worker.number = number

    def outcomes(self, wait: bool) -> list[tuple[int, Outcome]]:
        found: list[tuple[int, Outcome]] = []
        while not found:
            for worker in self._speaking(wait):
                outcome = self._outcome(worker)
                if outcome is not None:
                    found.append(outcome)
            if not wait:
                break
        return found

    def close(self) -> None:
        for worker in self._workers:
            worker.connection.close()  # who is idle leaves by itself
            if worker.number is not None:
                worker.process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.process.close()
        self._workers.clear()

    def _speaking(self, wait_for_one: bool) -> list[_Worker]:
        """The busy workers that have sent something, or have died."""
        busy = {worker.connection: worker for worker in self._workers if worker.number is not None}
        return [busy[end] for end in wait_for(list(busy), None if wait_for_one else 0)]  # pyright: ignore[reportArgumentType]  # the ends given come back

    def _outcome(self, worker: _Worker) -> tuple[int, Outcome] | None:
        number = worker.number
        assert number is not None, "only busy workers are listened to"
        try:
            message = worker.connection.recv_bytes()
        except (EOFError, OSError):
            self._part_with(worker)
            if not worker.ready:
                self._count_failed_start()
            return number, Lost(begun=worker.ready)
        if not worker.ready:  # the first message says no more than that
            worker.ready = True
            self._failed_starts = 0
            return None
        worker.number = None
        succeeded, value = read_message(message)
        return number, Done(value) if succeeded else Failed(value)

    def _count_failed_start(self) -> None:
        self._failed_starts += 1
        if self._failed_starts == _FAILED_STARTS:
            raise SoundreelError(
                "worker processes die as they start: use fewer workers if memory is short; in a "
                'script, call this below `if __name__ == "__main__":`'
            )

    def _spawn(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs,), daemon=True)
        try:
            with _one_thread_each(), _interrupts_held_back():
                process.start()
        except OSError as error:
            ours.close()
            raise SoundreelError(
                f"a worker process cannot be started ({error}): use fewer workers"
            ) from error
        finally:
            theirs.close()  # or its death would not be seen as the end of the pipe
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _part_with(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.kill()  # it is dead, or its pipe is broken
        worker.process.join()
        worker.process.close()


def _sent(call: memoryview, worker: _Worker, number: int) -> bool:
    try:
        worker.connection.send_bytes(call)
    except OSError:
        return False
    worker.number = number
    return True


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside compute with one thread each: they are the parallelism.

    With the libraries' default, a thread a core in every process, two workers on two cores took
    five times as long to draw the corpus: their threads spin while they wait for each other.
    """
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Processes started inside do not hear Ctrl-C: who started them stops them.

    A terminal sends Ctrl-C to all processes at once; each worker would print a traceback. A
    signal mask is inherited from the first moment on, and here the interrupt is only delayed.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # started with the first process, it would lift the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
