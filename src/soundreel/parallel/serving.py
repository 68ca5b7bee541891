"""The worker's side: take a call from the pipe, answer, until the pipe ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from types import FrameType
from typing import Any

#: How long a worker may take to tidy up (remove half-written files) when it is told to stop.
GRACE_SECONDS = 5.0


def serve(connection: Connection) -> None:
    """Answer calls, pickled `(function, item)`, with pickled `(True, result)` or `(False, error)`.

    The first message says that the worker is ready. It leaves when the pipe ends, when it is
    told to (SIGTERM, with `finally` clauses run), and soon after the process that started it.
    """
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        connection.send_bytes(b"ready")
        while True:
            connection.send_bytes(_answer(connection.recv_bytes()))
    except (EOFError, OSError):
        return


def read_message(message: bytes | memoryview) -> Any:
    """What `ForkingPickler.dumps` wrote, by a process of this very program."""
    return ForkingPickler.loads(message)  # pyright: ignore[reportAttributeAccessIssue]  # typeshed binds it


def _answer(call: bytes) -> memoryview:
    try:
        function, item = read_message(call)
        return ForkingPickler.dumps((True, function(item)))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is raised at its item
        return _told(error)


def _told(error: Exception) -> memoryview:
    """An error as bytes that can be read again, with where it came from as a note."""
    note = f"In the worker process:\n{traceback.format_exc()}"
    error.add_note(note)
    try:
        answer = ForkingPickler.dumps((False, error))
        read_message(answer)  # not every exception that can be written can be read
    except Exception:  # noqa: BLE001  # an exception's own class can raise anything here
        plain = RuntimeError(f"{type(error).__name__}: {error}")
        plain.add_note(note)
        return ForkingPickler.dumps((False, plain))
    return answer


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _leave_with_parent() -> None:
    """Stop when the parent is gone: the same command given again must find no rival."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker was started by someone"
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)  # it was deep in a decoder
