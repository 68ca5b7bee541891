"""Frames mixed with their neighbours in time, exactly, as they come.

The sums are exact: weights are whole multiples of 2^-16 and pictures are whole numbers below
256, so every sum of products is a whole number below 2^24, which float32 holds. So a frame does
not depend on where a film is cut into parts, on the order of the sum, or on the processor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from soundreel.rendering.contrast import ContrastKeeper
from soundreel.rendering.kernels import (
    DEFAULT_SECONDS,
    WEIGHT_UNITS,
    Kernel,
    Smoothing,
    smoothing_kernel,
)

__all__ = ["DEFAULT_SECONDS", "Kernel", "Smoothing", "smoothed", "smoothing_kernel"]

#: So many frames are made at a time: one product of matrices instead of as many sums.
_FRAMES_AT_A_TIME = 16
#: Values of all those frames that pass through a core's cache together.
_VALUES_AT_A_TIME = 8_192


def smoothed(
    frames: Iterable[np.ndarray], first: int, stop: int, kernel: Kernel
) -> Iterator[np.ndarray]:
    """Frames [first, stop) of the film, smoothed; H x W x 3 uint8 each.

    frames: the unsmoothed ones from max(0, first - K) up to min(kernel.frames, stop + K), in
      order, all H x W x 3 uint8 of one size; K = kernel.reach.

    A frame depends on the unsmoothed frames n - K to n + K and on its place n alone: any part
    of a film is to the bit what the whole has there. Rounded half up. Memory: 2K + 16 frames.

    Raises: ValueError if the part does not lie in the film, or frames are missing.
    """
    if not 0 <= first <= stop <= kernel.frames:
        raise ValueError(f"frames {first} to {stop} of a film of {kernel.frames}")
    arriving = iter(frames)
    if kernel.reach == 0:
        for n in range(first, stop):
            yield _next(arriving, n)
        return
    held: list[np.ndarray] = []  # in order, the first one's number being `held_from`
    held_from = max(0, first - kernel.reach)
    keeper = None
    for start in range(first, stop, _FRAMES_AT_A_TIME):
        end = min(start + _FRAMES_AT_A_TIME, stop)
        needed_from = max(0, start - kernel.reach)
        held, held_from = held[needed_from - held_from :], needed_from
        while held_from + len(held) < min(kernel.frames, end + kernel.reach):
            held.append(_next(arriving, held_from + len(held)))
        unit_NM = _band(kernel, start, end, held_from, len(held))
        mean_NP = _weighted_sums(unit_NM, held)
        if not kernel.keeps_contrast:
            for mean_P in mean_NP:
                yield (mean_P + np.float32(0.5)).astype(np.uint8).reshape(held[0].shape)
            continue
        if keeper is None:
            keeper = ContrastKeeper(held[0].shape)
        spreads_M2 = np.stack([keeper.spread_of(held_from + m, x) for m, x in enumerate(held)])
        for mean_P, unit_M in zip(mean_NP, unit_NM, strict=True):
            yield keeper.restored(mean_P.reshape(held[0].shape), unit_M @ spreads_M2)
        keeper.forget_before(held_from)


def _next(arriving: Iterator[np.ndarray], n: int) -> np.ndarray:
    frame_HW3 = next(arriving, None)
    if frame_HW3 is None:
        raise ValueError(f"frame {n} is missing: the frames ended before it")
    return np.ascontiguousarray(frame_HW3)


def _band(kernel: Kernel, start: int, end: int, held_from: int, held: int) -> np.ndarray:
    """The weights of the held frames in frames [start, end), in whole units: N x M, float64."""
    unit_NM = np.zeros((end - start, held))
    for row, n in enumerate(range(start, end)):
        left = n - kernel.reach - held_from  # may lie before the film, where weights are 0
        inside = slice(max(0, left), min(held, left + 2 * kernel.reach + 1))
        unit_NM[row, inside] = kernel.units(n)[inside.start - left : inside.stop - left]
    return unit_NM


def _weighted_sums(unit_NM: np.ndarray, held: list[np.ndarray]) -> np.ndarray:
    """Weighted means of the held frames, N x P float32, exact: multiples of 2^-16."""
    weight_NM = (unit_NM / WEIGHT_UNITS).astype(np.float32)
    rows = [frame.reshape(-1) for frame in held]
    mean_NP = np.empty((len(weight_NM), rows[0].size), np.float32)
    level_MP = np.empty((len(rows), min(_VALUES_AT_A_TIME, rows[0].size)), np.float32)
    for left in range(0, rows[0].size, _VALUES_AT_A_TIME):
        right = min(left + _VALUES_AT_A_TIME, rows[0].size)
        for level_P, row in zip(level_MP, rows, strict=True):
            level_P[: right - left] = row[left:right]
        np.matmul(weight_NM, level_MP[:, : right - left], out=mean_NP[:, left:right])
    return mean_NP
