"""The evidence report's page: what was asked, the answer on top, and all it rests on below.

One HTML file that holds everything it shows, opens no connection and needs no script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

import jinja2

from soundreel.asking.report.style import Picture
from soundreel.asking.report.words import Tone
from soundreel.asking.report.written import readable
from soundreel.atomic import write_text

Label = Literal["confirmatory", "secondary", "exploratory", ""]

#: What a section's label says of the weight of what stands in it.
LABEL_MEANINGS = {
    "confirmatory": "Planned beforehand; the verdict rests on it.",
    "secondary": "Planned beforehand, and corrected for being several; the verdict stays as it is.",
    "exploratory": "A look around: an idea for a next test, not evidence.",
}


@dataclass(frozen=True)
class Captioned:
    """A picture and what it shows, in a sentence or two."""

    picture: Picture
    caption: str


@dataclass(frozen=True)
class Table:
    """A table of words and written numbers.

    header: a name for each column; the first column names the row.
    rows: as many cells each as the header has; None is shown as a dash.
    note: a line below, or "".

    Raises: ValueError if a row has another number of cells than the header.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"{len(row)} cells under {len(self.header)} headings: {row}")


@dataclass(frozen=True)
class Section:
    """A part of the report: paragraphs, then pictures, then tables.

    label: how much weight it has; "" where nothing is tested.
    details: whether it is folded until it is opened.

    Raises: ValueError for a label that there is not.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    pictures: tuple[Captioned, ...] = ()
    tables: tuple[Table, ...] = ()
    label: Label = ""
    details: bool = False

    def __post_init__(self) -> None:
        if self.label not in get_args(Label):
            raise ValueError(f"label {self.label!r}: give one of {get_args(Label)}")


@dataclass(frozen=True)
class Report:
    """All that a report says.

    title: what was asked, of what.
    verdict: the answer in a word or a few; shown large.
    tone: "yes", "no", "open" (undecided) or "invalid": the verdict's colour.
    opening: the first paragraphs (`words.opening`).
    numbers: (name, value as written, plain explanation) of the few numbers that matter.
    sections: in reading order; strip: the verdict's picture, which stands before them.
    limits: what it cannot conclude (`terms.LIMITS`); glossary: (term, meaning).
    manifest_sha256, manifest_json: what was frozen before any test.
    written: when, in words. The page says nothing else of the time.

    Raises: ValueError for a tone that there is not.
    """

    title: str
    verdict: str
    tone: Tone
    opening: tuple[str, ...]
    numbers: tuple[tuple[str, str, str], ...]
    sections: tuple[Section, ...]
    limits: tuple[str, ...]
    manifest_sha256: str
    manifest_json: str
    written: str
    strip: Captioned | None = None
    glossary: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        check_tone(self.tone)


def check_tone(tone: str) -> None:
    """Raises: ValueError unless it is one of the four."""
    if tone not in get_args(Tone):
        raise ValueError(f"tone {tone!r}: give one of {get_args(Tone)}")


def write_report(path: Path, report: Report) -> None:
    """Write the report as one HTML file, whole or not at all. The same report, the same bytes.

    Raises: StorageError.
    """
    text = (
        page_environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            style=page_style(),
            anchors=_anchors([section.title for section in report.sections]),
            label_meanings=LABEL_MEANINGS,
        )
    )
    write_text(path, text)


def page_environment() -> jinja2.Environment:
    """Templates in which everything is escaped and what cannot be written is left out."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("soundreel.asking", "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: readable(value) if type(value) is str else value,
    )


def page_style() -> str:
    """The style sheet of the room's pages."""
    return files("soundreel.asking.report").joinpath("report.css").read_text(encoding="utf-8")


def _anchors(titles: Sequence[str]) -> list[str]:
    """An id for each title, to be linked to: its letters and its place, so that none is twice."""
    return [
        f"{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')[:40] or 'section'}-{place}"
        for place, title in enumerate(titles, 1)
    ]
