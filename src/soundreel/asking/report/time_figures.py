"""Figures over time: how the link changes with the lag, and where cuts lie beside the beats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from soundreel.asking.report.style import (
    AMBER,
    INK,
    LINE,
    NULL,
    SHADE,
    SMALL,
    SOFT,
    Picture,
    Sheet,
    as_floats,
    number_ticks,
    picture,
    span_of,
    text_width,
)
from soundreel.asking.report.written import count, share, signed

Band = float | Sequence[float] | np.ndarray


def lag_plot(
    lags_seconds: Sequence[float] | np.ndarray,
    curve_L: Sequence[float] | np.ndarray,
    band_low: Band,
    band_high: Band,
    pointwise_low: Band | None = None,
    pointwise_high: Band | None = None,
    *,
    quantity: str = "correlation",
) -> Picture:
    """The link at every lag; a positive lag: the picture comes after the sound.

    band_*: the simultaneous band of the null: 95% of curves by chance lie in it at all lags.
    pointwise_*: the band of one lag by itself.

    Raises: ValueError unless there are as many values as lags, and at least one.
    """
    lags = 1000 * as_floats(lags_seconds, "lags", None)
    curve_L = as_floats(curve_L, "curve", len(lags))
    low, high, inner_low, inner_high = (
        None if band is None else np.broadcast_to(np.asarray(band, np.float64), lags.shape)
        for band in (band_low, band_high, pointwise_low, pointwise_high)
    )
    assert low is not None
    assert high is not None
    best = int(np.argmax(curve_L))
    outside = float(((curve_L > high) | (curve_L < low)).mean())
    said = f"{signed(float(curve_L[best]))}, {_when(float(lags[best]))}"

    def draw(sheet: Sheet) -> None:
        left, width = 52, sheet.width - 68
        axes = sheet.axes(left, 34, width, 190)
        axes.fill_between(lags, low, high, color=SHADE, linewidth=0, gid="band")
        if inner_low is not None and inner_high is not None:
            axes.fill_between(lags, inner_low, inner_high, color=LINE, linewidth=0)
        axes.axhline(0, color=NULL, linewidth=1)
        axes.axvline(0, color=NULL, linewidth=1)
        axes.plot(lags, curve_L, color=AMBER, linewidth=2.2, gid="curve")
        axes.plot(lags[best], curve_L[best], "o", color=AMBER, markersize=8, gid="best")
        axes.set_xlim(lags.min(), lags.max() + (lags.max() == lags.min()))
        axes.set_ylim(*span_of(curve_L, low, high, [0.0], pad=0.1))
        number_ticks(axes, "x", 5 if sheet.narrow else 9, with_sign=True)
        number_ticks(axes, "y", 5, with_sign=True)
        share_along = (lags[best] - lags.min()) / max(float(np.ptp(lags)), 1e-9)
        place = sheet.inside(left + width * share_along, said)
        sheet.text(place, 16, said, color=AMBER, weight="bold", ha="center")
        sheet.text(left, 256, "← picture first", color=SOFT)
        sheet.text(sheet.width - 16, 256, "sound first →", color=SOFT, ha="right")
        unit = "ms" if sheet.narrow else "lag in milliseconds"
        sheet.text(left + width / 2, 256, unit, color=SOFT, ha="center")
        key = "shaded: where 95 % of curves by chance stay"
        if not sheet.narrow:
            key += " at all lags at once"
            key += "; darker: at one lag by itself" if inner_low is not None else ""
        sheet.text(left, 278, key, color=SOFT, fontsize=SMALL)

    alt = (
        f"The {quantity} of sound and picture over lags from {lags.min():.0f} to "
        f"{lags.max():.0f} milliseconds. It is largest at {said}. "
        f"{share(outside)} of the curve lies outside of the band of chance."
    )
    return picture(draw, alt, 290)


def _when(lag: float) -> str:
    if round(lag) == 0:
        return "at the same time"
    return f"picture {abs(lag):.0f} ms {'after' if lag > 0 else 'before'} sound"


def cut_lags(
    edges_seconds: Sequence[float] | np.ndarray,
    counts: Sequence[float] | np.ndarray,
    null_low: Band,
    null_high: Band,
) -> Picture:
    """Where cuts lie beside the nearest beat; negative: the cut comes before the beat.

    edges_seconds: of the E bins, E + 1. counts: E cuts. null_*: E, where 95% of counts lie if
    cuts know nothing of the beat.

    Raises: ValueError unless there is one more edge than counts.
    """
    edges = 1000 * as_floats(edges_seconds, "edges", len(counts) + 1)
    counts = as_floats(counts, "counts", None)
    low, high = (np.broadcast_to(np.asarray(b, float), counts.shape) for b in (null_low, null_high))
    many = counts > high
    height = float(max(counts.max(), high.max(), 1.0)) * 1.1

    def draw(sheet: Sheet) -> None:
        left, width = 46, sheet.width - 62
        axes = sheet.axes(left, 34, width, 170)
        for place, number in enumerate(counts):
            axes.bar(
                edges[place],
                number,
                0.92 * (edges[place + 1] - edges[place]),
                color=AMBER if many[place] else NULL,
                align="edge",
                gid=f"bar-{place}",
            )
        axes.stairs(high, edges, baseline=low, fill=True, color=INK, alpha=0.13, linewidth=0)
        axes.stairs(high, edges, color=SOFT, linewidth=1.3, gid="null-high", baseline=None)
        axes.axvline(0, color=INK, linewidth=1.2)
        axes.set(xlim=(edges[0], edges[-1]), ylim=(0, height))
        number_ticks(axes, "x", 5 if sheet.narrow else 9, with_sign=True)
        number_ticks(axes, "y", 4)
        middle = left + width * (0 - edges[0]) / (edges[-1] - edges[0])
        sheet.text(sheet.inside(middle, "the beat"), 20, "the beat", ha="center", weight="bold")
        sheet.text(left - 38, 20, "cuts", color=SOFT)
        sheet.text(left, 236, "← cut first", color=SOFT)
        sheet.text(sheet.width - 16, 236, "beat first →", color=SOFT, ha="right")
        unit = "ms" if sheet.narrow else "milliseconds to the nearest beat"
        sheet.text(left + width / 2, 236, unit, color=SOFT, ha="center")
        key = "shaded: where 95 % of counts by chance lie; amber: more than that"
        if text_width(key, SMALL) > width:
            key = "shaded: by chance; amber: more than that"
        sheet.text(left, 258, key, color=SOFT, fontsize=SMALL)

    peak = int(np.argmax(counts))
    alt = (
        f"{count(int(counts.sum()))} cuts by their distance to the nearest beat. Most, "
        f"{count(int(counts[peak]))}, lie from {signed(edges[peak], 0)} to "
        f"{signed(edges[peak + 1], 0)} milliseconds. "
        f"{int(many.sum())} of {len(counts)} bars are higher than chance gives."
    )
    return picture(draw, alt, 270)
