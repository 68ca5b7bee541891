"""Ctrl-C and SIGTERM as a question asked between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """Somebody asked to stop, and what was done is kept; `str(error)` is one line that says so.

    signal: the number of the signal that asked. rank: of the process it is raised in.
    """

    def __init__(self, message: str, number: int, rank: int = 0) -> None:
        super().__init__(message)
        self.signal = number
        self.rank = rank


class Interrupt:
    """Whether somebody has asked this process to stop, and by which signal."""

    def __init__(self) -> None:
        self.asked = False
        self.signal: int = signal.SIGINT

    def ask(self, number: int = signal.SIGINT) -> None:
        """Ask to stop after this step."""
        self.asked = True
        self.signal = number


@contextmanager
def interrupt_between_steps() -> Iterator[Interrupt]:
    """Let the first Ctrl-C or SIGTERM only be noted; a second one interrupts at once.

    Signals arrive in the main thread; elsewhere (the studio's jobs) nothing is changed.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return

    def note(number: int, frame: FrameType | None) -> None:
        if interrupt.asked:
            raise KeyboardInterrupt
        interrupt.ask(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, note)
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
