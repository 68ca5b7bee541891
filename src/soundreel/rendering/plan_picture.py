"""A song's form and the shots planned for it, as one picture: what one looks at before filming."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soundreel.atomic import atomic_file
from soundreel.sound.song_form import SongForm
from soundreel.timeline import clock

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Shot = tuple[Fraction | float, Fraction | float, str]

# As the curve of a run and the sample sheets.
_BACK, _EDGE, _INK, _QUIET = "#121216", "#2c2c32", "#eceae4", "#9a9896"
# Colours that stay apart for the colour-blind, on a dark ground: the first four are the curves'.
_COLOURS = ("#f0b45a", "#58c4b0", "#ee8296", "#86aef5", "#c9a2f2", "#b9d36b", "#e8d9b5", "#8fa3ad")
_WIDTH_INCHES, _ROW_INCHES, _HEAD_INCHES, _FOOT_INCHES = 12.0, 3.1, 0.8, 0.0
_DOTS_PER_INCH = 150
_SIDE_INCHES = 0.3
#: A long song goes on in further rows, up to so many; of these each is as long as it must be.
_ROW_SECONDS, _MOST_ROWS = 480.0, 12
# From the bottom of a row (0) to its top (1): shots, bars, onsets, loudness, sections.
_SHOTS, _BAR_NUMBERS, _BASE, _TOP, _SECTIONS = (0.0, 0.13), 0.185, 0.36, 0.84, (0.87, 1.0)
_ONSETS = 0.12
#: Bar numbers and times have at least this much room.
_NUMBER_INCHES, _TIME_INCHES = 0.3, 0.75
_QUIETEST_DB = -60.0


def plan_picture(form: SongForm, shots: Sequence[Shot], out: Path, title: str) -> None:
    """Write a PNG, 1800 pixels wide: loudness, onsets, bars, sections, and the shots below.

    shots: (start, stop, name) in seconds; the same name has the same colour; none: no lane.
    A song of more than 8 minutes goes on in further rows.

    Raises: StorageError.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    seconds = max(float(form.seconds), 0.1)
    rows = min(_MOST_ROWS, max(1, math.ceil(seconds / _ROW_SECONDS)))
    height = _HEAD_INCHES + rows * _ROW_INCHES + _FOOT_INCHES
    figure = Figure((_WIDTH_INCHES, height), _DOTS_PER_INCH, facecolor=_BACK)
    _write_head(figure, form, title, height)
    scale = _loudness_scale(form)
    for row in range(rows):
        top = height - _HEAD_INCHES - row * _ROW_INCHES
        axes = figure.add_axes(
            (
                _SIDE_INCHES / _WIDTH_INCHES,
                (top - _ROW_INCHES + 0.45) / height,
                1 - 2 * _SIDE_INCHES / _WIDTH_INCHES,
                (_ROW_INCHES - 0.45) / height,
            )
        )
        span = (row * seconds / rows, (row + 1) * seconds / rows)
        _draw_row(axes, form, shots, span, scale)
    with atomic_file(out) as partial, warnings.catch_warnings():
        # Titles may be in any script; what the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph")
        FigureCanvasAgg(figure).print_png(partial)


def _write_head(figure: Figure, form: SongForm, title: str, height: float) -> None:
    line, side = 1 - 0.4 / height, _SIDE_INCHES / _WIDTH_INCHES
    figure.text(
        side, line, _fitting(title, 52), color=_INK, fontsize=17, va="center", parse_math=False
    )
    said = [clock(form.seconds)]
    if form.tempo_bpm is None:
        said.append("no steady beat")
    else:
        said.append(f"{form.tempo_bpm:.1f} bpm")
        said.append(f"{len(form.bar_seconds) - 1} bars of {form.beats_per_bar}")
    count = len(form.sections)
    said.append(f"{count} section{'s' if count > 1 else ''}")
    figure.text(
        1 - side, line, "   ".join(said), color=_QUIET, fontsize=11, ha="right", va="center"
    )


def _draw_row(
    axes: Axes,
    form: SongForm,
    shots: Sequence[Shot],
    span: tuple[float, float],
    scale: tuple[float, float],
) -> None:
    start, stop = span
    axes.set_facecolor(_BACK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlim(start, stop)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    a_second = (_WIDTH_INCHES - 2 * _SIDE_INCHES) / (stop - start)
    _draw_times(axes, span, a_second)
    _draw_bars(axes, form, span, a_second)
    _draw_sections(axes, form, span, scale, a_second)
    _draw_onsets(axes, form, span)
    _draw_shots(axes, shots, span, a_second)


def _loudness_scale(form: SongForm) -> tuple[float, float]:
    """What lies at the bottom and at the top of the loudness curve, in dB."""
    heard = form.loudness_db_T[form.loudness_db_T > _QUIETEST_DB]
    if len(heard) == 0:
        return _QUIETEST_DB, 0.0
    high = float(heard.max())
    return max(_QUIETEST_DB, min(float(np.percentile(heard, 3)) - 4, high - 18)), high


def _draw_times(axes: Axes, span: tuple[float, float], a_second: float) -> None:
    start, stop = span
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
    step = next((s for s in steps if s * a_second >= _TIME_INCHES), steps[-1])
    times = np.arange(math.ceil(start / step) * step, stop, step)
    axes.set_xticks(times, [clock(float(time)) for time in times])
    axes.tick_params(colors=_QUIET, labelsize=9, length=0, pad=5)


def _draw_bars(axes: Axes, form: SongForm, span: tuple[float, float], a_second: float) -> None:
    """A line for every bar, or for every second, fourth, ... where they would be too near."""
    if len(form.bar_seconds) < 2:
        return
    bar_inches = float(np.median(np.diff(form.bar_seconds))) * a_second
    lines, numbers = (
        next(n for n in (2**k for k in range(20)) if n * bar_inches >= room or n == 2**19)
        for room in (0.06, _NUMBER_INCHES)
    )
    start_K = form.bar_seconds[:-1]
    index_K = np.arange(len(start_K))
    drawn_K = (start_K >= span[0]) & (start_K < span[1]) & (index_K % lines == 0)
    tall_K = drawn_K & (index_K % numbers == 0)
    low = _BAR_NUMBERS + 0.045
    axes.vlines(start_K[drawn_K], low, _BASE, color=_EDGE, linewidth=0.6, zorder=1)
    axes.vlines(start_K[tall_K], low, _TOP, color="#46464e", linewidth=0.8, zorder=1)
    for index in np.flatnonzero(tall_K & (span[1] - start_K > 0.12 / a_second)):
        axes.text(
            start_K[index],
            _BAR_NUMBERS,
            str(index + 1),
            color=_QUIET,
            fontsize=7.5,
            ha="center",
            va="center",
        )


def _draw_sections(
    axes: Axes,
    form: SongForm,
    span: tuple[float, float],
    scale: tuple[float, float],
    a_second: float,
) -> None:
    low_db, high_db = scale
    time_T = (np.arange(len(form.loudness_db_T)) + 0.5) / form.loudness_rate_hz
    share_T = ((form.loudness_db_T - low_db) / (high_db - low_db)).clip(0, 1)
    height_T = _BASE + (_TOP - _BASE) * share_T
    for section in form.sections:
        start, stop = max(section.start_seconds, span[0]), min(section.stop_seconds, span[1])
        if stop <= start:
            continue
        colour = _COLOURS[(ord(section.label) - ord("A")) % len(_COLOURS)]
        inside = (time_T >= start - 0.1) & (time_T <= stop + 0.1)
        if inside.any():
            edge_T = time_T[inside].clip(start, stop)
            axes.fill_between(
                edge_T, _BASE, height_T[inside], color=colour, alpha=0.42, linewidth=0, zorder=2
            )
            axes.plot(edge_T, height_T[inside], color=colour, linewidth=0.9, zorder=3)
        gap = min(0.02 / a_second, (stop - start) / 4)
        low, high = _SECTIONS
        axes.broken_barh(
            [(start + gap / 2, stop - start - gap)], (low, high - low), color=colour, linewidth=0
        )
        room = int((stop - start) * a_second / 0.085)
        said = f"{section.label}   {section.loudness_db:.0f} dB"
        if room >= 1:
            axes.text(
                start + 0.07 / a_second if room >= len(said) else (start + stop) / 2,
                (low + high) / 2 - 0.003,
                said if room >= len(said) else section.label,
                color=_BACK,
                fontsize=10,
                fontweight="bold",
                ha="left" if room >= len(said) else "center",
                va="center",
            )


def _draw_onsets(axes: Axes, form: SongForm, span: tuple[float, float]) -> None:
    """How suddenly it grows, hanging from the loudness: the strongest of each pixel."""
    strength_T, rate_hz = form.onset.strength_T, form.onset.hops_per_second
    if len(strength_T) == 0 or strength_T.max() <= 0:
        return
    pixels = int((_WIDTH_INCHES - 2 * _SIDE_INCHES) * _DOTS_PER_INCH)
    edges = np.linspace(*span, pixels + 1) * rate_hz
    edge_P = edges.astype(np.int64).clip(0, len(strength_T) - 1)
    peak_P = np.maximum.reduceat(strength_T, edge_P[:-1])
    # What every moment has is no onset.
    usual, full = float(np.median(peak_P)) / 2, float(np.percentile(strength_T, 99.8))
    depth_P = _ONSETS * ((peak_P - usual) / max(full - usual, 1e-9)).clip(0, 1)
    time_P = edges[:-1] / rate_hz
    base = _BASE - 0.008
    axes.fill_between(
        time_P, base - depth_P, base, color=_INK, alpha=0.55, linewidth=0, step="post", zorder=2
    )


def _draw_shots(
    axes: Axes, shots: Sequence[Shot], span: tuple[float, float], a_second: float
) -> None:
    low, high = _SHOTS
    names = list(dict.fromkeys(name for _, _, name in shots))
    for shot_start, shot_stop, name in shots:
        start, stop = max(float(shot_start), span[0]), min(float(shot_stop), span[1])
        if stop <= start:
            continue
        gap = min(0.02 / a_second, (stop - start) / 4)
        colour = _COLOURS[(names.index(name) + 3) % len(_COLOURS)]
        axes.broken_barh(
            [(start + gap / 2, stop - start - gap)],
            (low, high - low),
            facecolor=colour,
            alpha=0.28,
            linewidth=0,
        )
        axes.vlines(start + gap, low, high, color=colour, linewidth=1.6)
        room = int(((stop - start) * a_second - 0.1) / 0.075)
        if room >= min(len(name), 3):
            axes.text(
                start + 0.07 / a_second,
                (low + high) / 2 - 0.003,
                _fitting(name, room),
                color=_INK,
                fontsize=8.5,
                va="center",
                parse_math=False,
            )


def _fitting(text: str, characters: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= characters else text[: max(1, characters - 1)] + "…"
