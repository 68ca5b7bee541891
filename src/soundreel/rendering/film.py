"""What every film has in common: songs, a span of one, a size, and what came of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from soundreel.errors import MediaError, SettingsError
from soundreel.media.probe import MEDIA_SUFFIXES, probe
from soundreel.media.sound import sound_duration
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
    sound: str = "none"
    """How the song came in: "copied mp3", "encoded aac" and the like, or "none"."""
    engines: tuple[str, ...] = ()
    """The engines that computed it; none where a loaded model was given."""
    trials: tuple[str, ...] = ()
    """What came of each engine that was tried, a line each."""
    looks: tuple[str, ...] = ()
    """The looks of each model that has looks, a line each: "auto -> 003-aurora"."""
    cuts: int | None = None
    """How often a model that films by shots cuts from one to another; None where none does."""


@dataclass(frozen=True)
class Span:
    """The stretch of a song that becomes a film, [start, stop), known to hold some sound."""

    song: Path
    title: str
    artist: str
    start_seconds: Fraction
    stop_seconds: Fraction
    whole: bool
    """Whether it is all of the song."""

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
    whole = start_seconds == 0 and stop == song_seconds
    return Span(song, info.title or song.stem, info.artist or "", start_seconds, stop, whole)


def songs_in(folder: Path) -> list[Path]:
    """The files in a folder that may be songs, by name.

    Raises: SettingsError if there is none.
    """
    songs = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in MEDIA_SUFFIXES and not path.name.startswith(".")
    )
    if not songs:
        raise SettingsError(f"{folder}: there is no song in this folder: give another one")
    return songs


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
