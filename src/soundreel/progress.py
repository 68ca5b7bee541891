"""Progress as values: long functions report steps, and whoever called them shows them.

A function that may take over two seconds takes `progress: Listener = silent` and calls it
with a `Step` now and then. The command line shows steps on the terminal; a job of the studio
can write them down; a test can count them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from soundreel.timeline import clock


@dataclass(frozen=True)
class Step:
    """How far one task has come: `done` of `total` `unit`s (`total` None: not known)."""

    task: str
    done: float
    total: float | None
    unit: str
    note: str = ""


Listener = Callable[[Step], None]


def silent(step: Step) -> None:
    """The listener that shows nothing."""


class TerminalProgress:
    """Shows steps as one line that rewrites itself, with rate and time left.

    Writes only where `stream` is a terminal, at most ten times a second; a finished task keeps
    its line. The time left is the time so far of this task, scaled by what is still to do.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._task = ""
        self._began_at = 0.0
        self._began_with = 0.0
        self._shown_at = 0.0
        self._open_line = False

    def __call__(self, step: Step) -> None:
        if not self._stream.isatty():
            return
        now = time.monotonic()
        if step.task != self._task:
            self.finish()
            self._task, self._began_at, self._began_with = step.task, now, step.done
            self._shown_at = 0.0
        complete = step.total is not None and step.done >= step.total
        if now - self._shown_at < 0.1 and not complete:
            return
        self._shown_at = now
        self._stream.write(f"\r\x1b[2K{describe(step, self._began_with, now - self._began_at)}")
        self._open_line = True
        if complete:
            self.finish()
        self._stream.flush()

    def finish(self) -> None:
        """End the open line, so that what is written next stands on its own."""
        if self._open_line:
            self._stream.write("\n")
            self._stream.flush()
        self._open_line = False


def describe(step: Step, began_with: float, elapsed_seconds: float) -> str:
    """One line for a step: `render  120/300 frames  40%  31.0/s  0:05 left  note`."""
    parts = [step.task]
    if step.total is None:
        parts.append(f"{step.done:g} {step.unit}")
    else:
        share = step.done / step.total if step.total else 1.0
        parts.append(f"{step.done:g}/{step.total:g} {step.unit}  {share:.0%}")
    advanced = step.done - began_with
    if advanced > 0 and elapsed_seconds > 0:
        rate = advanced / elapsed_seconds
        parts.append(f"{rate:.1f}/s")
        if step.total is not None:
            parts.append(f"{clock((step.total - step.done) / rate)} left")
    if step.note:
        parts.append(step.note)
    return "  ".join(parts)
