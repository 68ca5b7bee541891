"""The true video beside the film that was made for its song, in one frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from soundreel.errors import MediaError, SettingsError
from soundreel.media.probe import probe
from soundreel.media.video import Fit, frames_at
from soundreel.rendering.panels import Layout, grid_layout, labelled, side_by_side
from soundreel.timeline import frame_count, frame_shown_at, frame_time

#: A video is read in stretches of so many frames (20 minutes at 30 a second), so that the lists
#: of times do not grow with it. Formats without an index are read from their start each time.
_STRETCH_FRAMES = 36_000
# How far back the last good picture before a damage is looked for: most lie near.
_LOOK_BACK_SECONDS = (2, 20, 200)


def original_frames(
    video: Path,
    fps: Fraction,
    start_seconds: Fraction,
    first: int,
    stop: int,
    width: int,
    height: int,
) -> Iterator[np.ndarray]:
    """What a video shows at each of the frames [first, stop) of a film: height x width x 3 uint8.

    Frame n is the video's picture at start_seconds + n / fps, whole and in its own shape, in the
    middle of a black frame. Where the video has ended it is black; where it is damaged, the last
    good picture stays. There is exactly one array, its own, for each n. The same n gives the same
    frame wherever `first` lies (of a damaged video, up to its next good picture).

    Memory does not grow with the video or the number of frames.

    Raises: MediaError, before the first frame is asked for, if the file cannot be read, has no
    video, or nothing of it can be decoded.
    """
    original = _Original.of(video, fps, start_seconds, width, height)
    original.check()
    return original.frames(first, stop)


def beside_layout(picture: tuple[int, int], size: tuple[int, int] | None = None) -> Layout:
    """Where the original (left or above) and the made picture lie.

    picture: width and height of each, in pixels.
    size: width and height of the whole. The two stand beside or above each other, whichever
      leaves them larger: wide ones in a tall film above. None: beside each other at their size.

    Raises: SettingsError if they would be too small to be looked at.
    """
    if size is None:
        return grid_layout([picture] * 2)
    layouts = []
    for columns in (2, 1):
        with suppress(SettingsError):
            layouts.append(grid_layout([picture] * 2, size, columns))
    if not layouts:
        return grid_layout([picture] * 2, size)  # says which size would do
    # Of equally large ones the first: beside each other.
    return max(layouts, key=lambda layout: layout.tiles[0].height)


def beside_frames(
    layout: Layout,
    name: str,
    pictures: Iterable[np.ndarray],
    video: Path,
    fps: Fraction,
    start_seconds: Fraction,
    first: int,
    stop: int,
) -> Iterator[np.ndarray]:
    """Frames [first, stop) of the film: the video's picture, labelled "original", and the made one.

    layout: from `beside_layout`. name: the label of the made picture, such as its model's.
    pictures: the made ones, for exactly these frames; those of another size are scaled.

    Yields height x width x 3 uint8 of the layout's size. Memory is flat.

    Raises: as `original_frames`; ValueError if there are more or fewer pictures.
    """
    tile, _ = layout.tiles
    originals = original_frames(video, fps, start_seconds, first, stop, tile.width, tile.height)
    empty_HW3 = labelled(layout, ["original", name])
    return side_by_side(empty_HW3, layout.tiles, [originals, iter(pictures)])


@dataclass(frozen=True)
class _Original:
    """A video, and which of its times and which place a film's frame has.

    fit: of the picture alone, which lies at `top` and `left` of the frame.
    end_seconds: where the file says that it ends, if it does.
    """

    video: Path
    fps: Fraction
    start_seconds: Fraction
    width: int
    height: int
    fit: Fit
    top: int
    left: int
    end_seconds: Fraction | None

    @classmethod
    def of(
        cls, video: Path, fps: Fraction, start_seconds: Fraction, width: int, height: int
    ) -> _Original:
        info = probe(video)
        aspect = info.display_aspect
        wide, high = min(width, round(height * aspect)), min(height, round(width / aspect))
        fit = Fit(max(1, high), max(1, wide), "lanczos")
        top, left = (height - fit.height) // 2, (width - fit.width) // 2
        end = info.duration_seconds
        return cls(video, fps, start_seconds, width, height, fit, top, left, end)

    def check(self) -> None:
        """Raises: MediaError if none of the video's pictures can be decoded."""
        next(frames_at(self.video, [Fraction(0)], self.fit), None)

    def frames(self, first: int, stop: int) -> Iterator[np.ndarray]:
        black_HW3 = np.zeros((self.height, self.width, 3), np.uint8)
        last_HW3: np.ndarray | None = None
        n = first
        for shown, picture_HW3 in self._shown(first, stop):
            while n < shown:  # lost, not over: there is a picture after it
                last_HW3 = self._shown_before(n) if last_HW3 is None else last_HW3
                yield last_HW3.copy()
                n += 1
            last_HW3 = self._framed(picture_HW3)
            yield last_HW3.copy()
            n += 1
        if n == stop:
            return
        if not self._shows_more(stop):
            last_HW3 = black_HW3
        elif last_HW3 is None:
            last_HW3 = self._shown_before(n)
        for _ in range(n, stop):
            yield last_HW3.copy()

    def _shown(self, first: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        """(n, picture) for those of the frames [first, stop) at which the video shows one."""
        for begin in range(first, stop, _STRETCH_FRAMES):
            end = min(stop, begin + _STRETCH_FRAMES)
            times = [self.start_seconds + frame_time(n, self.fps) for n in range(begin, end)]
            try:
                for k, picture_HW3 in frames_at(self.video, times, self.fit):
                    yield begin + k, picture_HW3
            except MediaError:
                self.check()  # it is this stretch only that cannot be decoded

    def _shows_more(self, first: int) -> bool:
        """Whether the video shows anything from frame `first` on."""
        if self.end_seconds is None:
            return False
        stop = frame_count(self.end_seconds - self.start_seconds, self.fps)
        return any(True for _ in self._shown(first, stop))

    def _shown_before(self, n: int) -> np.ndarray:
        """The last picture before frame n, black if there is none."""
        earliest = -frame_shown_at(self.start_seconds, self.fps)
        for seconds in (*_LOOK_BACK_SECONDS, math.inf):
            since = n - frame_count(Fraction(seconds), self.fps) if seconds < math.inf else earliest
            last_HW3 = None
            for _, picture_HW3 in self._shown(max(earliest, since), n):
                last_HW3 = picture_HW3
            if last_HW3 is not None:
                return self._framed(last_HW3)
        return np.zeros((self.height, self.width, 3), np.uint8)

    def _framed(self, picture_HW3: np.ndarray) -> np.ndarray:
        frame_HW3 = np.zeros((self.height, self.width, 3), np.uint8)
        rows = slice(self.top, self.top + self.fit.height)
        frame_HW3[rows, self.left : self.left + self.fit.width] = picture_HW3
        return frame_HW3
