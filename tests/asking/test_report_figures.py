"""The figures of the evidence report: what is drawn lies where the numbers say."""

import base64
import io
import re
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from soundreel.asking.report.cell_figures import heat_map, song_video_matrix
from soundreel.asking.report.picture_figures import frame_strip, realism_plot
from soundreel.asking.report.row_figures import attribution_plot, forest, skill_plot, sync_plot
from soundreel.asking.report.style import NARROW, WIDE, Picture
from soundreel.asking.report.time_figures import cut_lags, lag_plot
from soundreel.asking.report.trust_figures import calibration, power_curve
from soundreel.asking.report.verdict_figures import null_histograms, verdict_strip

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"


def tree(url: str) -> ElementTree.Element:
    kind, content = url.split(",", 1)
    assert kind == "data:image/svg+xml"
    return ElementTree.fromstring(unquote(content))


def words(url: str) -> list[str]:
    return ["".join(text.itertext()) for text in tree(url).iter(f"{SVG}text")]


def part(url: str, name: str) -> ElementTree.Element:
    found = [group for group in tree(url).iter(f"{SVG}g") if group.get("id") == name]
    assert len(found) == 1, f"{len(found)} parts {name}"
    return found[0]


def points(url: str, name: str) -> np.ndarray:
    """The corners of a path, or the places of markers. Shape: N x 2, pixels."""
    group = part(url, name)
    uses = [(use.get("x"), use.get("y")) for use in group.iter(f"{SVG}use")]
    if uses:
        return np.array(uses, float)
    path = next(group.iter(f"{SVG}path")).get("d") or ""
    return np.array(re.findall(r"[-\d.]+", path), float).reshape(-1, 2)


def ticks(url: str) -> tuple[np.ndarray, np.ndarray]:
    """The x axis's numbers and where they are written."""
    at: list[float] = []
    numbers: list[float] = []
    for group in tree(url).iter(f"{SVG}g"):
        if re.fullmatch(r"xtick_\d+", group.get("id") or ""):
            text = next(group.iter(f"{SVG}text"))
            at.append(float(text.get("x") or "nan"))
            numbers.append(float((text.text or "").replace("\N{MINUS SIGN}", "-")))
    return np.array(numbers), np.array(at)


def value_at(url: str, pixels: float) -> float:
    """The number on the x axis at a place, by a line through its ticks."""
    numbers, at = ticks(url)
    slope, start = np.polyfit(at, numbers, 1)
    return float(slope * pixels + start)


def strip(**changes: Any) -> Picture:
    given = {"effect": 0.08, "low": 0.05, "high": 0.11, "delta": 0.05, "mde80": 0.064}
    return verdict_strip(**{**given, "verdict": "YES", **changes})


RNG = np.random.default_rng(7)
NULL = RNG.normal(0, 0.02, 999)
LAGS = np.linspace(-0.5, 0.5, 41)
EDGES = np.linspace(-0.2, 0.2, 9)
FRAMES = RNG.integers(0, 256, (4, 32, 48, 3), dtype=np.uint8)


def all_figures() -> dict[str, Picture]:
    square = RNG.normal(0, 0.1, (5, 5))
    spectrum = np.linspace(60, 0, 32)
    lab = np.ones((3, 8))
    return {
        "strip": strip(),
        "strip far right": strip(effect=0.3, low=0.29, high=0.31),
        "strip far left": strip(effect=-0.3, low=-0.31, high=-0.29),
        "nulls": null_histograms(0.05, NULL, NULL[:500], 0.01, 0.03),
        "forest": forest(["a", "b"], [0.1, 0.2], [0, 0.1], [0.2, 0.3], 0.15, 0.1, 0.2),
        "lags": lag_plot(LAGS, np.cos(LAGS), -0.5, 0.5, -0.2, 0.2),
        "matrix": song_video_matrix(square, list("abcde")),
        "cuts": cut_lags(EDGES, np.arange(8), 1, 4),
        "calibration": calibration(np.linspace(0, 1, 50), {"fades": (3, 50)}),
        "power": power_curve([0, 0.1], [0, 1], [0, 0.9], [0.1, 1], [0, 0.06], 0.03),
        "heat": heat_map(["a", "b"], ["c"], np.array([[0.1], [-0.2]]), np.array([[0], [1]])),
        "frames": frame_strip([("real", list(FRAMES))], ["0:01"] * 4),
        "skill": skill_plot(["mean"], [0.1], [0.0], [0.2]),
        "realism": realism_plot(np.arange(1, 33), spectrum, spectrum, lab, lab, 1.2, 0.7),
        "attribution": attribution_plot(["drums"], ["hue"], *np.full((3, 1, 1), 0.1)),
        "sync": sync_plot(["AV-Align"], [0.3], [0.2], [0.1], [0.05], [0.15], 30),
    }


FIGURES = all_figures()


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_a_drawing_for_both_widths_with_words_for_it(name):
    picture = FIGURES[name]
    assert len(picture.alt) > 30
    assert (picture.width, picture.narrow_width) == (WIDE, NARROW)
    for url, width, height in (
        (picture.url, picture.width, picture.height),
        (picture.narrow_url, picture.narrow_width, picture.narrow_height),
    ):
        root = tree(url)
        assert root.get("viewBox") == f"0 0 {width} {height}"
        assert len(words(url)) >= 1
        text = ElementTree.tostring(root, encoding="unicode")
        assert "prefers-color-scheme:dark" in text
        # Whatever is drawn has a colour that the style sheet knows, also on a dark screen.
        assert not re.search(r"(fill|stroke): ?#", text)
        assert "black" not in text
        links = [element.get(HREF) or element.get("href") or "" for element in root.iter()]
        assert all(link.startswith(("#", "data:image/")) for link in links if link)
        assert len(url) < 400_000
    assert "\n" not in picture.url
    assert " " not in picture.url


@pytest.mark.parametrize("name", FIGURES)
def test_no_letter_leaves_the_picture_on_either_width(name):
    for url, width in ((FIGURES[name].url, WIDE), (FIGURES[name].narrow_url, NARROW)):
        for text in tree(url).iter(f"{SVG}text"):
            style = f"{text.get('style') or ''} text-anchor: {text.get('text-anchor')}"
            if "rotate" in (text.get("transform") or "").replace("rotate(-0", ""):
                continue
            size = re.search(r"font-size: ([\d.]+)", style)
            anchor = re.search(r"text-anchor: (\w+)", style)
            long = 0.5 * float(size[1] if size else 12) * len("".join(text.itertext()))
            before = {"middle": long / 2, "end": long}
            start = float(text.get("x") or "nan") - before.get(anchor[1] if anchor else "", 0)
            assert start > -8, text.text
            assert start + long < width + 8, text.text


def test_the_same_numbers_give_the_same_bytes():
    assert strip() == strip()
    assert strip() != strip(effect=0.081)
    again = null_histograms(0.05, NULL, NULL[:500], 0.01, 0.03)
    assert again == FIGURES["nulls"]


@pytest.mark.parametrize("width", ["url", "narrow_url"])
@pytest.mark.parametrize("effect", [0.08, -0.03, 0.31])
def test_the_verdicts_marker_lies_where_the_effect_is(effect, width):
    url = getattr(strip(effect=effect, low=effect - 0.03, high=effect + 0.03), width)
    assert value_at(url, points(url, "effect")[0, 0]) == pytest.approx(effect, abs=0.002)
    ends = points(url, "interval")[:, 0]
    for end, known in zip(sorted(ends), (effect - 0.03, effect + 0.03), strict=True):
        assert value_at(url, end) == pytest.approx(known, abs=0.002)
    assert value_at(url, points(url, "mde80")[0, 0]) == pytest.approx(0.064, abs=0.002)
    band = points(url, "delta")[:, 0]
    assert value_at(url, band.min()) == pytest.approx(-0.05, abs=0.002)
    assert value_at(url, band.max()) == pytest.approx(0.05, abs=0.002)


def test_numbers_that_are_not_known_do_not_stop_the_strip():
    picture = strip(effect=np.nan, low=np.nan, high=np.nan, mde80=np.nan, verdict="INVALID")
    assert "INVALID" in picture.alt


def test_the_observed_line_stands_in_both_histograms_and_the_count_is_that_of_the_p_value():
    picture = null_histograms(0.05, NULL, NULL[:500], 0.01, 0.03)
    assert "p = 0.010: 9 of 999 came out as large" in words(picture.url)
    assert "p = 0.030: 14 of 500 came out as large" in words(picture.url)
    for name in ("observed-0", "observed-1"):
        assert len(points(picture.url, name)) == 2
    with pytest.raises(ValueError, match="swap null"):
        null_histograms(0.05, [], NULL, 0.01, 0.03)


@pytest.mark.parametrize(("videos", "left_out"), [(12, []), (60, []), (75, [7, 8]), (61, [0, 1])])
def test_a_forest_has_a_row_for_each_video_or_for_the_ends_and_the_middle(videos, left_out):
    scores = RNG.permutation(videos) / 100
    names = [f"video {round(100 * score)}" for score in scores]
    said = words(forest(names, scores, None, None, 0.1, 0.05, 0.15).url)
    rows = [int(word.removeprefix("video ")) for word in said if word.startswith("video ")]
    assert rows == sorted(rows, reverse=True)
    assert len(rows) == min(videos, 60)
    assert {0, videos - 1} <= set(rows)
    gaps = [int(word.split()[1]) for word in said if re.fullmatch(r"… \d+ more …", word)]
    assert gaps == [number for number in left_out if number]
    assert sum(gaps) + len(rows) == videos
    assert "all videos" in said


def test_a_name_may_hold_anything_a_file_may_be_called():
    names = ["<b>&\"'", "a\x00b\udcff", "$x^2$ \u202egnos", "椎名"]
    picture = forest(names, [4, 3, 2, 1], None, None, 2, 1, 3)
    said = words(picture.url)
    assert names[0] in said
    assert "$x^2$ \N{REPLACEMENT CHARACTER}gnos" in said
    assert "椎名" in said
    assert "<b>" not in unquote(picture.url)
    assert words(frame_strip([(names[0], list(FRAMES))]).url) == [names[0]]


def test_the_lag_of_the_peak_is_said_and_marked():
    curve = np.exp(-(((LAGS - 0.1) / 0.05) ** 2))
    picture = lag_plot(LAGS, curve, -0.2, 0.2)
    assert any("picture 100 ms after sound" in word for word in words(picture.url))
    assert "picture 100 ms after sound" in picture.alt
    at = points(picture.url, "best")[0, 0]
    assert value_at(picture.url, at) == pytest.approx(100, abs=2)
    before = lag_plot(LAGS, curve[::-1], np.full(41, -0.2), np.full(41, 0.2))
    assert "picture 100 ms before sound" in before.alt


def test_a_matrix_with_a_diagonal_says_so():
    matrix = 0.01 * RNG.normal(size=(6, 6)) + 0.2 * np.eye(6)
    picture = song_video_matrix(matrix, list("abcdef"))
    assert "best of all for 6 of 6" in picture.alt
    own = points(picture.url, "own")[0, 0]
    assert own > WIDE / 2
    image = next(tree(picture.url).iter(f"{SVG}image"))
    url = image.get(HREF) or ""
    cells = pixels(url)
    assert cells.shape == (6, 6, 4)
    assert np.diagonal(cells[..., 3]).min() > 120 > cells[..., 3][~np.eye(6, dtype=bool)].max()
    with pytest.raises(ValueError, match="square"):
        song_video_matrix(matrix[:5], list("abcdef"))


def pixels(url: str) -> np.ndarray:
    content = base64.b64decode(url.split(",", 1)[1])
    return np.asarray(Image.open(io.BytesIO(content)))


def test_bars_of_cuts_are_as_high_as_their_counts():
    counts = np.array([1, 2, 8, 4, 0, 2, 2, 1])
    picture = cut_lags(EDGES, counts, np.ones(8), np.full(8, 5))
    heights = [np.ptp(points(picture.url, f"bar-{place}")[:, 1]) for place in range(8)]
    assert np.allclose(np.array(heights) / max(heights), counts / 8, atol=0.01)
    assert "1 of 8 bars are higher" in picture.alt
    assert "from \N{MINUS SIGN}100 to \N{MINUS SIGN}50 milliseconds" in picture.alt


def test_calibration_counts_and_an_honest_test_follows_the_line():
    picture = calibration((np.arange(200) + 0.5) / 200, {"fades": (3, 50), "walk": (10, 50)})
    assert {"3 of 50", "10 of 50"} <= set(words(picture.url))
    assert "5.0 % have a p-value" in picture.alt
    line = points(picture.url, "qq")
    assert np.allclose(line[:, 0] - line[0, 0], line[0, 1] - line[:, 1], atol=0.5)


def test_the_observed_score_stands_at_the_coupling_that_gives_it():
    lists = [0, 0.1, 0.2], [0.05, 0.5, 1], [0, 0.4, 0.9], [0.1, 0.6, 1], [0, 0.06, 0.12]
    picture = power_curve(*lists, observed_score=0.03)
    assert value_at(picture.url, points(picture.url, "observed")[0, 0]) == pytest.approx(
        0.05, abs=0.001
    )
    for beyond in (0.2, -0.1, None):
        assert "observed" not in power_curve(*lists, observed_score=beyond).alt


def test_what_stands_in_the_heat_map_is_framed_and_said():
    values = np.array([[0.2, 0.0], [-0.1, np.nan]])
    picture = heat_map(["loud", "low"], ["light", "hue"], values, values < 0)
    assert "1 stand: low with light (\N{MINUS SIGN}0.10)" in picture.alt
    cells = pixels(next(tree(picture.url).iter(f"{SVG}image")).get(HREF) or "")
    red, blue = cells[..., 0].astype(int), cells[..., 2].astype(int)
    assert red[0, 0] > blue[0, 0]
    assert red[1, 0] < blue[1, 0]
    assert cells[0, 0, 3] > cells[1, 0, 3] > cells[0, 1, 3] == cells[1, 1, 3] == 0


def test_the_frames_in_the_strip_are_the_frames():
    flat = [np.full((32, 48, 3), colour, np.uint8) for colour in (10, 120, 240)]
    picture = frame_strip([("real", flat), ("made", flat[::-1])], ["0:01", "0:02", "0:03"])
    found = [
        pixels(image.get("href") or "").mean() for image in tree(picture.url).iter(f"{SVG}image")
    ]
    assert np.allclose(found, [10, 120, 240, 240, 120, 10], atol=3)
    assert words(picture.url) == ["0:01", "0:02", "0:03", "real", "made"]
    many = frame_strip([("real", [flat[0]] * 30)])
    assert len(list(tree(many.url).iter(f"{SVG}image"))) == 12
    assert len(list(tree(many.narrow_url).iter(f"{SVG}image"))) == 4
    for wrong in ([], [("real", [])], [("real", flat), ("made", flat[:1])]):
        with pytest.raises(ValueError, match="pictures in the rows"):
            frame_strip(wrong)


def test_the_made_point_lies_at_its_motion():
    spectrum, lab = np.linspace(60, 0, 32), np.ones((3, 8))
    url = realism_plot(np.arange(1, 33), spectrum, spectrum, lab, lab, 1.2, 0.5).url
    x, y = points(url, "made-point")[0]
    assert x < WIDE
    assert y < 130  # flicker above 1 lies in the upper half
    unknown = realism_plot(np.arange(1, 33), spectrum, spectrum, lab, lab, np.nan, 0.5).url
    assert "made-point" not in unquote(unknown)


def test_numbers_without_their_partners_are_an_error():
    with pytest.raises(ValueError, match="scores"):
        forest(["a"], [1, 2], None, None, 1, 0, 2)
    with pytest.raises(ValueError, match="skill"):
        skill_plot([], [], [], [])
    with pytest.raises(ValueError, match="edges"):
        cut_lags([0, 1], [1, 2], 0, 1)
    with pytest.raises(ValueError, match="shapes"):
        attribution_plot(["drums"], ["hue"], np.ones((1, 2)), np.ones((1, 1)), np.ones((1, 1)))
