"""Which clips training sees, and which it never sees."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from soundreel.dataset.sameness import Match, Prints, find_same, groups_of
from soundreel.dataset.store import ClipRow, Sameness, Split
from soundreel.recipe import Recipe


def split_rows(
    rows: Sequence[ClipRow], prints_of: Callable[[str], Prints], recipe: Recipe
) -> list[ClipRow]:
    """The rows with their split, their group, and what they share with one another.

    rows: of all files, in order; those left out stay as they are. prints_of: a clip id's prints.
    """
    used = [row for row in rows if row.left_out is None]
    sha256s = [row.sha256 for row in used]
    matches = find_same([prints_of(row.id) for row in used], sha256s)
    ties = [(match.first, match.second) for match in matches] + works(used, recipe.together)
    groups = groups_of(len(used), ties)
    splits = split_clips(sha256s, recipe.held_out_fraction, groups)
    told = {
        row.id: row.model_copy(
            update={
                "split": splits[place],
                "group": used[groups[place]].id,
                "same_as": tuple(_shared(place, used, matches)),
            }
        )
        for place, row in enumerate(used)
    }
    return [told.get(row.id, row) for row in rows]


def split_clips(
    sha256s: Sequence[str], held_out_fraction: float, groups: Sequence[int] | None = None
) -> list[Split]:
    """A split for each clip, by its content: the same clips split the same way in any order.

    groups: which clips belong together (by default, those of the same content). Of n clips about
    held_out_fraction * n (at least one of two or more groups) are held out, whole groups only,
    and never more than half of the clips; of those groups every second one is for `test`, the
    first for `val`. A fraction of 0 holds nothing out, and a single group is trained on.
    """
    group_of = list(groups) if groups is not None else [sha256s.index(sha) for sha in sha256s]
    members: dict[int, list[str]] = {}
    for sha, group in zip(sha256s, group_of, strict=True):
        members.setdefault(group, []).append(sha)
    drawn = sorted(members, key=lambda group: _place(min(members[group])))
    sizes = {group: len(set(shas)) for group, shas in members.items()}
    count = sum(sizes.values())
    split_of: dict[int, Split] = dict.fromkeys(members, "train")
    wanted = max(1, round(held_out_fraction * count)) if held_out_fraction > 0 else 0
    held_out: list[int] = []
    for group in drawn:
        total = sum(sizes[other] for other in held_out) + sizes[group]
        # A large group may come to more than is wanted, but only as the one that is held out.
        fits = total <= wanted or (not held_out and wanted > 0 and 2 * total <= count)
        if fits and len(held_out) < len(members) - 1:
            held_out.append(group)
    for place, group in enumerate(held_out):
        split_of[group] = "test" if place % 2 else "val"
    return [split_of[group] for group in group_of]


class Named(Protocol):
    """What has an id and a title: a clip."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...


def works(rows: Sequence[Named], patterns: Sequence[str]) -> list[tuple[int, int]]:
    """Ties between the clips whose id or title one pattern fits, as places in `rows`."""
    ties: list[tuple[int, int]] = []
    for pattern in patterns:
        inside = [
            place
            for place, row in enumerate(rows)
            if fnmatchcase(row.id, pattern) or fnmatchcase(row.title, pattern)
        ]
        ties += [(inside[0], other) for other in inside[1:]]
    return ties


def _shared(place: int, rows: Sequence[ClipRow], matches: Sequence[Match]) -> list[Sameness]:
    """What one clip shares with others, seen from it."""
    seen = []
    for match in matches:
        if place == match.first:
            other, offset = match.second, match.offset_seconds
        elif place == match.second:
            other, offset = match.first, -match.offset_seconds
        else:
            continue
        seen.append(
            Sameness(
                id=rows[other].id,
                what=match.what,
                shared_seconds=match.shared_seconds,
                offset_seconds=offset,
            )
        )
    return seen


def _place(sha256: str) -> bytes:
    """A clip's place in the draw: its hash hashed once more, so that it is tied to nothing else."""
    return hashlib.sha256(f"split {sha256}".encode()).digest()
