"""Figures of cells: every song with every video, every quality of sound with every one of picture.

A cell's colour is amber above 0 and blue below, and the fainter the nearer to 0, so that nothing
stays of a cell that is 0, on a light screen and on a dark one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from soundreel.asking.report.style import (
    AMBER,
    BODY,
    GROUND,
    INK,
    LINE,
    NULL,
    SMALL,
    SOFT,
    Picture,
    Sheet,
    number_ticks,
    picture,
    span_of,
    text_width,
)
from soundreel.asking.report.written import plain, shortened, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ABOVE, _BELOW = (217, 125, 38), (70, 116, 204)
_STRONGEST = 0.82
#: More songs than these have no names beside them, and no frame around their own cell.
_NAMES_UP_TO, _FRAMES_UP_TO = 26, 40


def song_video_matrix(matrix_UV: np.ndarray, names: Sequence[str]) -> Picture:
    """How well each song predicts each video: where music matters, a diagonal shows.

    matrix_UV: row u, column v: the score of song u for video v. names: of the videos.

    Raises: ValueError unless it is square, with as many names, and at least two.
    """
    matrix_UV = np.asarray(matrix_UV, np.float64)
    videos = len(names)
    if matrix_UV.shape != (videos, videos) or videos < 2:
        raise ValueError(f"{matrix_UV.shape} cells, {videos} names: give a square of two or more")
    own_V = np.diagonal(matrix_UV)
    other_N = matrix_UV[~np.eye(videos, dtype=bool)]
    own, other = float(np.nanmean(own_V)), float(np.nanmean(other_N))
    first = int((own_V >= np.nanmax(matrix_UV, axis=0)).sum())
    largest = _largest(matrix_UV)
    named = videos <= _NAMES_UP_TO

    def draw(sheet: Sheet) -> None:
        names_room = (96 if sheet.narrow else 150) if named else 18
        side = min(sheet.width - names_room - 16, 330)
        left, top = 8 + names_room, 28
        axes = sheet.axes(left, top, side, side)
        _draw_cells(axes, matrix_UV, largest)
        if videos <= _FRAMES_UP_TO:
            for v in range(videos):
                _frame(axes, v, v, INK, 1.0)
        else:
            for edge in (-0.5, videos - 0.5):
                axes.plot([edge], [edge], "D", color=INK, markersize=7, clip_on=False)
        if named:
            height = side / videos
            size = min(SMALL, height * 0.95)
            for u, name in enumerate(names):
                said = shortened(name, int(names_room / (0.56 * size)))
                place = top + height * (u + 0.5)
                sheet.text(left - 6, place, said, ha="right", fontsize=size, color=SOFT)
        else:
            sheet.text(14, top + side / 2, "songs", rotation=90, color=SOFT, ha="center")
        sheet.text(left, 14, "videos, in the order of the songs →", color=SOFT, fontsize=SMALL)
        _draw_scale(sheet, left, top + side + 14, largest)
        if sheet.narrow:
            _draw_own_and_other(sheet, 8, top + side + 62, sheet.width - 16, own_V, other_N)
        else:
            start = left + side + 34
            _draw_own_and_other(sheet, start, 50, sheet.width - 8 - start, own_V, other_N)

    alt = (
        f"Every song with every of {videos} videos. A video's own song scores {signed(own)} on "
        f"average, other songs {signed(other)}. The own song is the best of all for {first} of "
        f"{videos} videos; by chance it would be for one."
    )
    side = min(350 - 16 - (96 if named else 18), 330)
    return picture(draw, alt, 28 + 330 + 44, 28 + side + 62 + 190)


def _draw_own_and_other(
    sheet: Sheet, left: float, top: float, width: float, own_V: np.ndarray, other_N: np.ndarray
) -> None:
    own, other = float(np.nanmean(own_V)), float(np.nanmean(other_N))
    sheet.text(left, top, f"own song: {signed(own)}", color=AMBER, weight="bold")
    sheet.text(left, top + 19, f"other songs: {signed(other)}", color=SOFT, weight="bold")
    axes = sheet.axes(left, top + 38, width, 104)
    span = span_of(own_V, other_N, [0.0])
    edges = np.linspace(*span, 31)
    counts, _ = np.histogram(other_N[np.isfinite(other_N)], edges)
    tallest = max(1, int(counts.max()))
    axes.stairs(counts, edges, fill=True, color=NULL, linewidth=0)
    axes.axvline(0, color=LINE, linewidth=1, zorder=0)
    axes.vlines(own_V, tallest * 1.08, tallest * 1.34, color=AMBER, linewidth=1.4)
    axes.plot(
        [own], [tallest * 1.21], "D", color=AMBER, markersize=9, markeredgecolor=GROUND, gid="own"
    )
    axes.set(xlim=span, ylim=(0, tallest * 1.36), yticks=[])
    number_ticks(axes, "x", 4, with_sign=True)


def heat_map(
    audio_names: Sequence[str],
    visual_names: Sequence[str],
    value_AP: np.ndarray,
    significant_AP: np.ndarray,
) -> Picture:
    """How each quality of the sound goes with each of the picture.

    significant_AP: bool, where it stands after Holm's correction; these are framed.

    Raises: ValueError unless both are audio names x visual names.
    """
    value_AP = np.asarray(value_AP, np.float64)
    significant_AP = np.asarray(significant_AP, bool)
    shape = (len(audio_names), len(visual_names))
    if value_AP.shape != shape or significant_AP.shape != shape or 0 in shape:
        raise ValueError(f"{value_AP.shape} and {significant_AP.shape} cells: give {shape}")
    largest = _largest(value_AP)
    longest = max(len(shortened(name, 18)) for name in visual_names)
    head = int(16 + 0.46 * BODY * longest)
    row_height = 27

    def draw(sheet: Sheet) -> None:
        names_room = min(
            104 if sheet.narrow else 190, max(text_width(name, SMALL) for name in audio_names) + 10
        )
        tilt_room = 24 if sheet.narrow else 60
        left = 8 + names_room
        cell = min(66.0, (sheet.width - left - tilt_room) / shape[1])
        axes = sheet.axes(left, head, cell * shape[1], row_height * shape[0])
        _draw_cells(axes, value_AP, largest)
        size = min(SMALL, cell / (0.62 * (4 if cell < 40 else 5)))
        for (a, p), value in np.ndenumerate(value_AP):
            strong = bool(significant_AP[a, p])
            if strong:
                _frame(axes, p, a, INK, 1.8)
            if np.isfinite(value) and size >= 7:
                said = signed(value, 2)
                said = said if cell >= 40 else said.replace("0.", ".", 1).replace("+", "")
                style: Any = {"color": INK, "weight": "bold"} if strong else {"color": SOFT}
                axes.text(p, a, said, ha="center", va="center", fontsize=size, **style)
        for a, name in enumerate(audio_names):
            said = shortened(name, int((names_room - 6) / (0.56 * SMALL)))
            place = head + row_height * (a + 0.5)
            sheet.text(left - 8, place, said, ha="right", fontsize=SMALL)
        for p, name in enumerate(visual_names):
            sheet.text(
                left + cell * (p + 0.42),
                head - 6,
                shortened(name, 18),
                rotation=40,
                rotation_mode="anchor",
                ha="left",
                va="baseline",
                fontsize=SMALL,
            )
        bottom = head + row_height * shape[0]
        _draw_scale(sheet, left, bottom + 14, largest)
        said = "framed: stands after correction for all cells"
        start = 8 if sheet.narrow else left
        sheet.text(start, bottom + 58, said, color=SOFT, fontsize=SMALL)

    standing = [
        f"{audio_names[a]} with {visual_names[p]} ({signed(float(value_AP[a, p]), 2)})"
        for a, p in np.argwhere(significant_AP)
    ]
    alt = (
        f"{shape[0]} qualities of the sound with {shape[1]} of the picture. After correction "
        f"for all {value_AP.size}, {len(standing)} stand: {'; '.join(standing) or 'none'}."
    )
    return picture(draw, alt, head + row_height * shape[0] + 72)


def _largest(values: np.ndarray) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0


def _shade(values: np.ndarray, largest: float) -> np.ndarray:
    """Colours with an opacity. Shape: ... -> ... x 4, uint8."""
    known = np.nan_to_num(values)
    colour = np.where((known > 0)[..., None], _ABOVE, _BELOW)
    opacity = 255 * _STRONGEST * np.clip(np.abs(known) / largest, 0, 1)
    return np.concatenate([colour, opacity[..., None]], -1).round().astype(np.uint8)


def _draw_cells(axes: Axes, values: np.ndarray, largest: float) -> None:
    rows, columns = values.shape
    axes.imshow(_shade(values, largest), interpolation="none", aspect="auto", gid="cells")
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    axes.spines[:].set(color=LINE, linewidth=1)


def _frame(axes: Axes, column: int, row: int, colour: str, width: float) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=colour, linewidth=width, zorder=3
        )
    )


def _draw_scale(sheet: Sheet, left: float, top: float, largest: float) -> None:
    """What the colours mean: from -largest to +largest."""
    axes = sheet.axes(left, top, 132, 9)
    ramp = np.linspace(-largest, largest, 45)[None]
    axes.imshow(_shade(ramp, largest), interpolation="none", aspect="auto", extent=(-1, 1, 0, 1))
    axes.set(yticks=[])
    digits = 2 if largest >= 0.05 else 3
    axes.set_xticks([-1, 0, 1], [signed(-largest, digits), plain(0, 0), signed(largest, digits)])
    axes.spines[:].set(visible=True, color=LINE, linewidth=1)
