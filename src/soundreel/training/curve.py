"""The curve of a run: what its rows say of held-out clips and of training, as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from soundreel.atomic import atomic_file
from soundreel.training.signs import INDECISION

Row = Mapping[str, Any]

# As the sample sheets, which lie beside it.
_BACK, _EDGE, _INK, _QUIET = "#121216", "#2c2c32", "#eceae4", "#9a9896"
# Four colours that stay apart for the colour-blind, on a dark ground.
_AMBER, _TEAL, _ROSE, _BLUE = "#f0b45a", "#58c4b0", "#ee8296", "#86aef5"
_SIZE_INCHES, _DOTS_PER_INCH = (12.0, 7.2), 150
#: Of fewer rows each has a dot: a line alone would not show them.
_DOTS_UP_TO = 40
#: More rows than these are drawn thin, or noise becomes a band.
_THIN_FROM = 200
#: Noise on a flat truth may be a hundred times as sharp: beyond this, logarithmic above 1.
_FAR_TOO_SHARP = 4.0
#: Margins of following that are smaller than this are not blown up to fill a panel.
_SMALL_MARGIN = 0.1


def draw_curve(path: Path, rows: Sequence[Row]) -> None:
    """Write a PNG of 1800 x 1080 pixels from the rows of metrics.jsonl, at least one.

    Values that are None are left out; a panel that has none at all says so.

    Raises: ValueError if there is no row; StorageError.
    """
    if not rows:
        raise ValueError("no row to draw a curve of")
    figure = Figure(_SIZE_INCHES, _DOTS_PER_INCH, facecolor=_BACK)
    panels = figure.subplot_mosaic(
        [["l1", "l1", "ms_ssim"], ["detail", "follow", "losses"]],
        gridspec_kw={
            "left": 0.045,
            "right": 0.98,
            "top": 0.845,
            "bottom": 0.065,
            "wspace": 0.16,
            "hspace": 0.5,
        },
    )
    _write_head(figure, rows)
    _draw_l1(panels["l1"], rows)
    _draw_ms_ssim(panels["ms_ssim"], rows)
    _draw_detail(panels["detail"], rows)
    _draw_follow(panels["follow"], rows)
    _draw_losses(panels["losses"], rows)
    with atomic_file(path) as partial:
        FigureCanvasAgg(figure).print_png(partial)


def _write_head(figure: Figure, rows: Sequence[Row]) -> None:
    last = rows[-1]
    line = 0.955
    figure.text(0.045, line, _measured_l1(last), color=_INK, fontsize=17, va="center")
    figure.text(
        0.98,
        line,
        f"step {last['step']:,}   epoch {last['epoch']:,.4g}",
        color=_QUIET,
        fontsize=11,
        ha="right",
        va="center",
    )


def _measured_l1(row: Row) -> str:
    if row["l1"] is None:
        return "not measured yet"
    said = f"{row['measured_on']} L1 {row['l1']:.3f}"
    if row["mean_l1"] is None:
        return said
    better = 100 * (1 - row["l1"] / row["mean_l1"]) if row["mean_l1"] else 0.0
    return f"{said}, {abs(better):.0f} % {'below' if better >= 0 else 'ABOVE'} the mean picture's"


def _draw_l1(axes: Axes, rows: Sequence[Row]) -> None:
    _begin(axes, rows, "difference from the truth (L1)")
    mean_l1 = rows[-1].get("mean_l1")
    if mean_l1 is not None:
        dashes = (0, (4, 3))
        axes.axhline(mean_l1, color=_QUIET, linewidth=1.5, linestyle=dashes, label="mean picture")
    _line(axes, rows, "l1_loss", "training", _BLUE)
    _line(axes, rows, "l1", _clips(rows), _AMBER, strong=True)
    measured = [row for row in rows if row.get("l1") is not None]
    if measured:
        best = min(measured, key=lambda row: row["l1"])
        at_the_edge = best["epoch"] > 0.9 * rows[-1]["epoch"]
        axes.plot(best["epoch"], best["l1"], "o", ms=8, mfc="none", mec=_INK, mew=1.2)
        axes.annotate(
            f"best {best['l1']:.3f}",
            (best["epoch"], best["l1"]),
            (0, -9),
            textcoords="offset points",
            color=_INK,
            fontsize=9,
            ha="right" if at_the_edge else "center",
            va="top",
        )
        axes.margins(y=0.16)
    _finish(axes, "not measured yet")


def _draw_ms_ssim(axes: Axes, rows: Sequence[Row]) -> None:
    _begin(axes, rows, "likeness in structure (MS-SSIM)")
    _line(axes, rows, "ms_ssim", _clips(rows), _AMBER, strong=True)
    _finish(axes, "not measured yet")


def _draw_detail(axes: Axes, rows: Sequence[Row]) -> None:
    _begin(axes, rows, "detail and variety (1: as the truth)")
    drawn = _line(axes, rows, "sharpness", "sharpness", _TEAL, strong=True)
    if _line(axes, rows, "sensitivity", "variety", _ROSE) or drawn:
        _mark(axes, 1.0)
        if axes.get_ylim()[1] > _FAR_TOO_SHARP:
            axes.set_yscale("symlog", linthresh=1, linscale=1.5)
            axes.yaxis.set_major_formatter("{x:g}")
        axes.set_ylim(bottom=0)
    _finish(axes, "pictures only")


def _draw_follow(axes: Axes, rows: Sequence[Row]) -> None:
    _begin(axes, rows, "following its own song (0: as any other)")
    drawn = [
        _line(axes, rows, "follow_brightness", "brightness", _AMBER),
        _line(axes, rows, "follow_hue", "hue", _ROSE),
        _line(axes, rows, "follow_motion", "motion", _BLUE),
    ]
    if any(drawn):
        _mark(axes, 0.0)
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, -_SMALL_MARGIN), max(high, _SMALL_MARGIN))
    _finish(axes, "needs pictures of two clips")


def _draw_losses(axes: Axes, rows: Sequence[Row]) -> None:
    _begin(axes, rows, f"adversaries' losses ({INDECISION:.2f}: undecided)")
    if any(row.get("discriminator_loss") or row.get("adversarial_loss") for row in rows):
        _line(axes, rows, "discriminator_loss", "discriminator", _TEAL)
        _line(axes, rows, "adversarial_loss", "generator", _ROSE)
        _mark(axes, INDECISION)
        axes.set_ylim(bottom=0)
    _finish(axes, "no discriminator")


def _clips(rows: Sequence[Row]) -> str:
    return f"{rows[-1]['measured_on']} clips"


def _begin(axes: Axes, rows: Sequence[Row], title: str) -> None:
    axes.set_title(title, loc="left", color=_INK, fontsize=11, pad=24)
    axes.set_facecolor(_BACK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_EDGE)
    axes.tick_params(colors=_QUIET, labelsize=9, length=0, pad=5)
    axes.grid(axis="y", color=_EDGE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlim(0, max(row["epoch"] for row in rows) * 1.015)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("epoch", color=_QUIET, fontsize=9, loc="right", labelpad=1)


def _line(
    axes: Axes,
    rows: Sequence[Row],
    name: str,
    label: str,
    colour: str,
    *,
    strong: bool = False,
) -> bool:
    """Draw a column over the epochs; returns whether it has any value."""
    known = [(row["epoch"], row[name]) for row in rows if row.get(name) is not None]
    if not known:
        return False
    axes.plot(
        *zip(*known, strict=True),
        label=label,
        color=colour,
        linewidth=(2.2 if strong else 1.5) * (0.5 if len(known) >= _THIN_FROM else 1),
        marker="o" if len(known) <= _DOTS_UP_TO else None,
        markersize=4 if strong else 3,
        solid_capstyle="round",
        clip_on=False,
        zorder=3 if strong else 2,
    )
    return True


def _mark(axes: Axes, level: float) -> None:
    """A level that means something."""
    axes.axhline(level, color=_QUIET, linewidth=1, linestyle=(0, (1, 2)), zorder=1)


def _finish(axes: Axes, nothing: str) -> None:
    """Name the lines, or say why there is none."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1.035),
            borderaxespad=0,
            ncols=4,
            frameon=False,
            fontsize=9.5,
            labelcolor="linecolor",
            handlelength=1.3,
            handletextpad=0.5,
            columnspacing=1.4,
            borderpad=0,
        )
    else:
        axes.set_yticks([])
        axes.text(
            0.5, 0.5, nothing, color=_QUIET, fontsize=10, ha="center", transform=axes.transAxes
        )
