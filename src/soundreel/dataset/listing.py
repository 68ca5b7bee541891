"""Which files are to become clips: what the given places hold, an id for each, where it is from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from soundreel.dataset.naming import clip_id_from, free_id
from soundreel.dataset.store import Origin
from soundreel.errors import DatasetError
from soundreel.media.probe import MEDIA_SUFFIXES
from soundreel.places import is_remote, list_files, place_from

#: The list that `fetch` leaves beside what it brought.
FETCHED_LIST = "clips.jsonl"


@dataclass(frozen=True)
class Source:
    """A file that is to become a clip."""

    clip_id: str
    place: str
    """A path, or the address of a remote file."""
    title: str | None = None
    """What the page it was fetched from called it."""
    origin: Origin | None = None

    @property
    def name(self) -> str:
        """The file's own name."""
        return PurePosixPath(self.place).name if is_remote(self.place) else Path(self.place).name


def list_sources(places: Sequence[str | Path]) -> list[Source]:
    """The files that `places` name: files as they are, of folders the media files at any depth.

    Each once, in the order given, those of a folder in the order of their paths. Hidden files and
    folders are passed over. Ids come from file names; a second one of a name gets "-2".

    Raises: DatasetError when there is no file at all; SettingsError, StorageError for a remote
    place that cannot be listed.
    """
    found: list[tuple[str, str | None, Origin | None]] = []
    for place in places:
        if is_remote(str(place)):
            found += [(inside, None, None) for inside in _remote_files(str(place))]
        elif Path(place).is_dir():
            found += _files_in(Path(place))
        else:
            found.append((str(place), None, None))
    unique: dict[str, tuple[str | None, Origin | None]] = {}
    for place, title, origin in found:
        if origin is not None or place not in unique:
            unique[place] = (title, origin)
    if not unique:
        named = ", ".join(str(place) for place in places) or "nothing"
        raise DatasetError(f"{named}: no video files there: name files or a folder of them")
    sources: list[Source] = []
    taken: set[str] = set()
    for place, (title, origin) in unique.items():
        clip_id = free_id(clip_id_from(_stem(place)), taken)
        taken.add(clip_id)
        sources.append(Source(clip_id, place, title, origin))
    return sources


def other_files(places: Sequence[str | Path]) -> list[str]:
    """The files in the given local folders that no media file's suffix tells of, to be named."""
    folders = [Path(place) for place in places if not is_remote(str(place))]
    return [
        str(path)
        for folder in folders
        if folder.is_dir()
        for path in _visible_files(folder)
        if path.suffix.lower() not in MEDIA_SUFFIXES and path.name != FETCHED_LIST
    ]


def _files_in(folder: Path) -> list[tuple[str, str | None, Origin | None]]:
    told = {}
    for listed in [folder / FETCHED_LIST, *folder.rglob(f"*/{FETCHED_LIST}")]:
        if listed.is_file():
            told |= _fetched(listed)
    media = [path for path in _visible_files(folder) if path.suffix.lower() in MEDIA_SUFFIXES]
    return [(str(path), *told.get(path, (None, None))) for path in media]


def _visible_files(folder: Path) -> list[Path]:
    inside = [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    return sorted(inside, key=lambda path: path.relative_to(folder).parts)


def _remote_files(place: str) -> list[str]:
    """A remote file as it is, of a remote folder the media files in it."""
    if PurePosixPath(place).suffix.lower() in MEDIA_SUFFIXES:
        return [place]
    inside = list_files(place_from(place))
    return [
        str(file) for file in inside if PurePosixPath(str(file)).suffix.lower() in MEDIA_SUFFIXES
    ]


def _fetched(listed: Path) -> dict[Path, tuple[str | None, Origin]]:
    """What `fetch` wrote down of the files beside its list: titles and origins."""
    told = {}
    for number, line in enumerate(listed.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            file = listed.parent / row["file"]
            told[file] = (row.get("title") or None, Origin.model_validate(row))
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise DatasetError(
                f"{listed}: line {number} is not one that `fetch` wrote: mend or delete that line"
            ) from error
    return told


def _stem(place: str) -> str:
    return PurePosixPath(place).stem if is_remote(place) else Path(place).stem
