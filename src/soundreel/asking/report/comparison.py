"""Several corpora and models in one table: what was asked of each, and what came out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from soundreel.asking.report.page import check_tone, page_environment, page_style
from soundreel.asking.report.words import Tone
from soundreel.asking.report.written import DASH, interval, p_value, plain, share, signed
from soundreel.atomic import write_text

#: Of the small pictures of intervals, in pixels.
_BAR = 92


@dataclass(frozen=True)
class Asked:
    """A corpus or a model, and what came out; None where it was not measured.

    verdict, tone: as in a report. effect with its 95% interval low, high; delta: what matters.
    sensitivity, copy_rate, two_choice: proportions; flicker, motion: as a share of the real
    videos'; usefulness, skill, sync: 0 is chance; realism: a distance, 0 is as the real ones.

    Raises: ValueError for a tone that there is not.
    """

    name: str
    verdict: str
    tone: Tone
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    delta: float | None = None
    p: float | None = None
    mde80: float | None = None
    sensitivity: float | None = None
    usefulness: float | None = None
    skill: float | None = None
    two_choice: float | None = None
    copy_rate: float | None = None
    realism: float | None = None
    flicker: float | None = None
    motion: float | None = None
    sync: float | None = None

    def __post_init__(self) -> None:
        check_tone(self.tone)


@dataclass(frozen=True)
class _Column:
    """name: the field. bar_from: where a bar begins; None: no bar."""

    name: str
    heading: str
    meaning: str
    write: Callable[[float], str]
    bar_from: float | None = None


def _two(value: float) -> str:
    return plain(value, 2)


_COLUMNS = (
    _Column("p", "p", "how often luck alone does as well, at most", p_value),
    _Column("mde80", "MDE80", "the effect that would be found four times out of five", signed),
    _Column(
        "sensitivity",
        "sensitivity",
        "how much pictures vary over sounds, as a share of real frames",
        share,
        0.0,
    ),
    _Column("usefulness", "usefulness", "its own song's video, less another's", signed, 0.0),
    _Column("skill", "skill", "error saved against the mean picture of training", signed, 0.0),
    _Column("two_choice", "2AFC", "right of two moments; guessing gives 50 %", share, 0.5),
    _Column("copy_rate", "copies", "pictures that are nearly a training frame", share, 0.0),
    _Column("realism", "realism", "distance from real pictures; less is better", _two, 0.0),
    _Column("flicker", "flicker", "as a share of the real videos'", _two, 1.0),
    _Column("motion", "motion", "as a share of the real videos'", _two, 1.0),
    _Column("sync", "sync", "synchrony beyond chance", signed, 0.0),
)


@dataclass(frozen=True)
class _Bar:
    """A bar or an interval in a cell: pixels from the left."""

    start: float
    stop: float
    zero: float
    point: float | None = None
    band: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Cell:
    """What is written, a quieter second line, and what is drawn."""

    said: str
    more: str = ""
    bar: _Bar | None = None


def write_table_report(path: Path, title: str, rows: Sequence[Asked], written: str) -> None:
    """Write one HTML file with a row for each thing asked, for comparing them.

    Columns that no row has a number for are left out; elsewhere what is missing is a dash.
    written: when, in words.

    Raises: ValueError if there is no row; StorageError.
    """
    if not rows:
        raise ValueError("nothing to compare: give at least one row")
    columns = [c for c in _COLUMNS if any(_known(getattr(row, c.name)) for row in rows)]
    effects = _effect_cells(rows)
    table = [
        (row, effect, [_cell(column, row, rows) for column in columns])
        for row, effect in zip(rows, effects, strict=True)
    ]
    text = (
        page_environment()
        .get_template("comparison.html.j2")
        .render(
            title=title,
            style=page_style(),
            columns=columns,
            table=table,
            written=written,
            bar=_BAR,
        )
    )
    write_text(path, text)


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _effect_cells(rows: Sequence[Asked]) -> list[_Cell]:
    """Effects on one scale, with their intervals and the band of what does not matter."""
    numbers = [0.0]
    for row in rows:
        delta = row.delta or 0.0
        numbers += [v for v in (row.effect, row.low, row.high, delta, -delta) if v is not None]
    numbers = [number for number in numbers if math.isfinite(number)]
    at = _scale(min(numbers), max(numbers))
    cells = []
    for row in rows:
        if row.effect is None or not math.isfinite(row.effect):
            cells.append(_Cell(DASH))
            continue
        more, bounds = "", (row.effect, row.effect)
        if row.low is not None and row.high is not None and _known(row.low) and _known(row.high):
            more = interval(row.low, row.high)
            bounds = (row.low, row.high)
        band = (at(-row.delta), at(row.delta)) if row.delta else None
        bar = _Bar(at(bounds[0]), at(bounds[1]), at(0), at(row.effect), band)
        cells.append(_Cell(signed(row.effect), more, bar))
    return cells


def _cell(column: _Column, row: Asked, rows: Sequence[Asked]) -> _Cell:
    value = getattr(row, column.name)
    if value is None or not math.isfinite(value):
        return _Cell(DASH)
    said = column.write(value)
    if column.bar_from is None:
        return _Cell(said)
    others = [v for v in (getattr(other, column.name) for other in rows) if _known(v)]
    at = _scale(min(*others, column.bar_from), max(*others, column.bar_from), _BAR * 0.6)
    start, stop = sorted((at(column.bar_from), at(value)))
    return _Cell(said, bar=_Bar(start, stop, at(column.bar_from)))


def _scale(low: float, high: float, width: float = _BAR) -> Callable[[float], float]:
    """Numbers to pixels, with two pixels left free at each side."""
    span = (high - low) or 1.0
    return lambda value: round(2 + (width - 4) * (value - low) / span, 2)
