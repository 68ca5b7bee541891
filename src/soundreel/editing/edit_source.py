"""The pictures of a film that is cut from clips, decoded in the film's own order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from soundreel.media.video import Fit, frames_at
from soundreel.timeline import frame_time

#: Backwards, so many pictures are decoded at a time and held: 32 of 1080p are 200 MB.
_HELD = 32


@dataclass(frozen=True)
class Piece:
    """Frames [first, stop) of the film: a clip from a time of it on, each fitted to the film.

    turn_seconds: None, or so much of the clip is played to and fro.
    clip_sha256: of the clip's file, so that the film knows what it is made of.
    """

    first: int
    stop: int
    clip: Path
    clip_sha256: str
    from_seconds: Fraction
    turn_seconds: Fraction | None
    fit: Fit

    def clip_seconds(self, n: int, fps: Fraction) -> Fraction:
        """What time of the clip frame n of the film shows."""
        since = frame_time(n - self.first, fps)
        if self.turn_seconds is not None:
            since %= 2 * self.turn_seconds
            since = min(since, 2 * self.turn_seconds - since)
        return self.from_seconds + since


@dataclass(frozen=True)
class EditSource:
    """Pieces of clips, one after the other (a `Source` as `rendering.filming` takes it)."""

    pieces: tuple[Piece, ...]
    fps: Fraction

    def pictures(self, first: int, stop: int) -> Iterator[np.ndarray]:
        """Frames first to stop (exclusive), H x W x 3 uint8. Raises: MediaError (a clip)."""
        return self.at(range(first, stop))

    def at(self, frames: Sequence[int]) -> Iterator[np.ndarray]:
        """Some ascending frames of the film. Raises: MediaError if a clip cannot be read."""
        place = 0
        for piece in self.pieces:
            wanted = []
            while place < len(frames) and frames[place] < piece.stop:
                wanted.append(frames[place])
                place += 1
            if wanted:
                yield from self._of_piece(piece, wanted)

    def identity(self) -> dict[str, Any]:
        """All that decides the pictures, as JSON values; not where the clips lie."""
        return {
            "edit": [
                [
                    one.first,
                    one.stop,
                    one.clip_sha256,
                    str(one.from_seconds),
                    str(one.turn_seconds),
                    str(one.fit),
                ]
                for one in self.pieces
            ],
            "fps": str(self.fps),
        }

    def _of_piece(self, piece: Piece, frames: Sequence[int]) -> Iterator[np.ndarray]:
        held: np.ndarray | None = None
        held_at = piece.first
        for n, picture_HW3 in zip(frames, self._decoded(piece, frames), strict=True):
            if picture_HW3 is None:
                # Damaged, or past the end of what the clip holds: the film's picture before is
                # held, whether or not it was asked for in this call.
                known = held is not None and n - held_at <= 1
                picture_HW3 = held if known else self._before(piece, n)
            assert picture_HW3 is not None
            held, held_at = picture_HW3, n
            yield picture_HW3

    def _decoded(self, piece: Piece, frames: Sequence[int]) -> Iterator[np.ndarray | None]:
        """The picture of each frame, or None where the clip has none."""
        times = [piece.clip_seconds(n, self.fps) for n in frames]
        for forward, run in _runs(times):
            if forward:
                yield from _each(piece, run)
            else:
                for first in range(0, len(run), _HELD):
                    yield from reversed(list(_each(piece, run[first : first + _HELD][::-1])))

    def _before(self, piece: Piece, n: int) -> np.ndarray:
        last_HW3 = np.zeros((piece.fit.height, piece.fit.width, 3), np.uint8)
        for picture_HW3 in self._decoded(piece, range(piece.first, n)):
            last_HW3 = last_HW3 if picture_HW3 is None else picture_HW3
        return last_HW3


def _each(piece: Piece, times: Sequence[Fraction]) -> Iterator[np.ndarray | None]:
    expected = 0
    for k, picture_HW3 in frames_at(piece.clip, times, piece.fit):
        yield from (None for _ in range(expected, k))
        yield picture_HW3
        expected = k + 1
    yield from (None for _ in range(expected, len(times)))


def _runs(times: Sequence[Fraction]) -> Iterator[tuple[bool, list[Fraction]]]:
    """Times cut into runs that ascend (True) or descend."""
    rises = [True, *(later >= earlier for earlier, later in pairwise(times))]
    for forward, run in groupby(zip(rises, times, strict=True), key=lambda pair: pair[0]):
        yield forward, [time for _, time in run]
