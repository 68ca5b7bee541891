"""A film in the making: parts of some seconds in a folder beside it, so that nothing is lost.

Each part is a run of the encoder of its own. Who is killed loses the part that was being written;
the same command finds the others and goes on. An uninterrupted film is made of the same parts, so
it is the same file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

from soundreel.atomic import discard, write_json
from soundreel.errors import SettingsError, storage_errors
from soundreel.media.film_format import FilmFormat
from soundreel.media.film_parts import part_name
from soundreel.timeline import frame_count

_PART_SECONDS = Fraction(8)
_LEAST_FRAMES = 32  # at a low frame rate, where eight seconds are hardly worth a file
_IDENTITY = "film.json"


@dataclass(frozen=True)
class FilmParts:
    """Where the parts of a film are: part k holds frames [k * part_frames, (k + 1) * part_frames).

    began_anew: whether parts of another film were there and had to go.
    """

    folder: Path
    format: FilmFormat
    frames: int
    began_anew: bool = False

    @property
    def part_frames(self) -> int:
        """Frames in each part but the last."""
        return max(_LEAST_FRAMES, frame_count(_PART_SECONDS, self.format.fps))

    @property
    def count(self) -> int:
        """How many parts the film has."""
        return -(-self.frames // self.part_frames)

    def span(self, part: int) -> tuple[int, int]:
        """The part's frames: first, and stop (exclusive)."""
        first = part * self.part_frames
        return first, min(first + self.part_frames, self.frames)

    def path(self, part: int) -> Path:
        """Where the part is, or will be once it is whole."""
        return self.folder / part_name(part, self.format)

    def cover(self, part: int) -> Path:
        """Where the part's most telling picture is."""
        return self.folder / f"{part:05}.cover.png"

    def paths(self) -> list[Path]:
        """All parts in their order."""
        return [self.path(part) for part in range(self.count)]

    def missing(self) -> list[int]:
        """The parts that are not there yet."""
        return [part for part in range(self.count) if not self.path(part).exists()]

    def frames_there(self) -> int:
        """Frames in the parts that are there."""
        missing = set(self.missing())
        spans = (self.span(part) for part in range(self.count) if part not in missing)
        return sum(stop - first for first, stop in spans)


def runs_of(parts: list[int], most: int | None = None) -> list[tuple[int, ...]]:
    """Ascending parts as runs of neighbours, each of at most `most`."""
    runs = []
    for _, numbered in groupby(enumerate(parts), key=lambda pair: pair[1] - pair[0]):
        run = tuple(part for _, part in numbered)
        step = most or len(run)
        runs += [run[first : first + step] for first in range(0, len(run), step)]
    return runs


@contextmanager
def film_parts(
    out: Path, film: FilmFormat, frames: int, identity: Mapping[str, Any]
) -> Iterator[FilmParts]:
    """The folder of a film's parts, for as long as they are written and joined.

    identity: all that decides the film's pictures, JSON values. Parts of another identity are
      thrown away.

    The folder is removed when the block ends without error, and where nothing was finished yet.

    Raises: SettingsError if another process is writing this film; StorageError.
    """
    folder = parts_folder(out)
    with storage_errors(out):
        folder.mkdir(parents=True, exist_ok=True)
        with only_writer(folder, out):
            wanted = json.loads(json.dumps(dict(identity), default=str))
            known = known_identity(out)
            other = known is not None and known != wanted
            if known != wanted:
                for inside in folder.iterdir():
                    if inside.name != LOCK:
                        discard(inside) if inside.is_dir() else inside.unlink()
                write_json(folder / _IDENTITY, wanted)
            parts = FilmParts(folder, film, frames, other)
            try:
                yield parts
            except BaseException:
                if len(parts.missing()) == parts.count:
                    discard(folder)
                raise
            discard(folder)


def known_identity(out: Path) -> dict[str, Any] | None:
    """The identity of the film that was begun under this name, or None."""
    try:
        return json.loads((parts_folder(out) / _IDENTITY).read_bytes())
    except (OSError, ValueError):
        return None


def parts_folder(out: Path) -> Path:
    """Where the parts of a film are while it is made: beside it."""
    return out.with_name(f".{out.name}.parts")


LOCK = "lock"


@contextmanager
def only_writer(folder: Path, out: Path) -> Iterator[None]:
    """One process at a time in a folder of parts; the system takes the lock from who dies.

    Raises: SettingsError if another one is in it.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows, where two at one file are the person's care
        yield
        return
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingsError(
                f"{out}: another process is writing it: wait for it, or choose another --out"
            ) from error
        yield
