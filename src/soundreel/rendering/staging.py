"""Stages of a film that work at the same time, each in a thread of its own.

A stage is an iterator that takes from another one. Wrapped in `staged` it runs ahead of whoever
takes from it, by a bounded number of items, so memory stays flat however slow the next stage is.
Decoding, transforms, networks and encoders compute outside Python's lock, so threads are enough.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOOK_SECONDS = 0.1


def in_lanes(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    lanes: int,
    begin: Callable[[], object] | None = None,
) -> Iterator[Result]:
    """`function` of each item in the items' order, of so many at once, in threads of their own.

    begin: called first in each of these threads. With one lane there are none: all is done in
    the thread that takes the results.
    """
    if lanes == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(lanes, "soundreel-lane", begin) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > lanes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()


@contextmanager
def staged(items: Iterable[Item], ahead: int) -> Iterator[Iterator[Item]]:
    """The items of an iterable that runs in a thread of its own, at most `ahead` items early.

    Items come in their order. An error of the iterable is raised where its item would have come.
    When the block ends, the thread has ended and the iterable is closed, also where items were
    left; the items must not be needed after that.
    """
    waiting: queue.Queue[tuple[str, Any]] = queue.Queue(ahead)
    stopped = threading.Event()

    def put(message: tuple[str, Any]) -> None:
        while not stopped.is_set():
            try:
                waiting.put(message, timeout=_LOOK_SECONDS)
                return
            except queue.Full:
                continue

    def work() -> None:
        iterator = iter(items)
        try:
            while not stopped.is_set():
                try:
                    item = next(iterator)
                except StopIteration:
                    put(("end", None))
                    return
                put(("item", item))
        except BaseException as error:  # noqa: BLE001  # raised again where the items are taken
            put(("error", error))
        finally:
            if isinstance(iterator, Generator):
                iterator.close()

    def take() -> Iterator[Item]:
        while True:
            kind, value = waiting.get()
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value

    thread = threading.Thread(target=work, name="soundreel-stage", daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        stopped.set()
        thread.join()
