"""What the names in a folder of side-by-side pictures say: of which clip each is, and where in it.

Ours are `<clip>_<k>_<milliseconds>`. Of any other name the clip is what stands before its last
number, and the number is the place: `foo_0012` and `foo (13)` are places 12 and 13 of `foo`, and
`1`, `2`, ... are places of a clip named `pairs`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from soundreel.dataset.naming import clip_id_from, free_id
from soundreel.dataset.store import Split

PICTURE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png"))

_OURS = re.compile(r"(.+)_([0-9]{6,})_[0-9]{8,}")
_NUMBERED = re.compile(r"(.*?)[\s_.(-]*([0-9]+)\)?")
_NUMBER = re.compile(r"([0-9]+)")
# Larger ones are dates or fingerprints, not places.
_LARGEST_PLACE = 10**9


@dataclass(frozen=True)
class PlannedClip:
    """A clip as the names tell of it: `pictures` are (k, path), ascending in k.

    split: that of the folder it lies in, or None where there are no such folders.
    """

    id: str
    name: str
    split: Split | None
    pictures: tuple[tuple[int, Path], ...]


def pictures_in(folder: Path) -> dict[Split | None, list[Path]]:
    """The JPEG and PNG files in a folder's `train`, `val` and `test`, in natural order.

    Where none of these holds one, those in the folder itself, for split None. Hidden files are
    passed over.
    """
    found: dict[Split | None, list[Path]] = {
        split: _pictures(folder / split) for split in get_args(Split)
    }
    return {split: paths for split, paths in found.items() if paths} or {None: _pictures(folder)}


def plan_clips(
    pictures: dict[Split | None, list[Path]], known: Collection[str] = ()
) -> list[PlannedClip]:
    """The clips that these pictures are of, in natural order of their names, split by split.

    known: ids of clips that have a row already; a clip of such a name is that one.

    A name that lies in more than one split becomes a clip in each (`foo-train`, `foo-val`), as no
    clip may be in two. Where places are missing or not distinct, they are counted from 0 in the
    names' order.
    """
    of: dict[tuple[Split | None, str], list[tuple[int | None, Path]]] = defaultdict(list)
    splits_of: dict[str, set[Split | None]] = defaultdict(set)
    for split, paths in pictures.items():
        for path in paths:
            name, k = _parse(path.stem)
            of[split, name].append((k, path))
            splits_of[name].add(split)
    clips = []
    taken = set(known)
    for (split, name), numbered in of.items():
        alone = len(splits_of[name]) == 1
        if alone and name in known:
            clip_id = name
        else:
            clip_id = free_id(clip_id_from(name if alone else f"{name}-{split}"), taken)
            taken.add(clip_id)
        clips.append(PlannedClip(clip_id, name, split, _placed(numbered)))
    return clips


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    inside = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURE_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    ]
    return sorted(inside, key=lambda path: (_natural(path.name), path.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which `a2` comes before `a10`: texts and numbers take turns."""
    return [
        (int(part), "") if place % 2 else (0, part.casefold())
        for place, part in enumerate(_NUMBER.split(name))
    ]


def _parse(stem: str) -> tuple[str, int | None]:
    match = _OURS.fullmatch(stem) or _NUMBERED.fullmatch(stem)
    if not match:
        return stem, None
    k = int(match[2])
    return match[1] or "pairs", k if k < _LARGEST_PLACE else None


def _placed(numbered: Sequence[tuple[int | None, Path]]) -> tuple[tuple[int, Path], ...]:
    places = [k for k, _ in numbered if k is not None]
    if len(set(places)) < len(numbered):
        return tuple(enumerate(path for _, path in numbered))
    return tuple(sorted((k, path) for k, path in numbered if k is not None))
