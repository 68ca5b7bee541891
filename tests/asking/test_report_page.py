"""The evidence report's page: whole, escaped, asking nobody, and in words that hold."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from soundreel.asking.report import words
from soundreel.asking.report.comparison import Asked, write_table_report
from soundreel.asking.report.page import Captioned, Report, Section, Table, write_report
from soundreel.asking.report.row_figures import forest
from soundreel.asking.report.terms import GLOSSARY, LIMITS, MODEL_LIMITS
from soundreel.asking.report.verdict_figures import verdict_strip
from soundreel.asking.report.written import (
    counted,
    interval,
    p_value,
    plain,
    share,
    shortened,
    signed,
)
from soundreel.errors import StorageError

EVIL = "<script>alert('\"&')</script>"
VOID = {"meta", "img", "source", "br", "hr", "link", "input"}


class Read(HTMLParser):
    """What a page is made of: its elements in order, its words, and what it links to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.said += data

    def every(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def tags(self, *names: str) -> list[str]:
        return [name for name, _ in self.elements if name in names]


STRIP = Captioned(verdict_strip(0.08, 0.05, 0.11, 0.05, 0.06, "YES"), EVIL)
ROWS = Captioned(forest([EVIL, "b"], [0.1, 0.2], None, None, 0.1, 0, 0.2), "")
REPORT = Report(
    title=f"Does it? {EVIL}",
    verdict="Yes",
    tone="yes",
    opening=(EVIL, "And a second paragraph."),
    numbers=((EVIL, EVIL, EVIL), ("p", "0.001", "luck")),
    sections=(
        Section(EVIL, (EVIL,), (ROWS,), (Table((EVIL, "b"), ((EVIL, None),), EVIL),), "secondary"),
        Section("Folded", ("inside",), label="confirmatory", details=True),
        Section("Folded", ("the same title again",)),
    ),
    limits=(EVIL, *LIMITS),
    manifest_sha256="ab" * 32,
    manifest_json='{"a": "</pre>' + EVIL + '"}',
    written="today",
    strip=STRIP,
    glossary=GLOSSARY,
)
ASKED = (
    Asked(EVIL, "Yes", "yes", 0.08, 0.05, 0.11, 0.05, 0.001, 0.06),
    Asked("model", "It ignores the song", "no", skill=-0.1, two_choice=0.5, flicker=0.2),
    Asked("nothing", "Invalid", "invalid"),
)


@pytest.fixture(params=["report", "table"])
def page(request, tmp_path) -> Path:
    path = tmp_path / "deep" / "page.html"
    if request.param == "report":
        write_report(path, REPORT)
    else:
        write_table_report(path, EVIL, ASKED, "today")
    return path


def test_a_page_asks_nobody(page):
    read = Read(page)
    text = page.read_text(encoding="utf-8")
    policy = next(m["content"] for m in read.every("meta") if "http-equiv" in m)
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert not read.every("script")
    assert not read.every("link")
    for _, attributes in read.elements:
        for name in ("src", "href", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), value
        assert not any(name.startswith("on") for name in attributes)
    assert "http://" not in re.sub(r"http%?(3A)?://www\.w3\.org/", "", text)
    assert "@import" not in text
    assert "url(" not in re.sub(r"data:[^\"]*", "", text)


def test_a_page_shows_what_it_was_given_and_runs_none_of_it(page):
    read = Read(page)
    assert "<script" not in page.read_text(encoding="utf-8").lower()
    assert EVIL in read.said


def test_a_page_can_be_read_by_ear(page):
    read = Read(page)
    assert read.every("html")[0]["lang"] == "en"
    assert len(read.every("h1")) == len(read.every("main")) == 1
    levels = [int(tag[1]) for tag in read.tags("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(image.get("alt") for image in read.every("img"))
    assert all(head.get("scope") in ("col", "row") for head in read.every("th"))
    identities = [a["id"] for _, a in read.elements if "id" in a]
    assert len(identities) == len(set(identities))
    for link in read.every("a"):
        assert (link["href"] or "")[1:] in identities
    for svg in read.every("svg"):
        assert svg["aria-hidden"] == "true"


def test_a_report_says_the_verdict_first_and_links_to_every_section(tmp_path):
    write_report(tmp_path / "r.html", REPORT)
    read = Read(tmp_path / "r.html")
    order = [read.said.index(part) for part in ("The answer: Yes", "second paragraph", "inside")]
    assert order == sorted(order)
    assert read.said.index("What this does not show\n") < read.said.index("The words\n")
    assert len(read.every("a")) == 1 + 1 + 3 + 3
    assert read.elements[[t for t, _ in read.elements].index("body")][1]["class"] == "report yes"
    assert read.said.count("ab" * 32) == 1
    assert "verdict rests on it" in read.said
    assert len(read.every("details")) == 2
    assert len(read.every("img")) == len(read.every("source")) == 2
    assert (tmp_path / "r.html").stat().st_size < 200_000


def test_the_same_report_has_the_same_bytes_and_nothing_is_left_beside_it(tmp_path):
    for name in ("a.html", "b.html"):
        write_report(tmp_path / name, REPORT)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_letters_that_no_page_can_hold_are_replaced(tmp_path):
    odd = replace(REPORT, title="a\x00b\udcffc")
    write_report(tmp_path / "odd.html", odd)
    assert "\x00" not in (tmp_path / "odd.html").read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        write_report(tmp_path / "file" / "r.html", REPORT)


def test_wrong_parts_are_refused():
    with pytest.raises(ValueError, match="label 'main'"):
        Section("a", label="main")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="tone 'green'"):
        replace(REPORT, tone="green")
    with pytest.raises(ValueError, match="tone 'green'"):
        Asked("a", "b", "green")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="1 cells under 2 headings"):
        Table(("a", "b"), (("x",),))


def test_a_table_has_a_dash_for_what_is_missing_and_no_column_that_nobody_has(tmp_path):
    write_table_report(tmp_path / "t.html", "Both", ASKED, "today")
    read = Read(tmp_path / "t.html")
    heads = [
        part for part in ("sensitivity", "skill", "2AFC", "flicker", "sync") if part in read.said
    ]
    assert heads == ["skill", "2AFC", "flicker"]
    columns = len([head for head in read.every("th") if head["scope"] == "col"])
    assert columns == 3 + 5  # name, verdict, effect; p, MDE80, skill, 2AFC, flicker
    cells = len(read.every("td"))
    assert cells == len(ASKED) * (columns - 1)
    # Of the first row three, of the second three, of the third all but the verdict.
    assert read.said.count("\N{EN DASH}") == 3 + 3 + 6
    with pytest.raises(ValueError, match="nothing to compare"):
        write_table_report(tmp_path / "t.html", "None", [], "today")


def test_effects_of_a_table_are_drawn_on_one_scale(tmp_path):
    rows = [
        Asked("a", "Yes", "yes", effect=0.1, low=0.0, high=0.2, delta=0.1),
        Asked("b", "No", "no", effect=0.0, low=-0.1, high=0.1, delta=0.1),
    ]
    write_table_report(tmp_path / "t.html", "Two", rows, "today")
    first, second = (float(c["cx"] or 0) for c in Read(tmp_path / "t.html").every("circle"))
    # From -0.1 to 0.2 within 88 pixels that begin at 2.
    assert first == pytest.approx(2 + 88 * 2 / 3, abs=0.01)
    assert second == pytest.approx(2 + 88 / 3, abs=0.01)


def said(verdict: str, **changes: object) -> str:
    given = {
        "effect": 0.08,
        "low": 0.05,
        "high": 0.11,
        "p_swap": 0.001,
        "p_shift": 0.02,
        "mde80": 0.064,
        "delta": 0.04,
        "videos": 30,
        "samples": 40,
    }
    return "\n".join(words.opening(verdict, **{**given, **changes}))  # pyright: ignore


@pytest.mark.parametrize("verdict", ["YES", "NEGLIGIBLE", "NO", "UNDECIDED"])
def test_an_opening_says_the_numbers_and_no_cause(verdict):
    text = said(verdict)
    assert "+0.080" in text
    assert "+0.050 to +0.110" in text
    assert "p = 0.0010" in text
    assert "p = 0.020" in text
    assert "30 videos" in text
    assert not re.search(r"\b(causes?|proves?|proof|significan\w+|nan|None)\b", text)


def test_what_is_said_of_size_is_that_of_the_interval():
    assert "All of the interval lies above" in said("YES")
    assert "Part of the interval lies below" in said("YES", delta=0.06)
    assert "on both sides" in said("UNDECIDED", low=-0.02, delta=0.05)
    assert "lies within" in said("UNDECIDED", low=-0.02, high=0.03)
    assert "The test for smallness passed" in said("NO")


def test_what_is_said_of_luck_is_that_of_both_checks():
    assert "about 1 of 1,000 tries" in said("YES")
    assert "about 2 of 100 tries" in said("YES")
    assert "and both are" in said("YES")
    assert "had to lie above 0 as well" in said("UNDECIDED", low=-0.001)
    assert "only one is" in said("UNDECIDED", p_swap=0.2)
    assert "neither is" in said("NO", p_swap=0.2, p_shift=0.6)


def test_undecided_says_what_would_be_needed():
    assert "about 96 videos like these" in said("UNDECIDED", videos_needed=96)
    assert "would be needed" not in said("UNDECIDED", videos_needed=None)
    assert "would be needed" not in said("UNDECIDED", videos_needed=20)
    assert "+0.064" in said("NO")
    assert "+0.064" not in said("YES")


def test_invalid_gives_its_reason_and_no_number():
    text = said("INVALID", reason="The same song stands on both sides.")
    assert "The same song stands on both sides." in text
    assert not re.search(r"\d", text)


@pytest.mark.parametrize("verdict", words.HEADLINES)
def test_every_verdict_has_its_words(verdict):
    assert len(words.what_it_means(verdict)) > 40
    if verdict.isupper():
        assert said(verdict)
    else:
        text = " ".join(
            words.model_opening(verdict, 0.4, 0.06, 0.02, 0.1, 0.004, 0.01, 12, 0.03, 0.61)
        )
        for part in ("12 songs", "40 %", "+0.060", "61 %", "3.0 % smaller"):
            assert part in text
    with pytest.raises(KeyError):
        words.what_it_means("MAYBE")


def test_the_limits_name_cause_meaning_shape_and_other_directors():
    text = " ".join(LIMITS)
    for part in ("causes", "straight line", "meaning", "Other", "directors"):
        assert part.lower() in text.lower()
    assert len(MODEL_LIMITS) >= 4
    terms = " ".join(term for term, _ in GLOSSARY) + " ".join(meaning for _, meaning in GLOSSARY)
    for term in ("p-value", "interval", "swap null", "shift null", "MDE80", "delta"):
        assert term in terms


def test_numbers_are_written_as_people_write_them():
    minus, dash = "\N{MINUS SIGN}", "\N{EN DASH}"
    assert [signed(v) for v in (0.0624, -0.0624, 0.0001, float("nan"))] == [
        "+0.062",
        f"{minus}0.062",
        "0.000",
        dash,
    ]
    assert [plain(v, 1) for v in (1.25, -1.26, -0.01)] == ["1.2", f"{minus}1.3", "0.0"]
    assert [p_value(p) for p in (0.0005, 0.001, 0.0134, 0.05, 0.0996, 0.2412, 1.0, 1e-6)] == [
        "0.0005",
        "0.0010",
        "0.013",
        "0.050",
        "0.10",
        "0.24",
        "1.00",
        "below 0.0001",
    ]
    assert share(0.834) == "83 %"
    assert interval(-0.01, 0.02, 2) == f"{minus}0.01 to +0.02"
    assert [counted(n, "song", "songs") for n in (1, 3, 1200)] == [
        "one song",
        "three songs",
        "1,200 songs",
    ]
    assert shortened("A  long\nname of a song", 12) == "A long n…ong"
    assert shortened("short", 12) == "short"
