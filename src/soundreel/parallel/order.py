"""What runs next: results in the items' order, lost items again, never too many at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import Any, Generic, Protocol, TypeVar

from soundreel.errors import SoundreelError

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Items handed out and not yet yielded, at most, for each that can run at once: enough that the
#: others go on for a while beside a long item, few enough that 100,000 items need little memory.
ITEMS_AHEAD = 8

#: After so many lost workers an item is given up: the first try and the one after it may each
#: have met someone's `kill` or have shared memory with greedy neighbours, the last ran alone.
TRIES = 3


@dataclass(frozen=True)
class Done:
    """The function's result for an item."""

    result: Any


@dataclass(frozen=True)
class Failed:
    """The function's exception for an item."""

    error: BaseException


@dataclass(frozen=True)
class Lost:
    """The item's worker died; `begun` False: before it could turn to the item."""

    begun: bool = True


Outcome = Done | Failed | Lost


class Engine(Protocol):
    """Runs a function on numbered items somewhere else."""

    def slots(self) -> int:
        """How many items can run at once, at least 1; may change over time."""
        ...

    def start(self, number: int, item: Any, alone: bool) -> None:
        """Begin an item; `alone`: nothing else runs, and it may have all there is."""
        ...

    def outcomes(self, wait: bool) -> list[tuple[int, Outcome]]:
        """Numbers and outcomes that have come since; `wait`: until there is at least one."""
        ...

    def close(self) -> None:
        """Stop what runs and let go of all workers."""
        ...


@dataclass(frozen=True)
class _Task(Generic[Item]):
    number: int
    item: Item
    losses: int = 0

    @property
    def alone(self) -> bool:
        return self.losses == TRIES - 1


class _Waiting(Generic[Item]):
    """The tasks that wait: fresh ones, and those a lost worker left."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._fresh = enumerate(items)
        self._again: deque[_Task[Item]] = deque()
        self._alone: deque[_Task[Item]] = deque()

    def put_back(self, task: _Task[Item]) -> None:
        (self._alone if task.alone else self._again).append(task)

    def next(self, running: dict[int, _Task[Item]], fresh: bool) -> _Task[Item] | None:
        """The next task to start; None while there is none. `fresh`: it may be a new one.

        Tasks that run alone come when nothing else is to be had, since the others stand still
        meanwhile: together at the end, or when the number of items ahead is used up.
        """
        if any(task.alone for task in running.values()):
            return None
        if self._again:
            return self._again.popleft()
        if fresh and (numbered := next(self._fresh, None)) is not None:
            return _Task(*numbered)
        if self._alone and not running:
            return self._alone.popleft()
        return None


def in_order(
    engine: Engine, items: Iterable[Item], on_lost: Callable[[Item], Result] | None
) -> Iterator[Result]:
    """Run all items on `engine` and yield their results in the items' order.

    Raises: what the function raised, at its item; SoundreelError for an item given up where
        there is no `on_lost`.
    """
    waiting = _Waiting(items)
    running: dict[int, _Task[Item]] = {}
    finished: dict[int, tuple[Item, Outcome]] = {}  # those whose turn has not come yet
    begun = turn = 0
    doomed = False  # an error is among the finished: nothing after it will be asked for
    while True:
        while len(running) < (slots := engine.slots()):
            task = waiting.next(running, not doomed and begun - turn < slots * ITEMS_AHEAD)
            if task is None:
                break
            begun = max(begun, task.number + 1)
            engine.start(task.number, task.item, task.alone)
            running[task.number] = task
        if turn in finished:
            yield _settled(*finished.pop(turn), on_lost)
            turn += 1
        elif not running:
            return
        for number, outcome in engine.outcomes(wait=turn not in finished and bool(running)):
            task = running.pop(number)
            if isinstance(outcome, Lost):
                task = replace(task, losses=task.losses + outcome.begun)
                if task.losses < TRIES:
                    waiting.put_back(task)
                    continue
            finished[number] = (task.item, outcome)
            doomed |= isinstance(outcome, Failed) or (isinstance(outcome, Lost) and not on_lost)


def _settled(item: Item, outcome: Outcome, on_lost: Callable[[Item], Result] | None) -> Result:
    if isinstance(outcome, Done):
        return outcome.result
    if isinstance(outcome, Failed):
        raise outcome.error
    if on_lost is not None:
        return on_lost(item)
    raise SoundreelError(
        f"{shorten(str(item), 200)}: a worker process died at this item, {TRIES} times (a crash, "
        "or out of memory): leave the item out, or give it more memory"
    )
