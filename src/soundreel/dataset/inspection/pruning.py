"""Leaving frames and clips out of a finished dataset: what a person would delete by hand.

A frame or a clip's folder that is not there is not used; nothing else says so. This module
deletes them by name, and finds out afterwards which ones were deleted.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from soundreel.atomic import discard
from soundreel.dataset.store import ClipRow, Dataset, Split, numbered
from soundreel.errors import DatasetError, SettingsError, storage_errors

_PLACES = re.compile(r"\s*\d+\s*(-\s*\d+\s*)?(,\s*\d+\s*(-\s*\d+\s*)?)*", re.ASCII)


@dataclass(frozen=True)
class Dropped:
    """What `drop` deleted: whole clips, frames (those of the clips too), and what that did.

    already_gone: clips and frames that were named but had been deleted before.
    emptied: the splits that had pairs before and have none now.
    """

    clips: int = 0
    frames: int = 0
    already_gone: int = 0
    emptied: tuple[Split, ...] = ()


@dataclass(frozen=True)
class _Plan:
    """What is to be deleted; nothing is, before all of it is known to be right.

    clips: the clips that go as a whole, and whether each is still there.
    frames: of every clip that was named, the places of the frames that go.
    """

    clips: dict[str, bool]
    frames: dict[str, frozenset[int]]
    already_gone: int


def drop(dataset: Dataset, names: Sequence[str]) -> Dropped:
    """Delete clips and frames from a dataset's folder; clips.jsonl stays as it is.

    names: `clip-id` is the whole clip; `clip-id:12` its frame at place 12 of the grid (the number
        in the frame's name), `clip-id:12-40` the frames from 12 to 40 with both, and
        `clip-id:1,5,9-20` several of these.

    Everything is checked before anything is deleted. What was deleted before is not refused, so
    that an interrupted call can be given again.

    Raises: DatasetError for a clip or a place that the dataset never had, if no pair at all would
    be left, or if a folder is a link to somewhere else; SettingsError for a name that cannot be
    read; StorageError.
    """
    plan = _plan(dataset, names)
    _check_that_all_lies_inside(dataset, plan)
    before = {split: len(_pairs_of(dataset, split)) for split in get_args(Split)}
    going = {(clip_id, k) for clip_id, places in plan.frames.items() for k in places}
    left = {
        split: len(_pairs_of(dataset, split) - going) for split, count in before.items() if count
    }
    if going and not any(left.values()):
        raise DatasetError(
            f"{dataset.folder}: without these no pair would be left: "
            "delete the folder itself if that is what you want"
        )
    for clip_id, places in plan.frames.items():
        if clip_id not in plan.clips:
            _delete_frames(dataset.clip_folder(clip_id), places)
    for clip_id in plan.clips:
        _delete_clip(dataset.clip_folder(clip_id))
    return Dropped(
        clips=sum(plan.clips.values()),
        frames=len(going),
        already_gone=plan.already_gone,
        emptied=tuple(split for split, count in left.items() if count == 0),
    )


def deleted_places(row: ClipRow, found: Collection[int]) -> tuple[int, ...]:
    """The places of a clip's grid whose frames were there and are not there any more.

    found: the places of the frames that are there now.

    Empty for a clip that was prepared without noting its places: only their number is known then.
    """
    gone = max(0, row.pairs - len(found))
    skipped = {
        k
        for ranges in row.skipped_at.values()
        for first, stop in ranges
        for k in range(first, stop)
    }
    there = set(found)
    # A last place without a frame, where the sound outlasts the picture, is counted by nobody.
    return tuple(k for k in range(row.places) if k not in there and k not in skipped)[:gone]


def places_in(text: str) -> tuple[tuple[int, int], ...]:
    """Ranges [first, last + 1) of places as a person writes them: `12`, `12-40`, `1,5,9-20`.

    Raises: SettingsError if it is none of these, or a range runs backwards.
    """
    if not _PLACES.fullmatch(text):
        raise SettingsError(f"{text!r} are no places: write 12, 12-40 or 1,5,9-20")
    ranges = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        stop = int(last or first) + 1
        if stop <= int(first):
            raise SettingsError(
                f"{part.strip()!r} runs backwards: write {last.strip()}-{first.strip()}"
            )
        ranges.append((int(first), stop))
    return tuple(ranges)


def _plan(dataset: Dataset, names: Sequence[str]) -> _Plan:
    rows = {row.id: row for row in dataset.rows}
    clips: dict[str, bool] = {}
    frames: dict[str, set[int]] = {}
    gone: set[tuple[str, int | None]] = set()
    for name in names:
        clip_id, _, places = (name, "", "") if name in rows else name.rpartition(":")
        if clip_id not in rows:
            raise DatasetError(_unknown_clip(dataset, name))
        row = rows[clip_id]
        if row.split is None:
            raise DatasetError(f"{clip_id}: was left out by `prepare` already: nothing to drop")
        found = {k for k, _ in numbered(dataset.clip_folder(clip_id) / "frames")}
        named = found if name == clip_id else _named_places(row, found, places, name)
        frames.setdefault(clip_id, set()).update(named & found)
        gone |= {(clip_id, k) for k in named - found}
        if name == clip_id:
            clips[clip_id] = dataset.clip_folder(clip_id).is_dir()
            if not clips[clip_id]:
                gone.add((clip_id, None))
    return _Plan(clips, {clip_id: frozenset(ks) for clip_id, ks in frames.items()}, len(gone))


def _named_places(row: ClipRow, found: set[int], places: str, name: str) -> set[int]:
    known = found | set(deleted_places(row, found))
    named: set[int] = set()
    for first, stop in places_in(places):
        inside = {k for k in known if first <= k < stop}
        if not inside:
            below, above = [k for k in known if k < first], [k for k in known if k >= stop]
            near = [
                str(k) for k in ([max(below)] if below else []) + ([min(above)] if above else [])
            ]
            hint = f"the nearest {'are' if len(near) > 1 else 'is'} {' and '.join(near)}"
            advice = hint if near else "no frame of it is left"
            which = str(first) if stop == first + 1 else f"{first}-{stop - 1}"
            raise DatasetError(f"{name}: {row.id} has no frame at place {which}: {advice}")
        named |= inside
    return named


def _unknown_clip(dataset: Dataset, name: str) -> str:
    ids = [row.id for row in dataset.rows]
    wanted = name.rpartition(":")[0] or name
    near = difflib.get_close_matches(wanted, ids, 1, 0.4) or difflib.get_close_matches(name, ids, 1)
    advice = f"did you mean {near[0]}?" if near else "its folder `clips` shows the ids"
    return f"{dataset.folder}: has no clip {wanted!r}: {advice}"


def _pairs_of(dataset: Dataset, split: Split) -> set[tuple[str, int]]:
    return {(row.id, k) for row in dataset.clips(split) for k, _ in dataset.frames(row.id)}


def _check_that_all_lies_inside(dataset: Dataset, plan: _Plan) -> None:
    """Nothing outside the dataset's folder `clips` is deleted, whatever an id or a link says."""
    clips = (dataset.folder / "clips").resolve()
    for clip_id in plan.frames:
        folder = dataset.clip_folder(clip_id)
        if folder.resolve() != clips / clip_id or folder.resolve().parent != clips:
            raise DatasetError(f"{folder}: lies elsewhere: remove it by hand if you mean it")
        for inside in ("frames", "sound_images"):
            if (folder / inside).resolve() != clips / clip_id / inside:
                raise DatasetError(
                    f"{folder / inside}: is a link: remove it by hand if you mean it"
                )


def _delete_frames(folder: Path, places: frozenset[int]) -> None:
    with storage_errors(folder):
        for inside in ("frames", "sound_images"):
            for k, path in numbered(folder / inside):
                if k in places:
                    path.unlink(missing_ok=True)


def _delete_clip(folder: Path) -> None:
    """Away in one step, so that an interrupted call leaves no half of a clip behind."""
    leaving = folder.with_name(f".{folder.name}.dropped")
    discard(leaving)
    with storage_errors(folder):
        if folder.is_dir():
            folder.rename(leaving)
    discard(leaving)
