"""Figures of what a model makes: its frames beside the real ones, and how real they look."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from soundreel.asking.report.style import (
    AMBER,
    BODY,
    HEADING,
    LINE,
    NARROW,
    NULL,
    SMALL,
    SOFT,
    TEAL,
    WIDE,
    Picture,
    Sheet,
    as_floats,
    number_ticks,
    picture,
    picture_of,
    text_width,
)
from soundreel.asking.report.written import plain, readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Of a frame in the strip, in CSS pixels for the wide page; and how many a phone shows.
_MOST_COLUMNS, _NARROW_COLUMNS = 12, 4
#: Frames are kept with more pixels than are shown: screens of phones and of laptops are dense.
_DENSITY, _QUALITY = 1.5, 80
_MOST_FRAME = 112


def frame_strip(
    rows: Sequence[tuple[str, Sequence[np.ndarray]]], moments: Sequence[str] = ()
) -> Picture:
    """Frames side by side: a row each for the real ones, those made of their song, and so on.

    rows: (label, pictures H x W x 3, uint8), as many pictures in each row, of one size; at most
    the first 12 are shown. moments: a word above each column, or none.

    Raises: ValueError if there is no picture, or rows differ in their number of pictures.
    """
    columns = min(_MOST_COLUMNS, len(rows[0][1]) if rows else 0)
    if columns == 0 or any(len(pictures) != len(rows[0][1]) for _, pictures in rows):
        raise ValueError(f"{[len(p) for _, p in rows]} pictures in the rows: give as many in each")
    few = np.unique(np.linspace(0, columns - 1, min(columns, _NARROW_COLUMNS)).round().astype(int))
    label_room = min(150, max(text_width(label) for label, _ in rows) + 12)
    wide, height = _strip(rows, moments, range(columns), WIDE, label_room)
    narrow, narrow_height = _strip(rows, moments, few.tolist(), NARROW, 0)
    alt = f"{columns} moments, one above the other: " + "; ".join(label for label, _ in rows) + "."
    return picture_of(wide, narrow, alt, (height, narrow_height))


def _strip(
    rows: Sequence[tuple[str, Sequence[np.ndarray]]],
    moments: Sequence[str],
    shown: Sequence[int],
    width: int,
    label_room: float,
) -> tuple[str, int]:
    """The inside of an SVG document, and its height. label_room 0: labels stand above."""
    gap = 4
    cell = min(_MOST_FRAME, (width - 16 - label_room + gap) / len(shown) - gap)
    tall, broad = rows[0][1][0].shape[:2]
    cell_height = cell * tall / broad
    parts: list[str] = []
    left, top = 8 + label_room, 8.0
    if moments:
        for place, column in enumerate(shown):
            x = left + place * (cell + gap) + cell / 2
            parts.append(_letters(moments[column], x, top + 8, "soft", SMALL, "middle"))
        top += 22
    for label, pictures in rows:
        if not label_room:
            parts.append(_letters(label, left, top + 8, "ink", BODY, "start"))
            top += 20
        else:
            parts.append(_letters(label, 8, top + cell_height / 2, "ink", BODY, "start"))
        for place, column in enumerate(shown):
            url = _jpeg(pictures[column], round(cell * _DENSITY), round(cell_height * _DENSITY))
            x = left + place * (cell + gap)
            parts.append(
                f'<image x="{x:.1f}" y="{top:.1f}" width="{cell:.1f}" height="{cell_height:.1f}" '
                f'preserveAspectRatio="none" href="{url}"/>'
            )
        top += cell_height + (gap if label_room else 10)
    return "".join(parts), int(top) + 6


def _letters(said: str, x: float, middle: float, colour: str, size: float, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{middle + size * 0.36:.1f}" font-size="{size}" '
        f'fill="var(--{colour})" text-anchor="{anchor}">{escape(readable(said))}</text>'
    )


def _jpeg(picture_HWC: np.ndarray, width: int, height: int) -> str:
    frame = Image.fromarray(np.ascontiguousarray(picture_HWC, dtype=np.uint8), "RGB")
    if frame.width > width:
        frame = frame.resize((width, height), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    frame.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def realism_plot(
    radii: Sequence[float] | np.ndarray,
    made_spectrum_db: Sequence[float] | np.ndarray,
    real_spectrum_db: Sequence[float] | np.ndarray,
    made_lab_3B: np.ndarray,
    real_lab_3B: np.ndarray,
    flicker: float,
    motion: float,
) -> Picture:
    """How real what was made looks: detail of every size, colours, flicker beside motion.

    radii: spatial frequencies above 0, in cycles a picture, ascending; spectra in dB.
    *_lab_3B: histograms of L, a and b, from the darkest, greenest, bluest to the other end.
    flicker, motion: as a share of the real videos'; not a number where unknown.

    Raises: ValueError if shapes do not fit.
    """
    radii = as_floats(radii, "radii", None)
    made, real = (
        as_floats(s, "spectrum", len(radii)) for s in (made_spectrum_db, real_spectrum_db)
    )
    labs = [np.asarray(lab, np.float64) for lab in (made_lab_3B, real_lab_3B)]
    if labs[0].shape != labs[1].shape or labs[0].ndim != 2 or len(labs[0]) != 3:
        raise ValueError(f"{labs[0].shape} and {labs[1].shape}: give two histograms of 3 x B")
    labs = [lab / np.maximum(lab.sum(axis=1, keepdims=True), 1e-12) for lab in labs]

    def draw(sheet: Sheet) -> None:
        inner = sheet.width - 16
        half = inner if sheet.narrow else inner * 0.56
        sheet.text(8, 12, "detail of every size", fontsize=HEADING, weight="bold")
        _draw_legend(sheet, 8, 32)
        axes = sheet.axes(44, 46, half - 44, 160)
        axes.plot(radii, real, color=TEAL, linewidth=2, gid="real")
        axes.plot(radii, made, color=AMBER, linewidth=2, gid="made")
        if radii.min() > 0:
            axes.set_xscale("log")
        axes.minorticks_off()
        ends = [float(radii[0]), float(radii[-1])]
        axes.set_xlim(ends[0], ends[1] if ends[1] > ends[0] else ends[0] + 1)
        axes.set_xticks(ends, ["coarse", "fine"])
        for label, side in zip(axes.get_xticklabels(), ("left", "right"), strict=True):
            label.set_horizontalalignment(side)
        number_ticks(axes, "y", 4)
        sheet.text(8, 56, "dB", color=SOFT, fontsize=SMALL)
        left, top = (8, 254) if sheet.narrow else (half + 52, 12)
        sheet.text(left, top, "flicker and motion", fontsize=HEADING, weight="bold")
        width = inner - 60 if sheet.narrow else 200
        _draw_flicker(sheet, left + 30, top + 34, width, flicker, motion)
        top = 530 if sheet.narrow else 274
        sheet.text(8, top, "colours", fontsize=HEADING, weight="bold")
        names = (("dark", "bright"), ("green", "red"), ("blue", "yellow"))
        width = (inner - 2 * 18) / 3
        for place, ends_said in enumerate(names):
            axes = sheet.axes(8 + place * (width + 18), top + 18, width, 92)
            bins = labs[0].shape[1]
            edges = np.arange(bins + 1)
            axes.stairs(labs[1][place], edges, fill=True, color=TEAL, alpha=0.3, linewidth=0)
            axes.stairs(labs[0][place], edges, color=AMBER, linewidth=1.6, baseline=None)
            axes.set(xlim=(0, bins), ylim=(0, None), yticks=[])
            axes.set_xticks([0, bins], ends_said)
            for label, side in zip(axes.get_xticklabels(), ("left", "right"), strict=True):
                label.set_horizontalalignment(side)

    gap = float(np.abs(made - real).mean())
    alt = (
        f"The spectra of what was made and of the real pictures differ by {plain(gap, 1)} dB on "
        f"average. Flicker is {plain(flicker, 2)} and motion {plain(motion, 2)} of the real "
        "videos'. Three histograms compare lightness, green to red, and blue to yellow."
    )
    return picture(draw, alt, 420, 676)


def _draw_legend(sheet: Sheet, left: float, top: float) -> None:
    sheet.text(left, top, "made", color=AMBER, weight="bold")
    sheet.text(left + 46, top, "real", color=TEAL, weight="bold")


def _draw_flicker(
    sheet: Sheet, left: float, top: float, width: float, flicker: float, motion: float
) -> None:
    """A point for what was made; the real is at 1, 1 and a still picture at 0, 0."""
    axes: Axes = sheet.axes(left, top, width, 160)
    known = [value for value in (flicker, motion) if np.isfinite(value)]
    most = max(1.5, *known, 0.0) * 1.12
    axes.set(xlim=(-0.04 * most, most), ylim=(-0.04 * most, most))
    axes.plot([0, most], [0, most], color=LINE, linewidth=1, zorder=0)
    axes.plot([1], [1], "o", color=TEAL, markersize=9)
    axes.plot(
        [0], [0], "o", markerfacecolor="none", markeredgecolor=NULL, markersize=9, clip_on=False
    )
    style: dict[str, Any] = {
        "fontsize": SMALL,
        "va": "center",
        "xytext": (9, 0),
        "textcoords": "offset points",
    }
    axes.annotate("real", (1, 1), color=TEAL, **style)
    axes.annotate("a still picture", (0, 0), color=SOFT, **{**style, "xytext": (10, 4)})
    if np.isfinite(flicker) and np.isfinite(motion):
        axes.plot([motion], [flicker], "D", color=AMBER, markersize=9, gid="made-point")
        if motion > 0.75 * most:
            style |= {"xytext": (-9, 0), "ha": "right"}
        axes.annotate("made", (motion, flicker), color=AMBER, weight="bold", **style)
    number_ticks(axes, "x", 4)
    number_ticks(axes, "y", 4)
    quiet = {"color": SOFT, "fontsize": SMALL}
    sheet.text(left - 30, top - 14, "flicker, as a share of the real", **quiet)
    sheet.text(left + width, top + 194, "motion, as a share of the real", ha="right", **quiet)
