"""Black bars beside a film's picture: letterbox, pillarbox and both at once, found over a clip.

A bar is told from a scene that is dark at its border by two things: it stays dark in every
picture of the clip, and the picture begins behind it at once, along a straight line. What shows
in a bar only here and there, a subtitle or a station's logo, does not hide it.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

import numpy as np

#: How wide the pictures for `letterbox` should be, in pixels (height in the film's shape): a bar
#: is then found to 1/320 of the width, and 60 pictures of a film take 3 MB.
ANALYSIS_WIDTH = 320

_DARK = 24  # of 255: black, and what encoders make of black
_WIDE = 0.5  # of a row: light as wide as this, once, is picture
_SPARSE = 0.1  # of a row: less light than this is a speck, a logo, or what an encoder spills
_RARE = 0.25  # of the pictures that show light: what a subtitle or a logo may come in
_STEP = 16  # of 255: how much lighter the picture is than the bar, within _REACH rows
_REACH = 3  # rows: an edge is blurred by scaling, by the encoder, and may lie between two rows
_STRAIGHT = 0.6  # of the edge's length: where that step must be
_GUESS = 0.1  # of a row or column: light that counts for a first guess; a logo is smaller
_THINNEST = 0.015  # of the side: thinner bars are left as they are
_LEAST_PICTURE = 0.2  # of the side: what must remain


class Bars(NamedTuple):
    """Shares of the shown picture's height (top, bottom) and width (left, right) to cut off.

    Each is 0 (no bar) to less than 1; goes as it is into `Fit(crop=...)`.
    """

    top: Fraction
    bottom: Fraction
    left: Fraction
    right: Fraction


NO_BARS = Bars(Fraction(0), Fraction(0), Fraction(0), Fraction(0))


def letterbox(pictures: Iterable[np.ndarray]) -> Bars:
    """The bars that a clip keeps from beginning to end.

    pictures: some 8 to 60 pictures from the whole clip, each H x W x 3 uint8 RGB, all of one
    size, about ANALYSIS_WIDTH wide; black ones and fades among them do no harm.

    The shares lie one analysis pixel further inside than the bar's edge, so that no dark line
    remains. Bars of less than 1.5% of the side count as none, so does a bar without one opposite
    to it (which may be of another size), and so does everything where no
    picture shows light. What shows in a bar is part of it if it covers at most a tenth of the
    bar's length (a logo), or less than half of it in at most a quarter of the pictures
    (subtitles).

    Raises: ValueError if the pictures differ in size.
    """
    lumas = [_luma(picture_HW3) for picture_HW3 in pictures]
    if len({luma_HW.shape for luma_HW in lumas}) > 1:
        raise ValueError("the pictures for letterbox() must have one size")
    lit = [luma_HW for luma_HW in lumas if (luma_HW > _DARK).any()]
    if not lit:
        return NO_BARS
    luma_NHW = np.stack(lit)
    height, width = luma_NHW.shape[1:]
    # In a windowbox a row of picture is lit only between the side bars, so each pair of bars is
    # looked for within the other, from a first guess inwards.
    guess_rows, guess_columns = _lit_box(luma_NHW)
    rows, columns = guess_rows, guess_columns
    for _ in range(2):
        rows = _span(luma_NHW[:, :, _within(columns, guess_columns)])
        columns = _span(luma_NHW[:, _within(rows, guess_rows)].transpose(0, 2, 1))
    return Bars(*_shares(rows, height), *_shares(columns, width))


def _luma(picture_HW3: np.ndarray) -> np.ndarray:
    """The largest of a pixel's three channels: deep blue is light, not a bar."""
    return picture_HW3.max(axis=2)


def _lit_box(luma_NHW: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    """The rows and the columns (first, end) that hold nearly all light of all pictures."""
    lit_HW = luma_NHW.max(axis=0) > _DARK
    spans = []
    for across in (1, 0):
        places = np.flatnonzero(lit_HW.mean(axis=across) >= _GUESS)
        span = (
            (int(places[0]), int(places[-1]) + 1) if len(places) else (0, lit_HW.shape[1 - across])
        )
        spans.append(span)
    return spans[0], spans[1]


def _within(span: tuple[int, int], guess: tuple[int, int]) -> slice:
    return slice(max(span[0], guess[0]), min(span[1], guess[1]))


def _span(luma_NHW: np.ndarray) -> tuple[int, int]:
    """The rows (first, end) between a top and a bottom bar; (0, H) unless there are both.

    Bars come in pairs: a single one is a dark wall beside a scene, as in a talk before a curtain.
    """
    height = luma_NHW.shape[1]
    share_NH = (luma_NHW > _DARK).mean(axis=2)
    is_wide_H = (share_NH >= _WIDE).any(axis=0)
    is_lit_H = (share_NH > 0).any(axis=0)
    # Often lit, though sparsely, is picture too: a figure before a black ground.
    is_picture_H = is_wide_H | ((share_NH > _SPARSE).mean(axis=0) > _RARE)
    brightest_HW = luma_NHW.max(axis=0)
    # What three quarters of the pictures do not exceed: a bar without what shows in it rarely.
    usual_HW = np.quantile(luma_NHW, 1 - _RARE, axis=0, method="lower")
    first = _edge(is_picture_H, is_lit_H, brightest_HW, usual_HW)
    end = height - _edge(is_picture_H[::-1], is_lit_H[::-1], brightest_HW[::-1], usual_HW[::-1])
    is_pair = first > 0 and end < height
    return (first, end) if is_pair and end - first >= _LEAST_PICTURE * height else (0, height)


def _edge(
    is_picture_H: np.ndarray,
    is_lit_H: np.ndarray,
    brightest_HW: np.ndarray,
    usual_HW: np.ndarray,
) -> int:
    """How many rows at the top are a bar: those before the picture, or before any light at all."""
    for mask_H in (is_picture_H, is_lit_H):
        count = int(mask_H.argmax())
        if mask_H.any() and count >= _THINNEST * len(mask_H):
            outside_W = usual_HW[max(0, count - _REACH)].astype(int)
            inside_W = brightest_HW[count : count + _REACH].max(axis=0)
            if (inside_W >= outside_W + _STEP).mean() >= _STRAIGHT:
                return count
    return 0


def _shares(span: tuple[int, int], count: int) -> tuple[Fraction, Fraction]:
    """What to cut off before and after `span`, in shares of `count`, one pixel more than dark."""
    before, after = span[0], count - span[1]
    return (
        Fraction(before + 1 if before else 0, count),
        Fraction(after + 1 if after else 0, count),
    )
