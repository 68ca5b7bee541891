"""Filming: the missing parts of a film are made, here or by several workers."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from soundreel.atomic import atomic_file
from soundreel.errors import storage_errors
from soundreel.media.film_parts import part_writer
from soundreel.parallel import EngineName, map_items
from soundreel.progress import Listener, Step
from soundreel.rendering.parts import FilmParts, runs_of
from soundreel.rendering.staging import staged

#: So many bytes of frames wait for the encoder: while it ends a part, the others go on.
_BYTES_AHEAD = 64_000_000
_LEAST_AHEAD, _MOST_AHEAD = 4, 64
_PARTS_AT_A_TIME = 4  # of one worker: each time it seeks its place in the song anew
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709


class Source(Protocol):
    """What a film's pictures come from.

    `pictures(first, stop)` gives frames first to stop (exclusive), the same ones however the film
    is cut; H x W x 3 uint8, of any size. `identity()` is all that decides them, JSON values.
    """

    def pictures(self, first: int, stop: int) -> Iterator[np.ndarray]: ...

    def identity(self) -> dict[str, Any]: ...


def film_here(
    source: Source, parts: FilmParts, progress: Listener, task: str, on_part: Callable[[int], None]
) -> None:
    """Make the missing parts in this process, one after the other.

    on_part: told each part as it is finished.

    Raises: MediaError (song), StorageError.
    """
    done = parts.frames_there()
    progress(Step(task, done, parts.frames, "frames"))
    for run in runs_of(parts.missing()):
        for part, frames in _film_run(source, parts, run):
            done += frames
            progress(Step(task, done, parts.frames, "frames"))
            if part is not None:
                on_part(part)


def film_spread(
    source: Source,
    parts: FilmParts,
    workers: int,
    engine: EngineName,
    progress: Listener,
    task: str,
    on_part: Callable[[int], None],
) -> None:
    """Make the missing parts in several processes, or on a cluster.

    On a cluster, song and models must lie under the same names on its machines; the parts are
    sent back, so they need not share a disk for them.

    Raises: as `film_here`, and what `map_items` raises.
    """
    done = parts.frames_there()
    progress(Step(task, done, parts.frames, "frames"))
    runs = runs_of(parts.missing(), _PARTS_AT_A_TIME)
    for run, made in zip(
        runs,
        map_items(partial(_film_apart, source, parts), runs, workers, engine=engine),
        strict=True,
    ):
        _put(parts.folder, made)
        for part in run:
            first, stop = parts.span(part)
            done += stop - first
            progress(Step(task, done, parts.frames, "frames"))
            on_part(part)


def _film_run(
    source: Source, parts: FilmParts, run: tuple[int, ...]
) -> Iterator[tuple[int | None, int]]:
    """Make neighbouring parts in one go; tells (part that is now whole or None, frames made)."""
    first, stop = parts.span(run[0])[0], parts.span(run[-1])[1]
    ahead = _BYTES_AHEAD // (3 * parts.format.width * parts.format.height)
    ahead = min(max(ahead, _LEAST_AHEAD), _MOST_AHEAD)
    with staged(source.pictures(first, stop), ahead) as arriving:
        for part in run:
            begin, end = parts.span(part)
            cover = _Cover(math.ceil(parts.format.fps))
            with part_writer(parts.path(part), parts.format, begin) as write:
                for n, picture_HW3 in enumerate(islice(arriving, end - begin), begin):
                    write(picture_HW3)
                    cover.look(n, picture_HW3)
                    if n < end - 1:
                        yield None, 1
                cover.save(parts.cover(part))
            yield part, 1


def _film_apart(source: Source, parts: FilmParts, run: tuple[int, ...]) -> dict[str, bytes]:
    """In a worker: the files of a run of parts; none where they could be put in their place."""
    if parts.folder.is_dir():
        for _ in _film_run(source, parts, run):
            pass
        return {}
    with tempfile.TemporaryDirectory(prefix="soundreel-") as folder:
        away = replace(parts, folder=Path(folder))
        for _ in _film_run(source, away, run):
            pass
        files = sorted(path for path in away.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _put(folder: Path, files: dict[str, bytes]) -> None:
    """Write what a worker sent; each part appears under its name when it is whole."""
    if not files:
        return
    with storage_errors(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".come-") as come:
        for name, data in files.items():
            place = Path(come, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        for place in sorted(Path(come).iterdir()):
            if not (folder / place.name).exists():
                place.rename(folder / place.name)


@dataclass
class _Cover:
    """Keeps the most telling of a part's pictures: the most contrast and colour."""

    every: int
    best_HW3: np.ndarray | None = None
    best: float = -1.0

    def look(self, n: int, picture_HW3: np.ndarray) -> None:
        if n % self.every == 0 or self.best_HW3 is None:
            telling = how_telling(picture_HW3)
            if telling > self.best:
                self.best, self.best_HW3 = telling, picture_HW3.copy()

    def save(self, place: Path) -> None:
        assert self.best_HW3 is not None
        with atomic_file(place) as partial_place:
            Image.fromarray(self.best_HW3).save(partial_place, "PNG", compress_level=1)


def how_telling(picture_HW3: np.ndarray) -> float:
    """How much there is to see in a picture: contrast of its luma plus mean chroma, 0 to 1.5."""
    small_HW3 = picture_HW3[::4, ::4].astype(np.float32) / 255
    chroma_HW = small_HW3.max(-1) - small_HW3.min(-1)
    return float((small_HW3 @ _LUMA).std() + chroma_HW.mean())


def film_cover(parts: FilmParts) -> np.ndarray | None:
    """The most telling picture of all parts."""
    best: tuple[float, np.ndarray] | None = None
    for part in range(parts.count):
        if parts.cover(part).exists():
            with Image.open(parts.cover(part)) as image:
                picture_HW3 = np.asarray(image.convert("RGB"))
            telling = how_telling(picture_HW3)
            if best is None or telling > best[0]:
                best = (telling, picture_HW3)
    return None if best is None else best[1]
