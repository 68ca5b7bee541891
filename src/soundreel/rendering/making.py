"""A source of pictures and a song become a film: in parts, joined, with its words and cover."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import soundreel
from soundreel.errors import SettingsError
from soundreel.media.film_format import FilmFormat, film_format
from soundreel.media.film_joining import join_parts
from soundreel.media.growing import GrowingFilm
from soundreel.media.song_track import Song
from soundreel.parallel import EngineName
from soundreel.progress import Listener
from soundreel.rendering.film import Film, Span
from soundreel.rendering.filming import Source, film_cover, film_here, film_spread
from soundreel.rendering.parts import film_parts
from soundreel.rendering.shoot import identified


@dataclass(frozen=True)
class Making:
    """How a film is made, whatever is in it.

    codec: "h264" or "h265" for .mp4; None: the usual one of the kind of file.
    workers: processes that share the work; 1: this one, whose stages work at the same time.
    engine: where workers are: "local" processes, or a "ray" cluster.
    draft: quickly encoded.
    watch: beside the film a file that grows as it is made, and can be played from the start.
    """

    codec: str | None = None
    workers: int = 1
    engine: EngineName = "local"
    draft: bool = False
    watch: bool = False


def make_film(
    source: Source,
    out: Path,
    span: Span,
    fps: Fraction,
    size: tuple[int, int],
    words: Mapping[str, str],
    making: Making,
    progress: Listener,
    task: str = "render",
    engines: Mapping[str, str] | None = None,
    cover: bool = True,
) -> Film:
    """Make a film of a source's pictures and a span of a song; what was made before is kept.

    size: width and height; pictures of another size are scaled to it (Lanczos).
    words: title, artist and comment for the file.
    engines: by weights, to be remembered for whoever goes on with this film.

    Raises: SettingsError (size, rate, kind of file, or another process is at it), MediaError
    (song), StorageError.
    """
    width, height = size
    film = film_format(out, width, height, fps, making.codec, draft=making.draft)
    _check_place(out, film)
    frames = span.frames(fps)
    identity: dict[str, Any] = {
        "soundreel": soundreel.__version__,
        "engines": dict(engines or {}),
        "format": identified(film),
        "source": source.identity(),
    }
    song = Song(span.song, span.start_seconds, None if span.whole else span.stop_seconds)
    with film_parts(out, film, frames, identity) as parts, ExitStack() as stack:
        growing = (
            stack.enter_context(GrowingFilm(_so_far(out), film, song)) if making.watch else None
        )
        grown = 0

        def on_part(part: int) -> None:
            nonlocal grown
            while growing is not None and grown < parts.count and parts.path(grown).exists():
                growing.add(parts.path(grown))
                grown += 1

        on_part(0)
        if making.workers > 1 or making.engine == "ray":
            film_spread(source, parts, making.workers, making.engine, progress, task, on_part)
        else:
            film_here(source, parts, progress, task, on_part)
        joined = join_parts(
            out,
            film,
            parts.paths(),
            frames,
            song,
            words,
            film_cover(parts) if cover else None,
            progress,
        )
        if growing is not None:
            growing.discard()
    return Film(out, frames, fps, width, height, span.seconds, (out,), joined.sound)


def _check_place(out: Path, film: FilmFormat) -> None:
    """What stands in the way of the finished film is found before its first picture."""
    if film.kind == "png":
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise SettingsError(f"{out}: exists already: choose another place or remove it")
    elif out.is_dir():
        raise SettingsError(f"{out}: is a folder: give the film another name")


def _so_far(out: Path) -> Path:
    """What the film can be watched under while it is made: film-so-far.mp4 for film.mp4."""
    return out.with_name(f"{out.stem}-so-far{out.suffix}")
