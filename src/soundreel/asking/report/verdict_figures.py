"""Figures of the verdict: where the effect lies, and what chance alone gives."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from soundreel.asking.report.style import (
    AMBER,
    BLUE,
    BODY,
    HEADING,
    INK,
    LINE,
    NULL,
    ROSE,
    SHADE,
    SMALL,
    SOFT,
    TEAL,
    Picture,
    Sheet,
    as_floats,
    number_ticks,
    picture,
    span_of,
)
from soundreel.asking.report.written import count, interval, p_value, plain, signed

_COLOURS = {"YES": TEAL, "USES THE MUSIC": TEAL, "UNDECIDED": BLUE, "INVALID": ROSE}


def verdict_strip(
    effect: float,
    low: float,
    high: float,
    delta: float,
    mde80: float,
    verdict: str,
    what: str = "its own song, less another video's song (correlation)",
) -> Picture:
    """The effect and its interval on one line, with all that they are judged by.

    low, high: the 95% interval. delta: the smallest effect that matters; the band from -delta to
    delta is shaded. mde80: the effect that would be found four times out of five.
    what: the words below the axis.
    """
    colour = _COLOURS.get(verdict.upper(), AMBER)

    def draw(sheet: Sheet) -> None:
        axes = sheet.axes(8, 44, sheet.width - 16, 66)
        span = span_of([effect, low, high, -delta, delta, mde80, 0.0])
        axes.set(xlim=span, ylim=(0, 1), yticks=[])
        number_ticks(axes, "x", 5 if sheet.narrow else 9, with_sign=True)
        if delta > 0:
            axes.axvspan(-delta, delta, color=SHADE, linewidth=0, zorder=0, gid="delta")
        axes.axvline(0, color=NULL, linewidth=1.2, zorder=1)
        axes.plot([low, high], [0.6] * 2, color=colour, linewidth=5, alpha=0.45, gid="interval")
        axes.plot([effect], [0.6], "o", color=colour, markersize=13, gid="effect")
        axes.vlines(effect, 0.6, 1.22, color=colour, linewidth=1, alpha=0.7, clip_on=False)
        said = f"effect {signed(effect)}, 95 % interval {interval(low, high)}"
        if sheet.narrow:
            said = f"{signed(effect)}  ({interval(low, high)})"
        pixel = 8 + (sheet.width - 16) * (effect - span[0]) / (span[1] - span[0])
        place = sheet.inside(pixel, said, HEADING) if math.isfinite(effect) else sheet.width / 2
        sheet.text(place, 16, said, color=colour, ha="center", fontsize=HEADING, weight="bold")
        sheet.text(sheet.width / 2, 146, what, color=SOFT, ha="center")
        if math.isfinite(mde80):
            axes.plot([mde80], [0.14], "^", color=INK, markersize=8, gid="mde80", clip_on=False)
            said = "found" if sheet.narrow else "an effect as large would be found"
            _key(sheet, 172, "^", INK, f"{signed(mde80)}: {said} 4 times out of 5")
        if delta > 0:
            _key(sheet, 193, "s", SHADE, f"within {plain(delta, 2)} of 0: too small to matter")

    alt = (
        f"{verdict}. The effect is {signed(effect)}, its 95 % interval {interval(low, high)}. "
        f"Effects within {plain(delta, 3)} of 0 are too small to matter; an effect of "
        f"{signed(mde80)} would be found four times out of five."
    )
    return picture(draw, alt, 208)


def _key(sheet: Sheet, top: float, marker: str, colour: str, said: str) -> None:
    """A mark and what it means."""
    from matplotlib.lines import Line2D

    sheet.figure.add_artist(
        Line2D(
            [16 / sheet.width],
            [1 - top / sheet.height],
            marker=marker,
            color=colour,
            markersize=8 if marker == "^" else 12,
            linewidth=0,
            markeredgecolor=INK if marker == "^" else NULL,
        )
    )
    sheet.text(30, top, said, color=SOFT)


def null_histograms(
    observed: float,
    swap_null_B: Sequence[float] | np.ndarray,
    shift_null_B: Sequence[float] | np.ndarray,
    p_swap: float,
    p_shift: float,
) -> Picture:
    """What came out, on what comes out where the link is broken on purpose, in both ways.

    swap_null_B, shift_null_B: the statistic where songs are swapped between videos, and where the
    music is shifted within its video.

    Raises: ValueError if a null has no draws.
    """
    nulls = [as_floats(swap_null_B, "swap null", None), as_floats(shift_null_B, "shift null", None)]
    titles = ("songs swapped between the videos", "music shifted in time")
    p_values = (p_swap, p_shift)
    low, high = span_of([observed], *nulls, pad=0.08)
    # What was observed is an edge: bars are as large or they are not.
    step = (high - low) / 60
    edges = observed + step * np.arange(
        math.floor((low - observed) / step), math.ceil((high - observed) / step) + 1
    )

    def draw(sheet: Sheet) -> None:
        width = sheet.width - 16 if sheet.narrow else (sheet.width - 56) / 2
        for place, (null_B, title, p) in enumerate(zip(nulls, titles, p_values, strict=True)):
            left, top = (8, place * 226) if sheet.narrow else (8 + place * (width + 40), 0)
            at_least = _as_large(p, len(null_B))
            sheet.text(left, top + 12, title, fontsize=HEADING, weight="bold")
            said = f"p = {p_value(p)}: {count(at_least)} of {count(len(null_B))} came out as large"
            sheet.text(left, top + 31, said, color=SOFT)
            axes = sheet.axes(left, top + 62, width, 124)
            counts, _ = np.histogram(null_B, edges)
            axes.stairs(counts, edges, fill=True, color=NULL, linewidth=0)
            beyond = np.where(edges[:-1] >= observed, counts, 0)
            axes.stairs(beyond, edges, fill=True, color=AMBER, linewidth=0)
            axes.set(xlim=(low, high), ylim=(0, max(1, counts.max()) * 1.08), yticks=[])
            number_ticks(axes, "x", 5, with_sign=True)
            axes.axvline(0, color=LINE, linewidth=1, zorder=0)
            axes.axvline(observed, color=AMBER, linewidth=2.2, gid=f"observed-{place}")
            said = f"observed {signed(observed)}"
            pixel = left + width * (observed - low) / (high - low)
            right = pixel > left + width / 2
            sheet.text(
                pixel + (3 if right else -3),
                top + 52,
                said,
                color=AMBER,
                ha="right" if right else "left",
                weight="bold",
                fontsize=BODY,
            )
        said = "how well sound predicts picture (correlation); amber: as large as observed"
        if sheet.narrow:
            said = "correlation; amber: as large as observed"
        sheet.text(8, sheet.height - 10, said, color=SOFT, fontsize=SMALL)

    alt = (
        f"Two histograms of what chance gives, with the observed {signed(observed)} marked. "
        f"Songs swapped between the videos: p = {p_value(p_swap)}, middle "
        f"{signed(float(np.median(nulls[0])))}. Music shifted in time: p = {p_value(p_shift)}, "
        f"middle {signed(float(np.median(nulls[1])))}."
    )
    return picture(draw, alt, 232, 458)


def _as_large(p: float, draws: int) -> int:
    """How many draws were as large, from p = (1 + number) / (1 + draws)."""
    return max(0, round(p * (1 + draws)) - 1)
