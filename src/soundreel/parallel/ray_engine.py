"""A Ray cluster as an engine: the one there is, or one started here for the while."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from textwrap import shorten
from typing import Any
from urllib.parse import urlsplit

from soundreel.errors import SettingsError
from soundreel.parallel.order import Done, Failed, Lost, Outcome

#: Items a CPU of the cluster has: one running, one on its way (or asking for another machine).
_ITEMS_PER_CPU = 2

#: Shared memory of a cluster started here: results are small, and what is more goes to the disk.
_OBJECT_STORE_BYTES = 128 * 2**20

#: How long a cluster may take to let itself be connected to.
_ANSWER_SECONDS = 5.0

#: How Ray says that a worker cannot import `_call`, which lies in this very package.
_CALL_NOT_FOUND = "The remote function failed to import on the worker"


class RayCluster:
    """An engine that runs each item as a Ray task of one CPU and one thread.

    Ray's own retries are off: which item is lost, and what then, is decided in `order`.
    """

    def __init__(self, function: Callable[[Any], Any], workers: int) -> None:
        self._ray = _ray()
        self._connected_here = _connect(self._ray, workers)
        if self._connected_here:
            _let_messages_through(self._ray, False)
        self._function = self._ray.put(function)
        # One CPU, for which Ray sets OMP_NUM_THREADS to 1 too: all libraries here heed it.
        self._call = self._ray.remote(_call).options(num_cpus=1, max_retries=0)
        self._running: dict[Any, int] = {}  # the future of each item's result

    def slots(self) -> int:
        return max(1, int(self._ray.cluster_resources().get("CPU", 0))) * _ITEMS_PER_CPU

    def start(self, number: int, item: Any, alone: bool) -> None:
        self._running[self._call.remote(self._function, item)] = number

    def outcomes(self, wait: bool) -> list[tuple[int, Outcome]]:
        if not self._running:
            return []
        futures = list(self._running)
        ready, _ = self._ray.wait(futures, num_returns=1, timeout=None if wait else 0)
        return [(self._running.pop(future), self._outcome(future)) for future in ready]

    def close(self) -> None:
        for future in self._running:
            self._ray.cancel(future, force=True)
        self._running.clear()
        if self._connected_here:
            self._ray.shutdown()
            _let_messages_through(self._ray, True)

    def _outcome(self, future: Any) -> Outcome:
        errors = self._ray.exceptions
        gone = (
            errors.WorkerCrashedError,
            errors.NodeDiedError,
            errors.OutOfMemoryError,
            errors.ObjectLostError,
        )
        try:
            return Done(self._ray.get(future))
        except gone:
            return Lost()
        except errors.RayTaskError as error:
            if _CALL_NOT_FOUND in str(error.cause):
                return Failed(
                    SettingsError(
                        "the Ray cluster's machines lack this Soundreel: install the same "
                        "version on each of them"
                    )
                )
            if not isinstance(error.cause, Exception):
                return Failed(error)
            error.cause.add_note(f"On the cluster:\n{error}")
            return Failed(error.cause)


def _call(function: Callable[[Any], Any], item: Any) -> Any:
    return function(item)


def _ray() -> Any:
    # Read as Ray is imported. The errors are those of items nobody asks for, after the first one.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    try:
        import ray  # pyright: ignore[reportMissingImports]  # an extra
    except ImportError as error:
        raise SettingsError(
            'engine "ray": Ray is not installed: pip install "soundreel[cluster]"'
        ) from error
    return ray


def _connect(ray: Any, workers: int) -> bool:
    """Connect to a cluster, or start one; whether that was done here, and is to be undone."""
    if ray.is_initialized():
        return False
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = _cluster_address(ray)
    if address is None:
        ray.init(
            address="local",
            num_cpus=max(1, workers),
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            **quiet,
        )
        return True
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError) as error:  # also another version of Ray or of Python
        message = shorten(str(error), 300)
        raise SettingsError(
            f"Ray cluster {address}: cannot be used: {message} (it may want the same versions of "
            "Ray and Python, or RAY_AUTH_MODE=token)"
        ) from error
    return True


def _cluster_address(ray: Any) -> str | None:
    """Where a cluster answers: at RAY_ADDRESS, or where `ray start` last began one here.

    Ray's own search would also join what another program started for itself, and would end with
    it; and at an address where nothing answers Ray waits for five minutes.
    """
    named = os.environ.get("RAY_ADDRESS", "auto")
    if named not in ("", "auto", "local"):
        if not _answers(named):
            raise SettingsError(
                f"RAY_ADDRESS={named}: no Ray cluster answers there: start it, or unset the "
                "variable to work on this machine"
            )
        return named
    started_here = ray._private.services.find_bootstrap_address(None)  # None: the usual folder
    # "auto" finds that one again, and brings the token that Ray keeps for this machine.
    return "auto" if named != "local" and started_here and _answers(started_here) else None


def _answers(address: str) -> bool:
    """Whether something listens at `host:port` or `ray://host:port`."""
    place = urlsplit(address if "://" in address else f"//{address}")
    try:
        socket.create_connection((place.hostname, place.port), _ANSWER_SECONDS).close()
    except (OSError, ValueError):  # ValueError: that is no port
        return False
    return True


def _let_messages_through(ray: Any, wanted: bool) -> None:
    """Whether Ray prints what it reports of dead workers: it does so on stdout, which is not its.

    `log_to_driver=False` does not cover these messages, and no public setting does (Ray 2.40 to
    2.60); this is the switch that Ray's own debugger uses while it talks to the terminal.
    """
    ray._private.worker._worker_logs_enabled = wanted
