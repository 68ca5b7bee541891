"""What a clip's pictures are like: small pictures, motion and cuts, in one pass over its film.

Shapes: T pictures looked at, B of them at a time, C cells of a small picture, 3 of Lab.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from soundreel.errors import MediaError
from soundreel.evidence.cuts import find_cuts
from soundreel.evidence.warping import flow_magnitude
from soundreel.media.probe import VideoStream
from soundreel.media.video import Fit, frames_at
from soundreel.synthetic.colour import oklab
from soundreel.timeline import exact_seconds, frame_count, frame_time, nearest_frame

#: As many pictures a second as most films have: decoding is most of the work, so half as many
#: save a tenth of it (720p), and cuts are then known half as well (231 of 249 found, not 243).
_LOOK_FPS = Fraction(30)
_ROWS, _LEAST_SIDE = 36, 16
#: Small pictures: layout and light of a shot, and nothing of what moves in it.
CELL_ROWS, CELL_COLUMNS = 4, 6
_PICTURES_AT_A_TIME = 128
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709
#: Where no length is known, pictures are asked for until the film ends, at most these hours.
_MOST_SECONDS = Fraction(4 * 3600)
#: Gradients (of luma, white 1) weaker than this over the picture tell no direction.
_LEAST_GRADIENT = 1e-4
_FASTEST_PAN = 2.0


@dataclass(frozen=True)
class Seen:
    """A clip's pictures, `fps` of them a second from its start.

    lab_TC3: float16, OKLab of 4 x 6 cells, by rows (lightness 0 to 1).
    speed_T: float32, mean length of the optical flow, in picture heights a second.
    pan_T2: float32, how the picture moves as a whole (right, down), in picture heights a second.
    clarity_T: float32, 0 to 1.5, how much there is to see: contrast and colour.
    cut_seconds: float64, ascending, when new shots begin (to 1 / fps).
    """

    fps: Fraction
    lab_TC3: np.ndarray
    speed_T: np.ndarray
    pan_T2: np.ndarray
    clarity_T: np.ndarray
    cut_seconds: np.ndarray


def look(
    path: Path,
    film: VideoStream,
    crop: tuple[Fraction, Fraction, Fraction, Fraction],
    on_seconds: Callable[[float], None] | None = None,
) -> Seen:
    """Look at a clip's pictures; memory grows by some 5 kB a second, not by its pictures.

    crop: its black bars, as `Fit` takes them. on_seconds: told how far it has come.

    Raises: MediaError if nothing of it can be decoded.
    """
    fps = min(_LOOK_FPS, film.fps)
    rows = max(_LEAST_SIDE, min(_ROWS, film.height))
    columns = max(_LEAST_SIDE, min(4 * rows, round(rows * film.width / film.height)))
    length = min(film.duration_seconds or _MOST_SECONDS, _MOST_SECONDS)
    times = [frame_time(n, fps) for n in range(frame_count(length, fps) + 1)]
    parts: list[tuple[np.ndarray, ...]] = []

    def looked_at() -> Iterator[np.ndarray]:
        pictures = _held(frames_at(path, times, Fit(rows, columns, crop=crop)))
        before: np.ndarray | None = None
        done = 0
        while batch := list(islice(pictures, _PICTURES_AT_A_TIME)):
            parts.append(_described(batch, before, fps))
            before = batch[-1]
            done += len(batch)
            if on_seconds is not None:
                on_seconds(float(frame_time(done, fps)))
            yield from batch

    arriving = looked_at()
    first = next(arriving, None)
    if first is None:
        raise MediaError(f"{path}: none of its pictures can be decoded: leave it out")
    cut_seconds = find_cuts(_put_back(first, arriving), fps)
    lab_TC3, speed_T, pan_T2, clarity_T = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    starts = [0, *(nearest_frame(exact_seconds(float(cut)), fps) for cut in cut_seconds)]
    for start in reversed(starts):  # what seems to move across a cut does not
        if start + 1 < len(speed_T):
            speed_T[start], pan_T2[start] = speed_T[start + 1], pan_T2[start + 1]
    return Seen(fps, lab_TC3, speed_T, pan_T2, clarity_T, cut_seconds)


def _held(numbered: Iterator[tuple[int, np.ndarray]]) -> Iterator[np.ndarray]:
    """One picture for each time: where one is damaged, the one before is held."""
    last: np.ndarray | None = None
    expected = 0
    for k, picture in numbered:
        for _ in range(expected, k):
            yield picture if last is None else last
        yield picture
        last, expected = picture, k + 1


def _put_back(first: np.ndarray, others: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from others


def _described(
    batch: Sequence[np.ndarray], before: np.ndarray | None, fps: Fraction
) -> tuple[np.ndarray, ...]:
    """lab_BC3, speed_B, pan_B2 and clarity_B of some pictures in a row."""
    picture_BHW3 = np.stack(batch)
    earlier = batch[0] if before is None else before
    with_before = np.concatenate([earlier[None], picture_BHW3])
    luma_BHW = (with_before.astype(np.float32) / 255) @ _LUMA
    speed_B = flow_magnitude(with_before, fps)[1:]
    chroma_B = (picture_BHW3.max(-1) - picture_BHW3.min(-1)).mean(axis=(1, 2)) / 255
    clarity_B = luma_BHW[1:].std(axis=(1, 2)) + chroma_B
    return (
        _cells(picture_BHW3),
        speed_B.astype(np.float32),
        _pan(luma_BHW, fps),
        clarity_B.astype(np.float32),
    )


def _cells(picture_BHW3: np.ndarray) -> np.ndarray:
    count, height, width, _ = picture_BHW3.shape
    rows, columns = height // CELL_ROWS, width // CELL_COLUMNS
    cut = picture_BHW3[:, : rows * CELL_ROWS, : columns * CELL_COLUMNS].astype(np.float32)
    mean = cut.reshape(count, CELL_ROWS, rows, CELL_COLUMNS, columns, 3).mean(axis=(2, 4))
    return oklab(mean / 255).reshape(count, -1, 3).astype(np.float16)


def _pan(luma_BHW: np.ndarray, fps: Fraction) -> np.ndarray:
    """The one shift that best explains each change: least squares over the whole picture.

    Source: Lucas and Kanade 1981, "An iterative image registration technique", one step of it.
    Shape: B + 1 pictures -> B x 2.
    """
    # Averaging neighbours makes the gradient hold for shifts of more than a pixel.
    smooth_BHW = luma_BHW
    for axis in (1, 2):
        halves = np.moveaxis(smooth_BHW, axis, 0)
        smooth_BHW = np.moveaxis((halves[:-2] + 2 * halves[1:-1] + halves[2:]) / 4, 0, axis)
    mean_BHW = (smooth_BHW[1:] + smooth_BHW[:-1]) / 2
    # Differences to either side (numpy's gradient, with the type of an array).
    down_BHW, right_BHW = (np.asarray(one) for one in np.gradient(mean_BHW, axis=(1, 2)))
    change_BHW = np.diff(smooth_BHW, axis=0)

    def mean(a_BHW: np.ndarray, b_BHW: np.ndarray) -> np.ndarray:
        return np.einsum("bhw,bhw->b", a_BHW, b_BHW) / a_BHW[0].size

    xx, yy, xy = (
        mean(right_BHW, right_BHW) + _LEAST_GRADIENT,
        mean(down_BHW, down_BHW) + _LEAST_GRADIENT,
        mean(right_BHW, down_BHW),
    )
    xt, yt = -mean(right_BHW, change_BHW), -mean(down_BHW, change_BHW)
    least = xx * yy - xy**2
    shift_B2 = np.stack([(yy * xt - xy * yt) / least, (xx * yt - xy * xt) / least], axis=1)
    per_height = float(fps) / luma_BHW.shape[1]
    return (shift_B2 * per_height).clip(-_FASTEST_PAN, _FASTEST_PAN).astype(np.float32)
