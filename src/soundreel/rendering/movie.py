"""`render`: a song and a model become a film with the song's own sound."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from soundreel.errors import MediaError, SettingsError
from soundreel.media.probe import probe
from soundreel.media.sound import sound_duration
from soundreel.media.writer import FilmWriter, Song
from soundreel.networks.bundle import Model, load_model
from soundreel.progress import Listener, Step, silent
from soundreel.recipe import Recipe
from soundreel.rendering.generate import film_pictures
from soundreel.timeline import clock, frame_count


@dataclass(frozen=True)
class Film:
    """What `render` made."""

    path: Path
    frames: int
    fps: Fraction
    width: int
    height: int
    seconds: Fraction
    """The length of the song's span; the last frame may reach past it by less than a frame."""


def render(
    model: Path | str | Model,
    song: Path,
    out: Path,
    *,
    start_seconds: Fraction = Fraction(0),
    stop_seconds: Fraction | None = None,
    fps: Fraction = Fraction(30),
    size: tuple[int, int] | None = None,
    seed: int = 0,
    progress: Listener = silent,
) -> Film:
    """Write a film of a song: one picture for each 1 / fps seconds, and the song's own sound.

    model: a model folder, a run folder, or a model that is loaded already.
    song: any file with sound in it; start and stop choose a span of it.
    out: .mp4, .webm or .gif, or a name without a suffix for a folder of PNG files.
    size: width and height; by default as high as the recipe's frames, in the clips' own shape.
    seed: for models that draw noise when they generate; the same seed gives the same film.

    The film appears under its name only when it is whole.

    Raises: ModelError, MediaError (song), SettingsError (span, size, kind of file), StorageError.
    """
    loaded = model if isinstance(model, Model) else load_model(model)
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
    frames = frame_count(stop - start_seconds, fps)
    width, height = film_size(loaded.recipe) if size is None else size
    title = info.title or song.stem
    with FilmWriter(
        out,
        width,
        height,
        fps,
        Song(song, start_seconds, stop),
        metadata={"title": title, "comment": f"made with Soundreel, seed {seed}"},
    ) as film:
        pictures = film_pictures(loaded, song, start_seconds, frames, fps, seed)
        for done, frame_HWC in enumerate(pictures, 1):
            film.write(scaled(frame_HWC, width, height))
            progress(Step("render", done, frames, "frames"))
    return Film(out, frames, fps, width, height, stop - start_seconds)


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
