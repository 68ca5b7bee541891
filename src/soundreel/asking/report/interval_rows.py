"""A row for each thing with a dot and its interval: videos, baselines, parts of a song."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from soundreel.asking.report.style import (
    BODY,
    INK,
    NULL,
    SHADE,
    SMALL,
    SOFT,
    Sheet,
    number_ticks,
    text_width,
)
from soundreel.asking.report.written import plain, shortened, signed

ROW_HEIGHT = 19
#: Below the rows: ticks, and what the axis is.
FOOT_HEIGHT = 50


@dataclass(frozen=True)
class Row:
    """A row. value None: a heading, or what is left out; low and high may be None.

    band: what chance gives, (low, high), drawn behind. indent: of its name, in pixels.
    said: what is written at the right; "": the value.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    colour: str = INK
    strong: bool = False
    band: tuple[float, float] | None = None
    indent: int = 0
    said: str = ""


def draw_rows(
    sheet: Sheet,
    top: float,
    rows: Sequence[Row],
    span: tuple[float, float],
    axis_name: str,
    *,
    most_name: float | None = None,
    ends: tuple[str, str] | None = None,
    with_sign: bool = True,
    marks: Sequence[tuple[float, str]] = (),
) -> None:
    """Draw rows from `top` down: names at the left, dots in the middle, numbers at the right.

    span: of the axis. ends: what the left and the right of zero mean, written above.
    marks: (level, colour) of dashed lines. most_name: pixels for the names, at most.
    It takes ROW_HEIGHT for each row and FOOT_HEIGHT.
    """
    most_name = most_name or (128 if sheet.narrow else 230)
    room = min(most_name, max(text_width(row.name) + row.indent for row in rows) + 8)
    value_room = 18 + max(40.0, *(text_width(row.said) for row in rows))
    left, width = 8 + room, sheet.width - 16 - room - value_room
    axes = sheet.axes(left, top, width, ROW_HEIGHT * len(rows))
    axes.set(xlim=span, ylim=(len(rows) - 0.5, -0.5), yticks=[])
    number_ticks(axes, "x", 4 if sheet.narrow else 7, with_sign=with_sign)
    axes.axvline(0, color=NULL, linewidth=1.2, zorder=0)
    for level, colour in marks:
        axes.axvline(level, color=colour, linewidth=1.2, linestyle=(0, (2, 2)), zorder=0)
    write = signed if with_sign else plain
    for place, row in enumerate(rows):
        middle = top + ROW_HEIGHT * (place + 0.5)
        style = {"weight": "bold"} if row.strong else {}
        name = shortened(row.name, int((room - row.indent) / (0.54 * BODY)))
        colour = SOFT if row.value is None and not row.strong else INK
        sheet.text(8 + row.indent, middle, name, color=colour, **style)
        if row.strong and row.low is not None and row.high is not None:
            axes.axvspan(row.low, row.high, color=row.colour, alpha=0.1, linewidth=0, zorder=0)
        if row.band is not None:
            start, stop = row.band
            axes.barh(place, stop - start, 0.62, start, color=SHADE, edgecolor=NULL, linewidth=0.6)
        if row.value is None:
            continue
        if row.low is not None and row.high is not None:
            axes.plot(
                [row.low, row.high],
                [place] * 2,
                color=row.colour,
                linewidth=4 if row.strong else 2,
                alpha=0.5,
            )
        axes.plot(
            [row.value],
            [place],
            "D" if row.strong else "o",
            color=row.colour,
            markersize=8 if row.strong else 6,
        )
        said = row.said or write(row.value, 2)
        sheet.text(sheet.width - 8, middle, said, color=row.colour, ha="right", **style)
    if ends:
        for side, said in zip((0, 1), ends, strict=True):
            style = {"fontsize": SMALL, "color": SOFT, "ha": ("left", "right")[side]}
            sheet.text(left + width * side, top - 10, said, **style)
    said_at = left + width / 2 if not sheet.narrow else sheet.width / 2
    bottom = top + ROW_HEIGHT * len(rows) + 36
    sheet.text(sheet.inside(said_at, axis_name), bottom, axis_name, color=SOFT, ha="center")


def rows_height(rows: int) -> int:
    """How many pixels the rows and what is below them take."""
    return rows * ROW_HEIGHT + FOOT_HEIGHT
