"""Map work over items: here, in local processes, or on a Ray cluster.

The only place that knows the engine. `order` decides what runs next, the engines run it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Literal, TypeVar

from soundreel.errors import SettingsError
from soundreel.parallel.order import in_order
from soundreel.parallel.processes import LocalProcesses

Item = TypeVar("Item")
Result = TypeVar("Result")
EngineName = Literal["local", "ray"]


def available_cores() -> int:
    """How many cores this process may use (its CPU affinity, not the machine's count)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_items(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int = 1,
    apart: bool = False,
    *,
    engine: EngineName = "local",
    on_lost: Callable[[Item], Result] | None = None,
) -> Iterator[Result]:
    """The results of `function` for each item, in the items' order, each as soon as it is there.

    With one worker everything runs in this process; with more, in that many fresh processes
    (spawned, since decoders and torch hold threads that a fork would break), so `function` and
    the items must be picklable. An exception of `function` is raised here at its item.
    `apart`: even one worker is a process of its own, with one thread to compute in, so that
    sums are rounded the same way whatever the number of workers.

    A worker process that dies (killed, out of memory, a decoder's crash) takes its item with it.
    The item is tried again beside the others, and if that fails too a third time with nothing
    else running, so a worker killed by chance loses nothing. After the third time the item's
    result is `on_lost(item)`, called here. An item may so be worked on more than once; its
    result comes once. Where everything runs in this process its death is the caller's own.

    engine: "ray" sends the items to a Ray cluster: the one this process is connected to, else
        that of RAY_ADDRESS, else one running on this machine; if there is none, one of `workers`
        CPUs is started here and stopped at the end. `workers` means nothing on an existing
        cluster: its CPUs count. Soundreel must be installed on its machines.

    Items are taken from `items` a bounded number ahead of the results. New items are handed out
    when the next result is asked for, so a caller that works long between two results keeps the
    workers waiting. Closing the iterator stops the workers at once.

    Raises: SoundreelError if an item's worker died three times and there is no `on_lost`, or
        if workers cannot be started; SettingsError if Ray or its cluster is not there.
    """
    if engine == "ray":
        from soundreel.parallel.ray_engine import RayCluster

        runner = RayCluster(function, workers)
    elif engine == "local":
        iterator = iter(items)
        first_two = list(islice(iterator, 2))
        items = chain(first_two, iterator)
        if not apart and (workers <= 1 or len(first_two) <= 1):
            yield from map(function, items)
            return
        runner = LocalProcesses(function, max(1, workers))
    else:
        raise SettingsError(f'engine "{engine}" is not known: choose "local" or "ray"')
    try:
        yield from in_order(runner, items, on_lost)
    finally:
        runner.close()
