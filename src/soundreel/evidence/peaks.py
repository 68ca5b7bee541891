"""Where a curve over time has its peaks: onsets of a sound, bursts of movement of a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def peaks(
    curve_T: Sequence[float] | np.ndarray,
    around: int = 12,
    distance: int = 1,
    least_spreads: float = 0.0,
) -> np.ndarray:
    """Where a curve has its peaks: indices, ascending, int64.

    A peak is higher than what lies before and after it (of a level top, the middle, rounded
    down; the first and the last value are none) and higher than the mean of the curve within
    `around` values on either side by `least_spreads` standard deviations of the whole curve. Of
    peaks nearer to each other than `distance` values the highest stays (of equals the first).

    Raises: ValueError if the curve is not one row of finite values, or `around` or `distance`
    is less than 1.
    """
    curve_T = np.asarray(curve_T, dtype=np.float64)
    if curve_T.ndim != 1 or not np.isfinite(curve_T).all():
        raise ValueError(f"a curve of shape {curve_T.shape}: one row of finite values is needed")
    if around < 1 or distance < 1:
        raise ValueError(f"around = {around}, distance = {distance}: at least 1 is needed")
    tops = _tops(curve_T)
    sums = np.concatenate([[0.0], np.cumsum(curve_T)])
    start, stop = (tops - around).clip(0), (tops + around + 1).clip(None, len(curve_T))
    local_mean = (sums[stop] - sums[start]) / (stop - start)
    spread = float(curve_T.std()) if len(curve_T) else 0.0
    high = tops[curve_T[tops] > local_mean + least_spreads * spread]
    kept = np.zeros(len(curve_T) + 1, dtype=bool)
    for top in high[np.argsort(-curve_T[high], kind="stable")]:
        if not kept[max(0, top - distance + 1) : top + distance].any():
            kept[top] = True
    return np.flatnonzero(kept)


def _tops(curve_T: np.ndarray) -> np.ndarray:
    """The middles of stretches of equal values that are higher than both neighbours."""
    if len(curve_T) < 3:
        return np.empty(0, np.int64)
    start = np.concatenate([[0], np.flatnonzero(np.diff(curve_T)) + 1])
    last = np.concatenate([start[1:], [len(curve_T)]]) - 1
    level = curve_T[start]
    top = np.flatnonzero((level[1:-1] > level[:-2]) & (level[1:-1] > level[2:])) + 1
    return (start[top] + last[top]) // 2
