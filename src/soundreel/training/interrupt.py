"""Ctrl-C and SIGTERM as a question asked between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether somebody has asked this process to stop."""

    def __init__(self) -> None:
        self.asked = False


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
        interrupt.asked = True

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, note)
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
