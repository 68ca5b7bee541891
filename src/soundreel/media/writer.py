"""A film on disk, written picture by picture: MP4, WebM, GIF or a folder of PNGs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

from soundreel.atomic import atomic_file, discard, finish_folder, partial_folder
from soundreel.errors import SettingsError, storage_errors
from soundreel.media.encoding import encoded_film
from soundreel.media.gif import gif_film
from soundreel.media.song_track import Song
from soundreel.media.storage import encoder_errors

__all__ = ["FilmWriter", "Song"]

_KINDS = ".mp4, .webm, .gif, or a folder (a name without a suffix, or ending in .png)"
_MAX_SIDE = 8192
_PNG_COMPRESSION = 3  # of 0 to 9: a third slower than none and a third of the size


class FilmWriter:
    """Writes a film; used as a context manager, it appears under its name only when finished.

    path: the suffix says the kind: .mp4 (H.264 and AAC), .webm (VP9 and Opus), .gif, or, without
        a suffix or with .png, a folder of 000000.png, 000001.png, ... GIFs and folders are silent.
    width, height: of each picture, in pixels; even for .mp4 and .webm.
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
        self._shape = (height, width, 3)
        self._count = 0
        self._stack = ExitStack()
        self._write: Callable[[np.ndarray], None] | None = None
        kind = self.path.suffix.lower()
        if kind not in (".mp4", ".webm", ".gif", ".png", ""):
            raise SettingsError(f"{path}: films are written as {_KINDS}")
        if not (1 <= width <= _MAX_SIDE and 1 <= height <= _MAX_SIDE):
            raise SettingsError(f"{path}: {width} x {height}: each side must be 1 to {_MAX_SIDE}")
        if kind in (".mp4", ".webm") and (width % 2 or height % 2):
            raise SettingsError(
                f"{path}: {width} x {height}: {kind} films need an even width and height: "
                f"try {width + width % 2} x {height + height % 2}"
            )
        if not Fraction(1, 10) <= fps <= 1000:
            raise SettingsError(f"{path}: {fps} frames a second: give 0.1 to 1000")
        if crf is not None and not 0 <= crf <= (63 if kind == ".webm" else 51):
            raise SettingsError(f"{path}: crf {crf}: give 0 (best) to 51 (.webm: 63)")
        words = dict(metadata or {})
        self._sink: Callable[[Path], AbstractContextManager[Callable[[np.ndarray], None]]]
        if kind in (".mp4", ".webm"):
            self._sink = lambda partial: encoded_film(partial, width, height, fps, song, crf, words)
        elif kind == ".gif":
            self._sink = lambda partial: gif_film(partial, width, height, fps)
        else:
            self._sink = _png_folder

    def __enter__(self) -> FilmWriter:
        with ExitStack() as stack:
            place = _atomic_folder if self._sink is _png_folder else atomic_file
            partial = stack.enter_context(place(self.path))
            stack.enter_context(encoder_errors(self.path))
            self._write = stack.enter_context(self._sink(partial))
            self._stack = stack.pop_all()
        return self

    def write(self, picture_HW3: np.ndarray) -> None:
        """Add the next picture: height x width x 3, uint8 RGB."""
        assert self._write is not None, "write() outside the with block"
        assert picture_HW3.shape == self._shape, (picture_HW3.shape, self._shape)
        assert picture_HW3.dtype == np.uint8, picture_HW3.dtype
        self._write(np.ascontiguousarray(picture_HW3))
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


@contextmanager
def _atomic_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into; named `folder` when the block ends without error, else removed."""
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


@contextmanager
def _png_folder(folder: Path) -> Iterator[Callable[[np.ndarray], None]]:
    count = 0

    def write(picture_HW3: np.ndarray) -> None:
        nonlocal count
        picture = Image.fromarray(picture_HW3)
        picture.save(folder / f"{count:06}.png", compress_level=_PNG_COMPRESSION)
        count += 1

    yield write
