"""Ids of clips from the names of files, and places of the grid as ranges."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable


def clip_id_from(name: str) -> str:
    """A clip's id, safe as a folder's name, that reads like `name`: letters, digits, `-`, `_`."""
    return re.sub(r"[^\w-]+", "-", name, flags=re.UNICODE).strip("-_.")[:80] or "clip"


def free_id(name: str, taken: Container[str]) -> str:
    """The name, or with the first number from 2 on that makes it one of its own."""
    free, number = name, 2
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def ranges_of(places: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Ascending places as ranges [first, last + 1), as rows tell of what was skipped."""
    ranges: list[tuple[int, int]] = []
    for k in places:
        if ranges and ranges[-1][1] == k:
            ranges[-1] = (ranges[-1][0], k + 1)
        else:
            ranges.append((k, k + 1))
    return tuple(ranges)
