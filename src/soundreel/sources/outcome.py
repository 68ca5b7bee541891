"""What became of each link, as a value and as a table for the terminal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from soundreel.sources.names import plain

Status = Literal["came", "there already", "failed"]
_STATUSES: tuple[Status, ...] = ("came", "there already", "failed")


@dataclass(frozen=True)
class Outcome:
    """What became of one link.

    file: its place, where there is one. kind, line: why it failed (see `failures`), or None;
    `line` of a file that came may say what it lacks.
    """

    link: str
    status: Status
    file: Path | None = None
    kind: str | None = None
    line: str | None = None
    title: str | None = None


@dataclass(frozen=True)
class Fetched:
    """What a fetch did: the folder, and an outcome for each link in their order."""

    out: Path
    outcomes: tuple[Outcome, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of this command's links: those that came and those that were there."""
        return tuple(one.file for one in self.outcomes if one.file is not None)

    @property
    def came_or_there(self) -> int:
        """How many links have their file; 0: the command failed as a whole."""
        return sum(one.status != "failed" for one in self.outcomes)

    def counts(self) -> str:
        """`3 came, 2 were there already, 1 failed`"""
        number = Counter(one.status for one in self.outcomes)
        said = {"came": "came", "there already": "there already", "failed": "failed"}
        parts = [f"{number[status]} {said[status]}" for status in _STATUSES if number[status]]
        return ", ".join(parts) or "nothing to fetch"

    def table(self) -> str:
        """A row for each link (status, file or link, why it failed) and a line of counts."""
        rows = [
            (one.status, one.file.name if one.file else _what(one), plain(one.line or ""))
            for one in self.outcomes
        ]
        width = min(60, max((len(what) for _, what, _ in rows), default=0))
        lines = [f"{status:<13}  {what:<{width}}  {line}".rstrip() for status, what, line in rows]
        return "\n".join([*lines, self.counts()])


def _what(outcome: Outcome) -> str:
    link = plain(outcome.link)
    return f"{plain(outcome.title)} ({link})" if outcome.title else link
