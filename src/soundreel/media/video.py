"""A film's pictures at given times.

The picture at t is the last frame whose presentation time is <= t (before the first frame: the
first). Time zero is the container's start, so picture and sound keep their offset.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soundreel.errors import MediaError
from soundreel.media.decoding import Film
from soundreel.media.fitting import Fit, Fitter
from soundreel.media.key_frames import spread_key_frames
from soundreel.media.opening import film_stream, open_media
from soundreel.media.skipping import Doubt, NeededPackets, rules_for

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["Fit", "frames_at", "key_frames", "views_at"]


def frames_at(
    path: Path | str, times_seconds: Sequence[Fraction], fit: Fit
) -> Iterator[tuple[int, np.ndarray]]:
    """The film's picture at each of some ascending times.

    Yields (k, picture) for times_seconds[k], k ascending; the picture is H x W x 3 uint8 RGB,
    an array of its own. A time at or after the film's end yields nothing; neither does one where
    the film has been damaged for more than a second.

    Raises: MediaError if the file cannot be read, has no video, or nothing of it can be decoded;
    ValueError if the times do not ascend.
    """
    for k, (picture,) in views_at(path, times_seconds, (fit,)):
        yield k, picture


def views_at(
    path: Path | str, times_seconds: Sequence[Fraction], fits: Sequence[Fit]
) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
    """As `frames_at`, each picture in several fits at once: decoded once, scaled for each."""
    if any(after < before for before, after in itertools.pairwise(times_seconds)):
        raise ValueError("times_seconds must ascend")
    done = 0
    # The quick way first; where it doubts, the plain way goes on from the same time.
    for read in (_needed_frames, _all_frames):
        if done == len(times_seconds):
            return
        with open_media(path) as container:
            film = Film(Path(path), container, times_seconds[done:])
            fitters = [Fitter(fit, film.stream.sample_aspect_ratio) for fit in fits]
            first = done
            shown: VideoFrame | None = None
            views: tuple[np.ndarray, ...] = ()
            try:
                for k, frame in read(film):
                    if frame is not shown:
                        shown, views = frame, tuple(fitter(frame) for fitter in fitters)
                    yield first + k, tuple(view.copy() for view in views)
                    done = first + k + 1
            except Doubt:
                continue
        return


def key_frames(path: Path | str, fit: Fit, most: int = 24) -> list[np.ndarray]:
    """At most `most` of the film's key frames, about evenly spread over it: a quick look.

    Pictures that cannot be decoded are passed over, so the list may be empty.

    Raises: MediaError if the file cannot be read or has no video.
    """
    with open_media(path) as container:
        stream = film_stream(container)
        if stream is None:
            raise MediaError(f"{path}: has no video stream: give a video")
        fitter = Fitter(fit, stream.sample_aspect_ratio)
        return [fitter(frame) for frame in spread_key_frames(container, stream, most)]


def _needed_frames(film: Film) -> Iterator[tuple[int, VideoFrame]]:
    """(k, frame) for film.ticks[k], decoding only what these frames refer to.

    Raises: Doubt where the film is not as plain as that needs.
    """
    rules = rules_for(film.stream) if film.is_indexed else None
    if rules is None:
        raise Doubt
    needed = NeededPackets(film.packets(), rules, film.ticks, film.shown_until)
    k = 0
    for frame in film.decode(needed):
        if frame.pts is None or (k < len(needed.wanted) and needed.wanted[k] < frame.pts):
            raise Doubt  # a wanted frame has not come out
        while k < len(needed.wanted) and needed.wanted[k] == frame.pts:
            yield k, frame
            k += 1
    if k < len(needed.wanted) or not needed.wanted:
        raise Doubt


def _all_frames(film: Film) -> Iterator[tuple[int, VideoFrame]]:
    """(k, frame) for film.ticks[k], decoding everything from the key frame before the first."""
    k = 0
    before: VideoFrame | None = None
    before_pts = 0
    for frame in film.decode(film.packets()):
        pts = frame.pts
        if pts is None:  # formats without timestamps: one frame after the other
            pts = 0 if before is None else film.shown_until(before_pts, None)
        if before is not None and pts <= before_pts:
            continue
        while k < len(film.ticks) and film.ticks[k] < pts:
            if before is None:
                yield k, frame
            elif not film.is_stale(before_pts, film.ticks[k]):
                yield k, before
            k += 1
        if k == len(film.ticks):
            return
        before, before_pts = frame, pts
        film.forget_before(pts)
    if before is None:
        raise MediaError(f"{film.path}: none of its pictures can be decoded: leave it out")
    end = film.shown_until(before_pts, before.duration)
    while k < len(film.ticks) and film.ticks[k] < end:
        if not film.is_stale(before_pts, film.ticks[k]):
            yield k, before
        k += 1
