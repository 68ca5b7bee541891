"""Figures of trust: does the test cry wolf, and what can it find? From corpora of planted truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from soundreel.asking.report.interval_rows import Row, draw_rows, rows_height
from soundreel.asking.report.style import (
    AMBER,
    BLUE,
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
)
from soundreel.asking.report.written import count, plain, share, signed
from soundreel.evidence.proportion import binomial_interval


def calibration(
    p_values: Sequence[float] | np.ndarray,
    rejections_by_switch: Mapping[str, tuple[int, int]],
    alpha: float = 0.05,
    most: float = 0.07,
) -> Picture:
    """What the test says of corpora without any link: it should say yes in alpha of them.

    p_values: of corpora without a link. rejections_by_switch: what makes them hard -> (how many
    of them were called linked, of how many). most: the rate that still passes.

    Raises: ValueError if there are no p-values.
    """
    sorted_N = np.sort(as_floats(p_values, "p-values", None))
    number = len(sorted_N)
    expected_N = (np.arange(number) + 0.5) / number
    # Dvoretzky-Kiefer-Wolfowitz: all of the curve stays within it in 95% of cases.
    margin = math.sqrt(math.log(2 / 0.05) / (2 * number))
    rows = [_rate_row(name, hits, of, most) for name, (hits, of) in rejections_by_switch.items()]
    below = float((sorted_N <= alpha).mean())
    rates_top = 296
    tallest = rates_top + 26 + rows_height(len(rows))

    def draw(sheet: Sheet) -> None:
        sheet.text(8, 12, "p-values where there is no link", fontsize=HEADING, weight="bold")
        side = 190
        axes = sheet.axes(44, 34, side, side)
        axes.fill_between([0, 1], [-margin, 1 - margin], [margin, 1 + margin], color=SHADE, lw=0)
        axes.plot([0, 1], [0, 1], color=NULL, linewidth=1.2)
        axes.axvline(alpha, color=LINE, linewidth=1)
        line = np.linspace(0, number - 1, min(number, 400)).round().astype(int)
        axes.plot(expected_N[line], sorted_N[line], color=AMBER, linewidth=2.2, gid="qq")
        axes.set(xlim=(0, 1), ylim=(0, 1))
        number_ticks(axes, "x", 5)
        number_ticks(axes, "y", 5)
        sheet.text(44 + side / 2, 34 + side + 30, "expected", color=SOFT, ha="center")
        said = (
            f"{count(number)} corpora without a link,",
            f"{share(below, 1)} of them below {plain(alpha, 2)}.",
            "An honest test follows the line;",
            "shaded: where chance leaves it.",
        )
        for place, line_said in enumerate(said):
            at = (260, 60 + 19 * place) if not sheet.narrow else (8, 280 + 19 * place)
            sheet.text(*at, line_said, color=INK if place < 2 else SOFT)
        if not rows:
            return
        top = rates_top + (78 if sheet.narrow else 0)
        said = f"how often it says yes; {plain(alpha, 2)} is right, {plain(most, 2)} may pass"
        if sheet.narrow:
            said = f"how often it says yes (right: {plain(alpha, 2)})"
        sheet.text(8, top, said, fontsize=HEADING, weight="bold")
        high = max(0.12, *(row.high or 0 for row in rows)) * 1.03
        draw_rows(
            sheet,
            top + 20,
            rows,
            (0, high),
            "share called linked",
            with_sign=False,
            marks=((alpha, TEAL), (most, ROSE)),
        )

    alt = (
        f"Of {count(number)} corpora without a link {share(below, 1)} have a p-value of "
        f"{plain(alpha, 2)} or less. By what makes them hard: "
        + "; ".join(f"{row.name} {share(row.value or 0, 1)}" for row in rows)
    )
    return picture(draw, alt + ".", tallest, tallest + 78)


def _rate_row(name: str, hits: int, of: int, most: float) -> Row:
    low, high = binomial_interval(hits, of)
    rate = hits / of if of else float("nan")
    said = f"{count(hits)} of {count(of)}"
    return Row(name, rate, low, high, ROSE if rate > most else INK, said=said)


def power_curve(
    couplings: Sequence[float] | np.ndarray,
    power_K: Sequence[float] | np.ndarray,
    low_K: Sequence[float] | np.ndarray,
    high_K: Sequence[float] | np.ndarray,
    score_mean_K: Sequence[float] | np.ndarray,
    observed_score: float | None,
) -> Picture:
    """How often a planted link is found, by how strong it was planted; and what was observed.

    couplings: ascending. score_mean_K: what such couplings score on average: with it the
    observed score is placed among them, where it lies within.

    Raises: ValueError unless there are as many of each, and at least one.
    """
    coupling_K = as_floats(couplings, "couplings", None)
    power_K, low_K, high_K, score_K = (
        as_floats(v, "power", len(coupling_K)) for v in (power_K, low_K, high_K, score_mean_K)
    )
    observed = _coupling_of(observed_score, coupling_K, score_K)

    def draw(sheet: Sheet) -> None:
        left, width = 46, sheet.width - 62
        axes = sheet.axes(left, 40, width, 180)
        axes.axhline(0.8, color=NULL, linewidth=1, linestyle=(0, (2, 3)))
        axes.fill_between(coupling_K, low_K, high_K, color=BLUE, alpha=0.18, linewidth=0)
        axes.plot(coupling_K, power_K, "o-", color=BLUE, linewidth=2, markersize=6, gid="power")
        span = (float(coupling_K[0]), float(coupling_K[-1]))
        room = max(0.02 * (span[1] - span[0]), 0.005)
        axes.set(xlim=(span[0] - room, span[1] + room), ylim=(0, 1.03))
        axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1], ["0", "20 %", "40 %", "60 %", "80 %", "100 %"])
        shown = np.unique(np.linspace(0, len(coupling_K) - 1, 4 if sheet.narrow else 9).astype(int))
        axes.set_xticks(coupling_K[shown], [plain(c, 2) for c in coupling_K[shown].tolist()])
        reach = span[1] - span[0] + 2 * room
        for k in shown.tolist():
            place = left + width * (float(coupling_K[k]) - span[0] + room) / reach
            sheet.text(
                place, 252, plain(float(score_K[k]), 3), ha="center", fontsize=SMALL, color=SOFT
            )
        said = "above: the planted coupling; below: its score"
        sheet.text(sheet.inside(left + width / 2, said), 274, said, color=SOFT, ha="center")
        sheet.text(8, 14, "found", color=SOFT)
        if observed is not None:
            axes.axvline(observed, color=AMBER, linewidth=2.2, gid="observed")
            said = f"observed {signed(observed_score or 0)}"
            place = left + width * (observed - span[0] + room) / reach
            at = sheet.inside(place, said)
            sheet.text(at, 28, said, color=AMBER, weight="bold", ha="center")

    alt = "How often a planted link is found: " + "; ".join(
        f"coupling {plain(c, 2)} (score {plain(s, 3)}) {share(p)}"
        for c, s, p in zip(coupling_K, score_K, power_K, strict=True)
    )
    if observed is not None:
        alt += f". The observed score {signed(observed_score or 0)} is that of {plain(observed, 2)}"
    return picture(draw, alt + ".", 288)


def _coupling_of(score: float | None, coupling_K: np.ndarray, score_K: np.ndarray) -> float | None:
    """The coupling whose mean score it is; None where it lies beyond all of them."""
    if score is None or not np.isfinite(score):
        return None
    rising_K = np.maximum.accumulate(score_K)
    if not rising_K[0] <= score <= rising_K[-1]:
        return None
    return float(np.interp(score, rising_K, coupling_K))
