"""Events in time beside other events, many pairs of sequences at once.

Rows are ascending times in seconds, filled up with infinities. Shapes: R pairs of sequences, A
and E events in each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Times on the same grid that are a window apart come out so much further by rounding.
_ROUNDING_SECONDS = 1e-9


def padded(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Ascending sequences of any length as one array, infinities at the ends: R x longest."""
    x_RA = np.full((len(rows), max((len(row) for row in rows), default=0)), np.inf)
    for row, times in zip(x_RA, rows, strict=True):
        row[: len(times)] = times
    return x_RA


def matched_pairs(first_RA: np.ndarray, second_RE: np.ndarray, window_seconds: float) -> np.ndarray:
    """How many events of each pair of sequences can be matched, each with one: R, int64.

    Two events match if they lie no more than `window_seconds` apart. With one window for all, to
    match the earliest that can be is a maximum matching, so one walk along both is enough.
    """
    window = window_seconds + _ROUNDING_SECONDS
    rows = len(first_RA)
    # A last column that no event reaches: who stands there has arrived.
    first = np.concatenate([first_RA, np.full((rows, 1), np.inf)], axis=1)
    second = np.concatenate([second_RE, np.full((rows, 1), np.inf)], axis=1)
    matched_R = np.zeros(rows, np.int64)
    at, place, other = np.arange(rows), np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    while len(at):
        a, e = first[at, place], second[at, other]
        on = np.isfinite(a) & np.isfinite(e)
        if not on.all():
            at, place, other, a, e = at[on], place[on], other[on], a[on], e[on]
        pair = np.abs(a - e) <= window
        matched_R[at] += pair
        place += pair | (a < e)
        other += pair | (e < a)
    return matched_R


def nearest_distances(from_RE: np.ndarray, to_RA: np.ndarray) -> np.ndarray:
    """How far each event is from the nearest of the other sequence: R x E, infinite without one."""
    rows, width = to_RA.shape
    if width == 0 or from_RE.size == 0:
        return np.full(from_RE.shape, np.inf)
    # All rows on one line, far enough apart that none meets the next.
    finite = np.concatenate([x[np.isfinite(x)] for x in (from_RE, to_RA)])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    apart = 2 * (high - low) + 1
    line_R1 = np.arange(rows)[:, None] * apart - low
    past = (high - low) + apart / 4
    along = (np.where(np.isfinite(to_RA), to_RA, low + past) + line_R1).ravel()
    wanted_RE = np.where(np.isfinite(from_RE), from_RE, high) + line_R1
    after_RE = np.searchsorted(along, wanted_RE.ravel()).reshape(from_RE.shape)
    start_R1 = np.arange(rows)[:, None] * width
    nearest_RE = np.full(from_RE.shape, np.inf)
    for step in (-1, 0):
        column_RE = after_RE + step - start_R1
        there_RE = (column_RE >= 0) & (column_RE < width)
        to_RE = np.take_along_axis(to_RA, column_RE.clip(0, width - 1), axis=1)
        with np.errstate(invalid="ignore"):
            distance_RE = np.abs(to_RE - from_RE)
        distance_RE[~there_RE | ~np.isfinite(distance_RE)] = np.inf
        nearest_RE = np.minimum(nearest_RE, distance_RE)
    return nearest_RE
