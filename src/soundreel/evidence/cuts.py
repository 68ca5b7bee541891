"""Where a film cuts from one shot to the next.

Shapes: T frames, K distances in time (1 to K frames), R x C x 3 a small picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice

import numpy as np

from soundreel.timeline import frame_count, frame_time

#: Pictures are averaged down to about this many blocks on their shorter side: grain and small
#: movements vanish, the layout of a shot stays.
_BLOCKS = 16
_FRAMES_AT_A_TIME = 64
#: Contrast (standard deviation, white 1) from which a picture counts in full: what is darker or
#: flatter is on its way into a fade, or noise.
_FULL_CONTRAST = 0.1
_NO_CONTRAST = 0.01
#: A picture that was there within so long before comes back: a flash, no cut.
FLASH_SECONDS = Fraction(1, 4)
#: How far around a frame others tell how much this film changes anyway.
_AROUND_SECONDS = Fraction(3, 4)
_FEWEST_AROUND = 4
_LEVEL_QUANTILE = 0.8
#: Change that is added to the level (in the units of `_changes`), so that the first move in a
#: still is no cut; and how far above both a cut stands. Chosen on films drawn here, tested on
#: others.
_ANY_CHANGE = 0.1
_TIMES_ABOVE = 1.6
#: Of cuts nearer to each other than this one is kept: one new picture often takes two frames.
SHORTEST_SHOT_SECONDS = Fraction(1, 10)


def find_cuts(frames: Iterable[np.ndarray], fps: Fraction) -> np.ndarray:
    """When new shots begin, in seconds from the first frame: float64, ascending.

    frames: H x W x 3, uint8, RGB, all of one size; an array, or frames as they are decoded (some
    dozens are held). A time is that of the first frame of the new shot; the film's own beginning
    is no cut.

    A frame is a cut where its layout differs from that of the frames just before far more than
    frames nearby do from theirs (a local threshold after Yeo and Liu 1995, "Rapid scene analysis
    on compressed video", with a quantile in place of the second largest change, so that cuts may
    come close together). Layouts are small pictures less their mean and over their contrast,
    each colour apart: light that grows, fades or changes colour leaves them as they are. Between
    two faint pictures a difference counts for less, so that black is reached without a leap. The
    least difference within a quarter second counts, so a flash, after which the old picture
    comes back, is none.

    Not seen: dissolves, shots shorter than a quarter second between two of the same picture, cuts
    between two plain areas or two dark pictures. Seen where none is: a leap of all there is to
    see from one frame to the next (a camera that jumps, a hand that fills the picture).

    Raises: ValueError if there are no frames, or one is not H x W x 3 uint8 of the first's size.
    """
    change_KT = _changes(frames, max(1, frame_count(FLASH_SECONDS, fps)))
    around = max(_FEWEST_AROUND, frame_count(_AROUND_SECONDS, fps))
    above_T = _lasting(change_KT) / (_ANY_CHANGE + _level(change_KT[0], around))
    apart = frame_count(SHORTEST_SHOT_SECONDS, fps)
    cuts = _strongest(above_T, np.flatnonzero(above_T > _TIMES_ABOVE), apart)
    return np.array([float(frame_time(int(cut), fps)) for cut in cuts])


def _changes(frames: Iterable[np.ndarray], lags: int) -> np.ndarray:
    """How far the layout of each frame is from that of k frames before, k = 1 to K: K x T.

    The mean absolute difference (about 1 for unrelated pictures), times the clearer one's weight.
    Infinite where nothing was k frames before.
    """
    parts: list[np.ndarray] = []
    layout_ND: np.ndarray | None = None
    weight_N = np.empty(0)
    for frame_BHWC in _batches(frames):
        new_BD, new_weight_B = _layouts(frame_BHWC)
        # The last frames of the batch before come first.
        held = len(weight_N)
        layout_ND = new_BD if layout_ND is None else np.concatenate([layout_ND, new_BD])
        weight_N = np.concatenate([weight_N, new_weight_B])
        part_KB = np.full((lags, len(new_BD)), np.inf)
        for lag in range(1, min(lags, len(weight_N) - 1) + 1):
            first = max(held, lag)
            now, then = slice(first, None), slice(first - lag, len(weight_N) - lag)
            difference_B = np.abs(layout_ND[now] - layout_ND[then]).mean(axis=1, dtype=np.float64)
            clearer_B = np.maximum(weight_N[now], weight_N[then])
            part_KB[lag - 1, first - held :] = difference_B * clearer_B
        parts.append(part_KB)
        layout_ND, weight_N = layout_ND[-lags:], weight_N[-lags:]
    if not parts:
        raise ValueError("a film without frames has no cuts: give at least one frame")
    return np.concatenate(parts, axis=1)


def _batches(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    arriving, size = iter(frames), None
    while batch := list(islice(arriving, _FRAMES_AT_A_TIME)):
        for frame in batch:
            size = size or frame.shape
            if frame.ndim != 3 or frame.shape[-1] != 3 or frame.dtype != np.uint8:
                raise ValueError(
                    f"a frame is {frame.shape} {frame.dtype}: height x width x 3 uint8 is needed"
                )
            if frame.shape != size:
                raise ValueError(f"a frame is {frame.shape}, the first was {size}: one size")
        yield np.stack(batch)


def _layouts(frame_BHWC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Small pictures without each colour's level and contrast, B x (R C 3); weights 0 to 1, B."""
    count, height, width, _ = frame_BHWC.shape
    block = max(1, min(height, width) // _BLOCKS)
    rows, columns = height // block, width // block
    cut = frame_BHWC[:, : rows * block, : columns * block]
    # Sums one axis at a time in integers: far faster than a mean over both in floats.
    summed = cut.reshape(count, rows, block, -1).sum(2, dtype=np.uint32)
    summed = summed.reshape(count, rows, columns, block, 3).sum(3, dtype=np.uint32)
    x_BRCD = summed.astype(np.float32) / (255 * block * block)
    x_BRCD -= x_BRCD.mean(axis=(1, 2), keepdims=True)
    contrast_BD = x_BRCD.std(axis=(1, 2))
    x_BRCD /= contrast_BD[:, None, None] + np.float32(_NO_CONTRAST)
    weight_B = np.minimum(1, contrast_BD.mean(axis=1, dtype=np.float64) / _FULL_CONTRAST)
    return x_BRCD.reshape(count, -1), weight_B


def _lasting(change_KT: np.ndarray) -> np.ndarray:
    """The least difference between the frames before t and those from t on: T.

    Of pairs at most K frames apart, the last before t with any from t on, and t with any before.
    """
    least_T = change_KT.min(axis=0)
    least_T[0] = 0  # nothing came before
    for k in range(2, len(change_KT) + 1):
        # t - 1 against t - 1 + k.
        later_T = change_KT[k - 1, k - 1 :]
        least_T[1 : len(later_T)] = np.minimum(least_T[1 : len(later_T)], later_T[1:])
    return least_T


def _level(change_T: np.ndarray, around: int) -> np.ndarray:
    """How much frames near t change, t itself left out: T."""
    if len(change_T) < 2:
        return np.zeros(len(change_T))
    change_T = np.concatenate([change_T[1:2], change_T[1:]])
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(change_T, around, mode="reflect"), 2 * around + 1
    )
    return np.quantile(np.delete(windows, around, axis=1), _LEVEL_QUANTILE, axis=1)


def _strongest(above_T: np.ndarray, places: np.ndarray, apart: int) -> np.ndarray:
    """Of places nearer than `apart` the one where the curve is highest (the first of equals)."""
    kept_T = np.zeros(len(above_T), dtype=bool)
    for place in places[np.argsort(-above_T[places], kind="stable")]:
        if not kept_T[max(0, place - apart + 1) : place + apart].any():
            kept_T[place] = True
    return np.flatnonzero(kept_T)
