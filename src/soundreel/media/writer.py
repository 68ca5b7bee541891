"""A film on disk, written picture by picture: MP4, WebM, MOV, GIF or a folder of PNGs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np

from soundreel.atomic import atomic_file
from soundreel.errors import SettingsError
from soundreel.media.encoding import encoded_film
from soundreel.media.film_format import film_format
from soundreel.media.gif import gif_film
from soundreel.media.picture_folder import atomic_folder, png_film
from soundreel.media.song_track import Song
from soundreel.media.storage import encoder_errors

__all__ = ["FilmWriter", "Song"]


class FilmWriter:
    """Writes a film; used as a context manager, it appears under its name only when finished.

    path: the suffix says the kind, as `film_format` has it. GIFs and folders are silent.
    width, height: of each picture, in pixels; even but for GIFs and folders.
    fps: frames a second. A GIF holds no more than 50 a second: what is beyond that is left out.
    song: the sound, its first sample at film time 0; the sound is exactly as long as its span.
    crf: quality of H.264 (0 best, 51 worst) and VP9 (0 to 63); None: visually lossless defaults.
    metadata: words for the file, such as title and comment.

    The same pictures and song give the same bytes.

    Raises: SettingsError for a kind, size or rate that cannot be written, or a film without a
    picture; MediaError for the song; StorageError if the disk is full.
    """

    def __init__(
        self,
        path: Path | str,
        width: int,
        height: int,
        fps: Fraction,
        song: Song | None = None,
        crf: int | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.path = Path(path)
        self._format = film_format(self.path, width, height, fps, crf=crf)
        self._song = song
        self._metadata = dict(metadata or {})
        self._shape = (height, width, 3)
        self._count = 0
        self._stack = ExitStack()
        self._write: Callable[[np.ndarray], None] | None = None

    def __enter__(self) -> FilmWriter:
        with ExitStack() as stack:
            place = atomic_folder if self._format.kind == "png" else atomic_file
            partial = stack.enter_context(place(self.path))
            stack.enter_context(encoder_errors(self.path))
            self._write = stack.enter_context(self._sink(partial))
            self._stack = stack.pop_all()
        return self

    def _sink(self, partial: Path) -> AbstractContextManager[Callable[[np.ndarray], None]]:
        if self._format.kind == "png":
            return png_film(partial, self._format)
        if self._format.kind == "gif":
            return gif_film(partial, self._format)
        return encoded_film(partial, self._format, self._song, self._metadata)

    def write(self, picture_HW3: np.ndarray) -> None:
        """Add the next picture: height x width x 3, uint8 RGB."""
        assert self._write is not None, "write() outside the with block"
        assert picture_HW3.shape == self._shape, (picture_HW3.shape, self._shape)
        assert picture_HW3.dtype == np.uint8, picture_HW3.dtype
        self._write(picture_HW3)
        self._count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._write = None
        if error is None and self._count == 0:
            error = SettingsError(f"{self.path}: a film needs a picture: check start and stop")
            self._stack.__exit__(type(error), error, None)
            raise error
        self._stack.__exit__(kind, error, traceback)
