"""Folders of PNGs named after the film's frames: 000000.png, 000001.png, ..."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from soundreel.atomic import discard, finish_folder, partial_folder
from soundreel.errors import SettingsError, storage_errors
from soundreel.media.film_format import FilmFormat
from soundreel.media.scaling import PictureScaler

_PNG_COMPRESSION = 3  # of 0 to 9: a third slower than none and a third of the size
# A file system without hard links, another file system, or too many links to one file.
_CANNOT_LINK = {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS}


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into; named `folder` when the block ends without error, else removed.

    Raises: SettingsError if something not empty has that name already; StorageError.
    """
    with storage_errors(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SettingsError(f"{folder}: exists already: choose another place or remove it")
        partial = partial_folder(folder)
        discard(partial)
        partial.mkdir(parents=True)
        try:
            yield partial
            finish_folder(folder)
        finally:
            discard(partial)


def picture_name(frame: int) -> str:
    """What the picture of a frame of the film is called."""
    return f"{frame:06}.png"


@contextmanager
def png_film(
    folder: Path, film_format: FilmFormat, first_frame: int = 0
) -> Iterator[Callable[[np.ndarray], None]]:
    """Gives a function that adds a picture to a folder that is there."""
    scaler = PictureScaler(film_format.width, film_format.height, "rgb24")
    frame = first_frame

    def write(picture_HW3: np.ndarray) -> None:
        nonlocal frame
        if picture_HW3.shape[:2] != (film_format.height, film_format.width):
            picture_HW3 = scaler(picture_HW3).to_ndarray()
        picture = Image.fromarray(np.ascontiguousarray(picture_HW3))
        picture.save(folder / picture_name(frame), compress_level=_PNG_COMPRESSION)
        frame += 1

    yield write


def link_pictures(pictures: Sequence[Path], folder: Path) -> None:
    """Put pictures into a folder under their names too, copying only where links cannot be."""
    for picture in pictures:
        place = folder / picture.name
        try:
            place.hardlink_to(picture)
        except OSError as error:
            if error.errno not in _CANNOT_LINK:
                raise
            shutil.copyfile(picture, place)
