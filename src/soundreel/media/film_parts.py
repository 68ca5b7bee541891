"""Parts of a film: each a closed run of the encoder in a file of its own, whole or not there.

A part depends on its pictures and the format alone, so a film that was interrupted, or whose parts
were written by several workers, is the same film, byte for byte.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import av
import numpy as np

from soundreel.atomic import atomic_file
from soundreel.media.encoding import THREADS, EncodedPictures, container_options
from soundreel.media.film_format import FilmFormat, Kind
from soundreel.media.gif import waiting_pictures
from soundreel.media.picture_folder import atomic_folder, png_film
from soundreel.media.storage import encoder_errors

#: kind of film -> how the names of its parts end; of PNGs each part is a folder. MP4 keeps VP9's
#: times exactly, where WebM would round them to milliseconds.
PART_SUFFIXES: dict[Kind, str] = {
    "mp4": ".mp4",
    "webm": ".mp4",
    "mov": ".mov",
    "gif": ".mkv",
    "png": "",
}

_SMALL_PIXELS = 512 * 512


def part_name(index: int, film_format: FilmFormat) -> str:
    """What a part is called, counted from 0: names in order are parts in order."""
    return f"part-{index:06}{PART_SUFFIXES[film_format.kind]}"


@contextmanager
def part_writer(
    path: Path, film_format: FilmFormat, first_frame: int = 0
) -> Iterator[Callable[[np.ndarray], None]]:
    """Gives a function that adds a picture (height x width x 3, uint8 RGB) to a part.

    path: where the part appears, under a name of `part_name`, when the block ends without error;
        not before. Only one writer at a time may write a part.
    film_format: the whole film's. Pictures of another size are scaled to it by Lanczos.
    first_frame: which frame of the film the first picture is: PNGs are named so.

    The same pictures give the same bytes. Raises: StorageError.
    """
    count = 0
    place = atomic_folder if film_format.kind == "png" else atomic_file
    with (
        place(path) as partial,
        encoder_errors(path),
        _sink(partial, film_format, first_frame) as add,
    ):

        def write(picture_HW3: np.ndarray) -> None:
            nonlocal count
            add(picture_HW3)
            count += 1

        yield write
        assert count, f"{path}: a part needs a picture"


def _sink(
    partial: Path, film_format: FilmFormat, first_frame: int
) -> AbstractContextManager[Callable[[np.ndarray], None]]:
    if film_format.kind == "png":
        return _png_part(partial, film_format, first_frame)
    if film_format.kind == "gif":
        return waiting_pictures(partial, film_format)
    return _encoded_part(partial, film_format)


@contextmanager
def _png_part(
    partial: Path, film_format: FilmFormat, first_frame: int
) -> Iterator[Callable[[np.ndarray], None]]:
    with png_film(partial, film_format, first_frame) as write:
        yield write
    # The folder's name says that all in it is whole, after a power cut as well.
    for picture in partial.iterdir():
        with picture.open("rb+") as file:
            os.fsync(file.fileno())


@contextmanager
def _encoded_part(partial: Path, film_format: FilmFormat) -> Iterator[Callable[[np.ndarray], None]]:
    container_format = PART_SUFFIXES[film_format.kind].removeprefix(".")
    options = container_options(container_format, film_format.fps, sound=False)
    del options["movflags"]  # nobody streams a part: its index may stand at its end
    with av.open(str(partial), "w", format=container_format, options=options) as container:
        pictures = EncodedPictures(container, film_format, _threads(film_format))
        yield pictures.add
        pictures.finish()


def _threads(film_format: FilmFormat) -> int:
    """x264 shares small pictures badly: with one thread it takes three quarters of the time of a
    core, which the other stages of a render want (0.92 for 1.28 ms at 256 x 256).
    """
    small = film_format.width * film_format.height <= _SMALL_PIXELS
    return 1 if small and film_format.codec == "h264" else THREADS
