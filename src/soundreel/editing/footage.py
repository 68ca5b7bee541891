"""The shots of a director's clips: the clips found, each looked at and heard once, and kept."""

from __future__ import annotations

import difflib
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from soundreel.atomic import atomic_file
from soundreel.dataset.clip import Look, look_at
from soundreel.dataset.listing import list_sources
from soundreel.dataset.store import Origin, open_dataset
from soundreel.editing.hearing import Hearing, hear
from soundreel.editing.looking import Seen, look
from soundreel.errors import DatasetError, MediaError, SettingsError
from soundreel.parallel import map_items
from soundreel.places import is_remote
from soundreel.progress import Listener, Step, silent
from soundreel.rendering.film import file_sha256
from soundreel.timeline import exact_seconds, frame_time, nearest_frame

#: Counts up when the same clip would be measured otherwise than before.
_EDITION = 1
#: A piece of a shot shorter than this cannot be made out.
LEAST_SHOT_SECONDS = Fraction(2, 5)
_LOOKING, _HEARING = 0.8, 0.2  # of the time that a clip takes


@dataclass(frozen=True)
class Clip:
    """A clip that can be cut from. Times count from the file's start.

    width, height: of the shown picture within its black bars; crop: these bars, for `Fit`.
    fps: its own pictures a second.
    """

    id: str
    title: str
    path: Path
    sha256: str
    origin: Origin | None
    width: int
    height: int
    fps: Fraction
    crop: tuple[Fraction, Fraction, Fraction, Fraction]
    seen: Seen
    heard: Hearing

    @property
    def seconds(self) -> float:
        """How long it can be seen."""
        return float(frame_time(len(self.seen.speed_T), self.seen.fps))

    def shots(self) -> list[tuple[Fraction, Fraction]]:
        """Where its shots can be cut from, (first, last picture) in seconds, the shortest left out.

        A cut is known to one picture looked at, and a new picture often takes two to be whole: a
        shot that follows a cut begins one later, and all end with the last one looked at.
        """
        fps, count = self.seen.fps, len(self.seen.speed_T)
        cuts = [nearest_frame(exact_seconds(float(one)), fps) for one in self.seen.cut_seconds]
        edges = zip([0, *cuts], [*cuts, count], strict=True)
        spans = [(frame_time(a + (a > 0), fps), frame_time(b - 1, fps)) for a, b in edges]
        return [(a, b) for a, b in spans if b - a >= LEAST_SHOT_SECONDS]


@dataclass(frozen=True)
class LeftOut:
    """A clip that could not be used, and why."""

    id: str
    why: str


@dataclass(frozen=True)
class Footage:
    """All clips that could be looked at, and those whose shots are wanted."""

    clips: tuple[Clip, ...]
    wanted: tuple[Clip, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class _Task:
    clip_id: str
    title: str
    place: str
    origin: Origin | None


def gather_footage(
    clips: Sequence[Path | str],
    look_ids: str | None = None,
    cache: Path | None = None,
    workers: int = 1,
    progress: Listener = silent,
) -> Footage:
    """Look at and listen to every clip.

    clips: video files, folders of them, or a dataset folder, whose clips are read from the files
      that it was prepared from. look_ids: the ids of the clips whose shots are wanted, separated
      by commas; None: all. cache: a folder; what it holds of an unchanged clip is not measured
      again.

    A clip that cannot be used is left out and told of; the others go on.

    Raises: DatasetError if there are no clips, or none can be used; SettingsError for a look that
    is not there.
    """
    tasks = _tasks(clips)
    chosen = None if look_ids is None else _chosen(look_ids, [task.clip_id for task in tasks])
    footage: list[Clip] = []
    left_out: list[LeftOut] = []

    def within(share: float) -> None:
        progress(_step(len(footage) + len(left_out) + share, len(tasks)))

    here = within if workers <= 1 else None
    progress(_step(0, len(tasks)))
    made = map_items(
        partial(_measured, cache=cache, on_share=here),
        tasks,
        workers,
        on_lost=lambda task: LeftOut(task.clip_id, "looking at it ended the process three times"),
    )
    for result in made:
        if isinstance(result, LeftOut):
            left_out.append(result)
        else:
            footage.append(result)
        within(0)
    wanted = [one for one in footage if chosen is None or one.id in chosen]
    wanted = [one for one in wanted if one.shots()]
    if not wanted:
        raise DatasetError(_nothing(clips, chosen, footage, left_out))
    return Footage(tuple(footage), tuple(wanted), tuple(left_out))


def _step(done: float, total: int) -> Step:
    return Step("look at clips", round(done, 2), total, "clips")


def _tasks(clips: Sequence[Path | str]) -> list[_Task]:
    tasks: list[_Task] = []
    files: list[Path | str] = []
    for place in clips:
        if not is_remote(str(place)) and (Path(place) / "recipe.json").is_file():
            rows = [row for row in open_dataset(Path(place)).rows if row.split is not None]
            tasks += [_Task(row.id, row.title, row.source, row.origin) for row in rows]
        else:
            files.append(place)
    if files:
        tasks += [
            _Task(one.clip_id, one.title or "", one.place, one.origin)
            for one in list_sources(files)
        ]
    if not tasks:
        named = ", ".join(map(str, clips)) or "nothing"
        raise DatasetError(f"{named}: no clips there: give videos, or a folder of them")
    return tasks


def _chosen(look_ids: str, known: Sequence[str]) -> set[str]:
    chosen = {one.strip() for one in look_ids.split(",") if one.strip()}
    for one in sorted(chosen):
        if one not in known:
            near = difflib.get_close_matches(one, known, 1, 0.5) or known[:1]
            raise SettingsError(f"look {one!r}: no clip is called so: try {near[0]!r}")
    if not chosen:
        raise SettingsError("the look is empty: name one clip, or several separated by commas")
    return chosen


def _nothing(
    clips: Sequence[Path | str],
    chosen: set[str] | None,
    footage: Sequence[Clip],
    left_out: Sequence[LeftOut],
) -> str:
    told = [one for one in left_out if chosen is None or one.id in chosen]
    if told:
        return told[0].why
    short = next((one for one in footage if chosen is None or one.id in chosen), None)
    named = ", ".join(map(str, clips)) if short is None else str(short.path)
    return f"{named}: no shot lasts {float(LEAST_SHOT_SECONDS):g} s: give longer videos"


def _measured(
    task: _Task, cache: Path | None, on_share: Callable[[float], None] | None
) -> Clip | LeftOut:
    if is_remote(task.place):
        return LeftOut(task.clip_id, f"{task.place}: is not on this machine: fetch it first")
    path = Path(task.place)
    if not path.is_file():
        return LeftOut(task.clip_id, f"{path}: is no longer there: put it back, or leave it out")
    sha256 = file_sha256(path)
    kept = None if cache is None else cache / f"{sha256[:32]}.npz"
    clip = None if kept is None else _load(kept)
    if clip is not None:
        # The same pictures and sound, wherever and under whatever name they lie now.
        title = task.title or clip.title
        return replace(clip, id=task.clip_id, title=title, path=path, origin=task.origin)
    try:
        found = look_at(path, find_bars=True)
        seen, heard = _seen_and_heard(path, found, on_share)
    except MediaError as error:
        return LeftOut(task.clip_id, str(error))
    top, bottom, left, right = found.bars
    clip = Clip(
        task.clip_id,
        task.title or found.info.title or path.stem,
        path,
        sha256,
        task.origin,
        round(found.film.width * (1 - left - right)),
        round(found.film.height * (1 - top - bottom)),
        found.film.fps,
        (top, bottom, left, right),
        seen,
        heard,
    )
    if kept is not None:
        _save(kept, clip)
    return clip


def _seen_and_heard(
    path: Path, found: Look, on_share: Callable[[float], None] | None
) -> tuple[Seen, Hearing]:
    length = float(found.info.duration_seconds or 0)

    def share(first: float, whole: float, seconds: float) -> None:
        if on_share is not None and length:
            on_share(first + whole * min(1.0, seconds / length))

    # A sound that cannot be decoded is found before the pictures, which take longer.
    heard = hear(path, on_seconds=partial(share, 0.0, _HEARING))
    seen = look(path, found.film, found.bars, partial(share, _HEARING, _LOOKING))
    return seen, heard


def _save(place: Path, clip: Clip) -> None:
    """Write what was measured as .npz, whole or not at all. Raises: StorageError."""
    arrays: dict[str, Any] = {}
    told: dict[str, Any] = {"edition": _EDITION, "seen": {}, "heard": {}}
    for name in ("seen", "heard"):
        part = getattr(clip, name)
        for field in fields(part):
            value = getattr(part, field.name)
            if isinstance(value, np.ndarray):
                arrays[f"{name}.{field.name}"] = value
            else:
                told[name][field.name] = str(value)
    told |= {name: getattr(clip, name) for name in ("title", "sha256", "width", "height")}
    told |= {"fps": str(clip.fps), "crop": [str(share) for share in clip.crop]}
    with atomic_file(place) as partial_place, partial_place.open("wb") as file:
        np.savez(file, told=np.array(json.dumps(told)), **arrays)


def _load(place: Path) -> Clip | None:
    """What `_save` wrote; None if it is not there, of another edition, or damaged."""
    try:
        with np.load(place, allow_pickle=False) as stored:
            told = json.loads(str(stored["told"]))
            if told["edition"] != _EDITION:
                return None
            parts: dict[str, dict[str, Any]] = {"seen": {}, "heard": {}}
            for name, values in parts.items():
                values |= {key: Fraction(value) for key, value in told[name].items()}
            for key in stored.files:
                name, _, field = key.partition(".")
                if field:
                    parts[name][field] = stored[key]
            top, bottom, left, right = (Fraction(share) for share in told["crop"])
            return Clip(
                "",
                told["title"],
                place,
                told["sha256"],
                None,
                told["width"],
                told["height"],
                Fraction(told["fps"]),
                (top, bottom, left, right),
                Seen(**parts["seen"]),
                Hearing(**parts["heard"]),
            )
    except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile):
        return None
