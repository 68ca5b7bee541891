"""Several reports side by side: the numbers that lie beside each of them, in one table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from soundreel.asking.film_page import FILM_HEADLINES
from soundreel.asking.report.comparison import Asked, write_table_report
from soundreel.asking.report.words import HEADLINES, Tone
from soundreel.asking.report.written import DASH, interval, p_value, plain, share, shortened, signed
from soundreel.errors import SettingsError

_FORMAT, _VERSION = "soundreel-evidence", 1
_TONES: Mapping[str, Tone] = {
    verdict: tone for verdict, (_, tone) in {**HEADLINES, **FILM_HEADLINES}.items()
}
_TEXT_NAME, _TEXT_VERDICT = 36, 30


def compare(
    reports: Sequence[str | Path],
    out: Path,
    written: str = "",
    title: str = "What was asked, and what came out",
) -> Path:
    """Write one table of the reports that `ask` wrote; `written`: when, in words. Returns `out`.

    reports: their .json files; for a report.html the report.json beside it is read.

    Raises: SettingsError for no report, or a file that is none; StorageError.
    """
    write_table_report(out, title, rows_of(reports), written)
    return out


def rows_of(reports: Sequence[str | Path]) -> list[Asked]:
    """A row for each report, in the order given; what it did not measure is None.

    A report is called by its own name, else by its file's; of those with the same name, each by
    its folder's name too.

    Raises: as `compare`.
    """
    if not reports:
        raise SettingsError("nothing to compare: name reports that `ask` wrote (.json or .html)")
    files = [_numbers_file(Path(report)) for report in reports]
    told = [_read(file) for file in files]
    names = [str(one.get("name") or file.stem) for one, file in zip(told, files, strict=True)]
    rows = []
    for name, one, file in zip(names, told, files, strict=True):
        called = f"{file.resolve().parent.name}/{name}" if names.count(name) > 1 else name
        rows.append(_row(called, one, file))
    return rows


def as_text(rows: Sequence[Asked]) -> str:
    """The table in plain text, for a terminal: a line for each row below one of headings.

    Columns that no row has a number for are left out; what is missing is a dash.
    """
    cells = [
        [
            shortened(row.name, _TEXT_NAME),
            shortened(row.verdict, _TEXT_VERDICT),
            *(DASH if value is None else value for value in _written(row).values()),
        ]
        for row in rows
    ]
    heads = ["asked", "verdict", *(_written(rows[0]) if rows else ())]
    shown = [k for k in range(len(heads)) if k < 2 or any(line[k] != DASH for line in cells)]
    table = [[line[k] for k in shown] for line in (heads, *cells)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for line in table:
        words = [cell.ljust(width) for cell, width in zip(line[:2], widths[:2], strict=True)]
        numbers = [cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True)]
        lines.append("  ".join([*words, *numbers]).rstrip())
    return "\n".join(lines)


def _written(row: Asked) -> dict[str, str | None]:
    """Headings, and the numbers below them."""

    def said(value: float | None, write: Any) -> str | None:
        return None if value is None else str(write(value))

    within = None
    if row.low is not None and row.high is not None:
        within = interval(row.low, row.high)
    return {
        "effect": said(row.effect, signed),
        "95 %": within,
        "p": said(row.p, p_value),
        "MDE80": said(row.mde80, signed),
        "sensitivity": said(row.sensitivity, share),
        "skill": said(row.skill, signed),
        "2AFC": said(row.two_choice, share),
        "copies": said(row.copy_rate, share),
        "realism": said(row.realism, plain),
        "flicker": said(row.flicker, plain),
        "motion": said(row.motion, plain),
        "sync": said(row.sync, signed),
    }


def _numbers_file(report: Path) -> Path:
    return report.with_suffix(".json") if report.suffix.lower() in (".html", ".htm") else report


def _read(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{file}: cannot be read ({error.strerror or error}): name a report that `ask` wrote, "
            "with its .json file beside it"
        ) from error
    except ValueError as error:
        raise _not_a_report(file) from error
    if not isinstance(told, dict) or told.get("format") != _FORMAT:
        raise _not_a_report(file)
    if told.get("version", _VERSION) != _VERSION:
        raise SettingsError(
            f"{file}: its version is {told['version']}, this program reads {_VERSION}: ask again"
        )
    return told


def _row(name: str, told: Mapping[str, Any], file: Path) -> Asked:
    kinds = {"dataset": _of_dataset, "model": _of_model, "film": _of_films}
    kind, verdict = str(told.get("kind")), str(told.get("verdict"))
    if kind not in kinds or verdict not in _TONES:
        raise _not_a_report(file)
    return Asked(name, verdict, _TONES[verdict], **kinds[kind](told))


def _of_dataset(told: Mapping[str, Any]) -> dict[str, float | None]:
    test = _part(told, "test")
    return {
        "effect": _number(test.get("effect")),
        **_interval(test),
        "delta": _number(told.get("delta")),
        "p": _number(test.get("p_value")),
        "mde80": _number(test.get("mde80")),
    }


def _of_model(told: Mapping[str, Any]) -> dict[str, float | None]:
    test = _part(told, "model")
    return {
        "effect": _number(test.get("usefulness")),
        **_interval(test),
        "delta": _number(told.get("delta")),
        "p": _number(test.get("p_value")),
        "mde80": _number(test.get("mde80")),
        "sensitivity": _number(test.get("sensitivity")),
        "skill": _number(test.get("skill")),
        "two_choice": _number(test.get("two_afc")),
        "copy_rate": _number(test.get("copy_rate")),
        "realism": _number(test.get("sliced_wasserstein")),
        "flicker": _number(test.get("flicker")),
        "motion": _number(test.get("motion_ratio")),
    }


def _of_films(told: Mapping[str, Any]) -> dict[str, float | None]:
    lines = told.get("lines")
    for line in lines if isinstance(lines, list) else []:
        if isinstance(line, dict) and line.get("name") == "AV-Align":
            return {"sync": _number(line.get("effect"))}
    return {}


def _part(told: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = told.get(key)
    return part if isinstance(part, dict) else {}


def _interval(test: Mapping[str, Any]) -> dict[str, float | None]:
    both = test.get("ci_95")
    if not isinstance(both, list) or len(both) != 2:
        return {"low": None, "high": None}
    return {"low": _number(both[0]), "high": _number(both[1])}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _not_a_report(file: Path) -> SettingsError:
    return SettingsError(
        f"{file}: is no report that `ask` wrote: give report.html or the report.json beside it"
    )
