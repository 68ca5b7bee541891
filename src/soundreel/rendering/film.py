"""What every film has in common: a span of a song, a size, and pictures written as they come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from soundreel.errors import MediaError, SettingsError
from soundreel.media.probe import probe
from soundreel.media.sound import sound_duration
from soundreel.media.writer import FilmWriter, Song
from soundreel.progress import Listener, Step
from soundreel.recipe import Recipe
from soundreel.timeline import clock, frame_count


@dataclass(frozen=True)
class Film:
    """What `render` made."""

    path: Path
    """The film; of several, the first."""
    frames: int
    fps: Fraction
    width: int
    height: int
    seconds: Fraction
    """The length of the song's span; the last frame may reach past it by less than a frame."""
    paths: tuple[Path, ...]
    """Every film: one, or one for each epoch. All else is the same for each of them."""


@dataclass(frozen=True)
class Span:
    """The stretch of a song that becomes a film, [start, stop), known to hold some sound."""

    song: Path
    title: str
    start_seconds: Fraction
    stop_seconds: Fraction

    @property
    def seconds(self) -> Fraction:
        """How long it is."""
        return self.stop_seconds - self.start_seconds

    def frames(self, fps: Fraction) -> int:
        """How many frames a film of it has."""
        return frame_count(self.seconds, fps)


def song_span(song: Path, start_seconds: Fraction, stop_seconds: Fraction | None) -> Span:
    """The span of a song from start to stop (None, or past its end: to its end).

    Raises: MediaError if the song cannot be read; SettingsError if nothing is left of it.
    """
    info = probe(song)
    if info.audio is None:
        raise MediaError(f"{song}: has no sound: give a song, or a video with sound")
    song_seconds = sound_duration(song)
    stop = song_seconds if stop_seconds is None else min(stop_seconds, song_seconds)
    if start_seconds >= stop:
        raise SettingsError(
            f"{song}: lasts {clock(song_seconds)}, nothing is left between --start "
            f"{clock(start_seconds)} and --stop {clock(stop)}: choose another span"
        )
    return Span(song, info.title or song.stem, start_seconds, stop)


def write_film(
    out: Path,
    span: Span,
    pictures: Iterable[np.ndarray],
    width: int,
    height: int,
    fps: Fraction,
    seed: int,
    progress: Listener,
    task: str = "render",
) -> Film:
    """Write pictures (height x width x 3, uint8) as they come, with the span's sound.

    seed: what the pictures were made with, for the file's comment. task: for the progress.

    Raises: SettingsError (size, rate, kind of file), MediaError (song), StorageError.
    """
    frames = span.frames(fps)
    with FilmWriter(
        out,
        width,
        height,
        fps,
        Song(span.song, span.start_seconds, span.stop_seconds),
        metadata={"title": span.title, "comment": f"made with Soundreel, seed {seed}"},
    ) as film:
        for done, picture_HW3 in enumerate(pictures, 1):
            film.write(picture_HW3)
            progress(Step(task, done, frames, "frames"))
    return Film(out, frames, fps, width, height, span.seconds, (out,))


def film_size(recipe: Recipe) -> tuple[int, int]:
    """Width and height of a film by default: the recipe's frame height, its shape, both even."""
    height = recipe.picture_size + recipe.picture_size % 2
    return 2 * round(height * recipe.shape_aspect / 2), height


def scaled(frame_HWC: np.ndarray, width: int, height: int) -> np.ndarray:
    """A frame at another size: H x W x 3 uint8 -> height x width x 3, by Lanczos."""
    if frame_HWC.shape[:2] == (height, width):
        return frame_HWC
    resized = Image.fromarray(frame_HWC).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(resized)
