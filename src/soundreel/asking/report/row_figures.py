"""Figures of rows with intervals: each video, each baseline, each part of a song, each measure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from soundreel.asking.report.interval_rows import Row, draw_rows, rows_height
from soundreel.asking.report.style import (
    AMBER,
    BLUE,
    INK,
    SMALL,
    SOFT,
    TEAL,
    Picture,
    Sheet,
    as_floats,
    picture,
    span_of,
)
from soundreel.asking.report.written import count, interval, plain, signed

#: More videos than these: the best, the middle and the worst twenty.
MOST_VIDEOS, _OF_EACH = 60, 20


def forest(
    names: Sequence[str],
    score_V: Sequence[float] | np.ndarray,
    low_V: Sequence[float] | np.ndarray | None,
    high_V: Sequence[float] | np.ndarray | None,
    pooled: float,
    pooled_low: float,
    pooled_high: float,
) -> Picture:
    """A row for each video, the best on top, and all of them together at the bottom.

    Of more than 60 videos: the 20 best, the 20 in the middle, the 20 worst, and how many are
    left out between them. low_V, high_V: None where single videos have no interval.

    Raises: ValueError unless there are as many scores as names, and at least one.
    """
    score_V = as_floats(score_V, "scores", len(names))
    unknown_V = np.full(len(names), np.nan)
    low_V = unknown_V if low_V is None else as_floats(low_V, "low", len(names))
    high_V = unknown_V if high_V is None else as_floats(high_V, "high", len(names))
    order_V = np.argsort(-score_V, kind="stable").tolist()
    each = zip(names, score_V.tolist(), low_V.tolist(), high_V.tolist(), strict=True)
    videos = [_video(*video) for video in each]
    rows: list[Row] = []
    last = 0
    for start, stop in _shown(len(names)):
        if start > last:
            rows.append(Row(f"… {count(start - last)} more …"))
        rows += [videos[v] for v in order_V[start:stop]]
        last = stop
    rows.append(Row("all videos", pooled, pooled_low, pooled_high, TEAL, strong=True))
    span = span_of(score_V, low_V, high_V, [pooled_low, pooled_high, 0.0], pad=0.04)

    def draw(sheet: Sheet) -> None:
        draw_rows(sheet, 6, rows, span, "how well sound predicts picture (correlation)")

    above = int((score_V > 0).sum())
    alt = (
        f"A row for each of {len(names)} videos with its score; {above} lie above 0. The best is "
        f"{signed(float(np.nanmax(score_V)), 2)}, the worst "
        f"{signed(float(np.nanmin(score_V)), 2)}; all together {signed(pooled)} "
        f"({interval(pooled_low, pooled_high)})."
    )
    return picture(draw, alt, rows_height(len(rows)) + 6)


def _shown(videos: int) -> list[tuple[int, int]]:
    if videos <= MOST_VIDEOS:
        return [(0, videos)]
    middle = (videos - _OF_EACH) // 2
    return [(0, _OF_EACH), (middle, middle + _OF_EACH), (videos - _OF_EACH, videos)]


def _video(name: str, score: float, low: float, high: float) -> Row:
    known = math.isfinite(low) and math.isfinite(high)
    return Row(name, score, low if known else None, high if known else None)


def skill_plot(
    baselines: Sequence[str],
    skill_K: Sequence[float] | np.ndarray,
    low_K: Sequence[float] | np.ndarray,
    high_K: Sequence[float] | np.ndarray,
) -> Picture:
    """How much smaller the model's error is than that of each simpler guess, as a share of it.

    Raises: ValueError unless there are as many of each, and at least one.
    """
    values = [as_floats(v, "skill", len(baselines)) for v in (skill_K, low_K, high_K)]
    rows = [
        Row(name, float(skill), float(low), float(high), TEAL if low > 0 else INK)
        for name, skill, low, high in zip(baselines, *values, strict=True)
    ]
    span = span_of(*values, [0.0], pad=0.05)

    def draw(sheet: Sheet) -> None:
        ends = ("" if sheet.narrow else "← the guess is nearer", "the model is nearer →")
        draw_rows(sheet, 24, rows, span, "skill: 1 would be no error at all", ends=ends)

    alt = "The model's skill against simpler guesses: " + "; ".join(
        f"{row.name} {signed(row.value or 0, 2)} ({interval(row.low or 0, row.high or 0, 2)})"
        for row in rows
    )
    return picture(draw, alt + ".", rows_height(len(rows)) + 24)


def attribution_plot(
    parts: Sequence[str],
    descriptors: Sequence[str],
    effect_PD: np.ndarray,
    band_low_PD: np.ndarray,
    band_high_PD: np.ndarray,
) -> Picture:
    """Which part of the song moves which quality of the picture, on what chance gives.

    Raises: ValueError unless all three are parts x descriptors.
    """
    shape = (len(parts), len(descriptors))
    grids = [np.asarray(grid, np.float64) for grid in (effect_PD, band_low_PD, band_high_PD)]
    if any(grid.shape != shape for grid in grids) or 0 in shape:
        raise ValueError(f"shapes {[g.shape for g in grids]}: give {shape} of each")
    rows, outside = [], []
    for p, part in enumerate(parts):
        rows.append(Row(part, strong=True))
        for d, descriptor in enumerate(descriptors):
            effect, low, high = (float(grid[p, d]) for grid in grids)
            beyond = not low <= effect <= high
            colour = AMBER if beyond else SOFT
            rows.append(Row(descriptor, effect, colour=colour, band=(low, high), indent=14))
            if beyond:
                outside.append(f"{part} on {descriptor} ({signed(effect, 2)})")
    span = span_of(*grids, [0.0], pad=0.05)

    def draw(sheet: Sheet) -> None:
        draw_rows(sheet, 6, rows, span, "effect; the bars: what chance gives")

    alt = "The effect of each part of the song on each quality of the picture. Beyond chance: "
    return picture(draw, alt + ("; ".join(outside) or "none") + ".", rows_height(len(rows)) + 6)


def sync_plot(
    names: Sequence[str],
    raw_K: Sequence[float] | np.ndarray,
    chance_K: Sequence[float] | np.ndarray,
    beyond_K: Sequence[float] | np.ndarray,
    low_K: Sequence[float] | np.ndarray,
    high_K: Sequence[float] | np.ndarray,
    pictures_per_second: float,
) -> Picture:
    """Measures of synchrony: the raw number, what chance gives at this rate, and what is left.

    beyond_K, low_K, high_K: raw less chance, and its interval.

    Raises: ValueError unless there are as many of each, and at least one.
    """
    length = len(names)
    raw_K, chance_K, beyond_K, low_K, high_K = (
        as_floats(v, "synchrony", length) for v in (raw_K, chance_K, beyond_K, low_K, high_K)
    )
    raws: list[Row] = []
    lefts: list[Row] = []
    for k, name in enumerate(names):
        raws.append(Row(name, float(raw_K[k]), colour=BLUE, band=(0.0, float(chance_K[k]))))
        colour = TEAL if low_K[k] > 0 else INK
        lefts.append(Row(name, float(beyond_K[k]), float(low_K[k]), float(high_K[k]), colour))
    height = rows_height(length) + 28

    def draw(sheet: Sheet) -> None:
        rate = f"{plain(pictures_per_second, 3).rstrip('0').rstrip('.')} pictures a second"
        sheet.text(8, 12, f"raw; the bars: chance at {rate}", color=SOFT, fontsize=SMALL)
        draw_rows(sheet, 28, raws, span_of(raw_K, chance_K, [0.0]), "raw", with_sign=False)
        sheet.text(8, height + 24, "what is left", color=SOFT, fontsize=SMALL)
        draw_rows(sheet, height + 40, lefts, span_of(low_K, high_K, [0.0]), "raw less chance")

    alt = "Synchrony, raw, by chance, and less chance: " + "; ".join(
        f"{name} {plain(raw_K[k], 2)}, {plain(chance_K[k], 2)}, {signed(beyond_K[k], 2)} "
        f"({interval(low_K[k], high_K[k], 2)})"
        for k, name in enumerate(names)
    )
    return picture(draw, alt + ".", 2 * height + 12)
