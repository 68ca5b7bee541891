"""What a run shows of itself: its curve, its page, and the events for TensorBoard."""

import base64
import re
import time
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from soundreel.training import board
from soundreel.training.board import Board, board_for, tag_of
from soundreel.training.curve import draw_curve
from soundreel.training.page import write_page
from soundreel.training.sheet import draw_sheet
from toy_pairs import toy_settings

FOLLOWED = ("brightness", "hue", "motion")


def row(step: int, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "step": step,
        "epoch": step / 100,
        "discriminator_loss": 1.0 + 0.3 * np.sin(step),
        "adversarial_loss": 1.2 + step / 1000,
        "l1_loss": 0.3 * 0.999**step,
        "measured_on": "held-out",
        "l1": 0.25 + 0.1 * 0.998**step,
        "mean_l1": 0.31,
        "ms_ssim": 0.4 - 0.2 * 0.998**step,
        "sharpness": 0.2 + step / 2000,
        "sensitivity": 0.1 + step / 3000,
        **{f"own_{name}": 0.3 for name in FOLLOWED},
        **{f"swapped_{name}": 0.1 for name in FOLLOWED},
        **{f"follow_{name}": 0.2 * np.cos(step) for name in FOLLOWED},
        "follow": 0.15,
        "learning_rate": 2e-4,
        "seconds": step / 5,
        "samples_per_second": 20.0,
        "warnings": [],
    }
    return {**values, **changes}


ROWS = [row(step) for step in range(100, 1100, 100)]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def panels(picture_HWC: np.ndarray) -> dict[str, np.ndarray]:
    """The insides of the five panels, without titles and axes, by their place on the picture."""
    height, width = picture_HWC.shape[:2]
    rows = {"upper": (0.18, 0.43), "lower": (0.66, 0.91)}
    thirds = {"left": (0.06, 0.31), "middle": (0.39, 0.63), "right": (0.72, 0.97)}
    return {
        f"{vertical} {horizontal}": picture_HWC[
            int(top * height) : int(bottom * height), int(left * width) : int(right * width)
        ]
        for vertical, (top, bottom) in rows.items()
        for horizontal, (left, right) in thirds.items()
    }


def colourful(part_HWC: np.ndarray) -> int:
    """How many pixels have a colour: grid and reference lines are grey."""
    return int((np.ptp(part_HWC, axis=2) > 60).sum())


def test_every_panel_of_the_curve_has_lines(tmp_path):
    draw_curve(tmp_path / "curve.png", ROWS)
    picture = pixels(tmp_path / "curve.png")
    assert picture.shape[1] >= 1200
    for place, part in panels(picture).items():
        assert colourful(part) > 300, place
    assert [path.name for path in tmp_path.iterdir()] == ["curve.png"]


@pytest.mark.parametrize(
    ("lacking", "place"),
    [
        ({f"follow_{name}": None for name in FOLLOWED}, "lower middle"),
        ({"discriminator_loss": 0.0, "adversarial_loss": 0.0}, "lower right"),
        ({"sharpness": None, "sensitivity": None}, "lower left"),
        ({"ms_ssim": None}, "upper right"),
    ],
)
def test_a_panel_without_values_says_so_and_the_others_are_drawn(tmp_path, lacking, place):
    draw_curve(tmp_path / "curve.png", [{**row, **lacking} for row in ROWS])
    for name, part in panels(pixels(tmp_path / "curve.png")).items():
        assert (colourful(part) > 300) == (name != place)
        assert np.ptp(part) > 60  # lines, or words


@pytest.mark.parametrize("count", [1, 2, 300])
def test_a_curve_can_be_drawn_of_few_rows_and_of_many(tmp_path, count):
    draw_curve(tmp_path / "curve.png", [row(step) for step in range(1, count + 1)])
    picture = pixels(tmp_path / "curve.png")
    height, width = picture.shape[:2]
    below_the_names = picture[int(0.62 * height) :]
    for left in (0, width // 3, 2 * width // 3):  # a dot at the right end, at least
        assert colourful(below_the_names[:, left : left + width // 3]) > 30


def test_the_curve_lies_lower_where_the_loss_is_lower(tmp_path):
    rows = [row(step, l1=0.3 - step / 5000, l1_loss=None, mean_l1=None) for step in (100, 500, 900)]
    draw_curve(tmp_path / "curve.png", rows)
    picture = pixels(tmp_path / "curve.png")
    height, width = picture.shape[:2]
    amber = np.all(abs(picture - [0xF0, 0xB4, 0x5A]) < 30, axis=2)
    amber = amber[int(0.18 * height) : int(0.46 * height), : int(0.65 * width)]
    heights = [np.flatnonzero(column).mean() for column in amber.T if column.any()]
    assert len(heights) > 500
    assert np.corrcoef(np.arange(len(heights)), heights)[0, 1] > 0.99  # rows count downwards


def test_no_row_has_no_curve(tmp_path):
    with pytest.raises(ValueError, match="no row"):
        draw_curve(tmp_path / "curve.png", [])


class Page(HTMLParser):
    """A page as a browser would take it: its elements, and the text between."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for name, attributes in self.elements if name == tag)

    @property
    def refreshes(self) -> bool:
        return any(meta.get("http-equiv") == "refresh" for meta in self.all("meta"))


def page_of(folder: Path, rows=ROWS, state="training", total=2000, **options) -> Page:
    preset, warnings = options.get("preset", "toy"), options.get("warnings", [])
    write_page(folder, rows, toy_settings(), preset, state, total, warnings)
    page = Page((folder / "index.html").read_text(encoding="utf-8"))
    assert page.open == []
    return page


def write_sheet(folder: Path, rows: int = 2, step: int = 1000, tile: int = 64) -> None:
    noise = np.random.default_rng(step).integers(0, 256, (rows, tile, tile, 3), dtype=np.uint8)
    columns = [(heading, list(noise)) for heading in ("sound", "generated", "truth", "mean frame")]
    path = folder / "samples" / f"step-{step:08}.png"
    draw_sheet(path, "title", "note", columns, ["clip"] * rows, tile)


def test_the_page_holds_all_it_shows_and_asks_nobody(tmp_path):
    draw_curve(tmp_path / "curve.png", ROWS)
    write_sheet(tmp_path)
    page = page_of(tmp_path)
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action"):
            value = attributes.get(name, "data:")
            assert value.startswith("data:")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|https?://|<script|<link", text)
    curve, sheet = (image["src"] for image in page.all("img"))
    assert base64.b64decode(curve.split(",")[1]) == (tmp_path / "curve.png").read_bytes()
    assert sheet.startswith("data:image/jpeg")


def test_the_page_says_where_the_run_is(tmp_path):
    page = page_of(tmp_path)
    for expected in ("step 1,000 of 2,000", "epoch 10", "3:20 spent", "about 3:20 left", "0.264"):
        assert expected in page.text
    assert len(list(page.all("tr"))) == 1 + len(ROWS)
    assert "learning_rate" in page.text
    assert tmp_path.name in page.text


def test_the_time_left_is_at_the_pace_of_the_last_rows(tmp_path):
    slow = [row(step, seconds=step / 5 + max(0, step - 500)) for step in range(100, 1100, 100)]
    page = page_of(tmp_path, slow)
    seconds = 1000 * (1 + 1 / 5)
    assert f"about {int(seconds) // 60}:{int(seconds) % 60:02} left" in page.text


@pytest.mark.parametrize(
    "state", ["finished", "interrupted", "stopped early", "stopped by an error"]
)
def test_the_page_is_fetched_again_only_while_training(tmp_path, state):
    assert page_of(tmp_path).refreshes
    page = page_of(tmp_path, state=state)
    assert not page.refreshes
    assert state in page.text
    assert "left" not in page.text


def test_a_run_that_has_just_begun_has_a_page(tmp_path):
    page = page_of(tmp_path, [])
    assert page.refreshes
    assert "Nothing is measured yet" in page.text
    assert list(page.all("img")) == []


def test_values_that_are_not_known_are_left_out(tmp_path):
    lacking = {"sharpness": None, "follow": None, "l1_loss": None, "measured_on": "training"}
    lacking |= {f"follow_{name}": None for name in FOLLOWED}
    page = page_of(tmp_path, [row(100, **lacking)])
    assert "None" not in page.text.split("Settings")[0]
    assert "was trained on" in page.text


def test_warnings_are_shown_and_everything_is_escaped(tmp_path):
    evil = "<script>alert('x')</script>"
    folder = tmp_path / "run <b>&amp;"
    folder.mkdir()
    page = page_of(folder, preset=evil, warnings=[f"{evil} wins", "it also & turns"], state=evil)
    assert list(page.all("script")) == []
    assert list(page.all("b")) != []  # our own
    assert f"{evil} wins" in page.text
    assert "it also & turns" in page.text
    assert "run <b>&amp;" in page.text
    assert f"preset {evil}" in page.text


@pytest.mark.parametrize("rows", [6, 32])
def test_a_page_stays_below_a_megabyte_however_large_its_sheet(tmp_path, rows):
    many = [row(step) for step in range(10, 5010, 10)]
    draw_curve(tmp_path / "curve.png", many)
    write_sheet(tmp_path, rows, tile=256)
    page = page_of(tmp_path, many, total=10_000)
    assert (tmp_path / "index.html").stat().st_size < 1_000_000
    assert len(list(page.all("tr"))) == 13
    sheet = next(image for image in page.all("img") if "jpeg" in image["src"])
    assert 0 < int(sheet["width"]) <= 1200


def test_the_last_sheet_is_the_one_shown(tmp_path):
    for step in (500, 1500, 1000):
        write_sheet(tmp_path, step=step)
    assert "step-00001500.png" in page_of(tmp_path).text


def events_of(folder: Path) -> EventAccumulator:
    everything = {"images": 0, "scalars": 0}
    return EventAccumulator(str(folder / "tensorboard"), size_guidance=everything).Reload()


def numbers_of(rows: list[dict[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    names = [key for key, value in rows[0].items() if isinstance(value, int | float)]
    return {
        tag_of(name): [(row["step"], row[name]) for row in rows if row[name] is not None]
        for name in names
        if name not in ("step", "seconds")
    }


def assert_same(events: EventAccumulator, rows: list[dict[str, Any]]) -> None:
    expected: Mapping[str, list[tuple[int, float]]] = numbers_of(rows)
    assert set(events.Tags()["scalars"]) == set(expected)
    for tag, points in expected.items():
        found = [(event.step, event.value) for event in events.Scalars(tag)]
        assert [step for step, _ in found] == [step for step, _ in points], tag
        np.testing.assert_allclose([v for _, v in found], [v for _, v in points], rtol=1e-6)


def board_of(folder: Path) -> Board:
    found = board_for(folder)
    assert found is not None
    return found


def test_the_board_has_the_rows_and_the_sheets(tmp_path):
    rows = [row(1), row(2, follow_hue=None), row(3)]
    sheet = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    events = board_of(tmp_path)
    for one in rows:
        events.row(one)
    assert_same(events_of(tmp_path), rows)  # readable while the run goes on
    events.sheet(3, sheet)
    events.close()
    [image] = events_of(tmp_path).Images("sheet")
    assert (image.step, image.width, image.height) == (3, 40, 30)


def test_a_resumed_run_has_every_point_once(tmp_path):
    first = board_of(tmp_path)
    for step in (2, 4, 6, 8):
        first.row(row(step, l1=0.9))
    first.sheet(8, np.zeros((8, 8, 3), np.uint8))
    first.close()
    wait_for_another_name(tmp_path)
    resumed = board_of(tmp_path)  # from a checkpoint at 5, say
    again = [row(6), row(8), row(10)]
    for one in again:
        resumed.row(one)
    resumed.sheet(8, np.zeros((8, 8, 3), np.uint8))
    resumed.close()
    events = events_of(tmp_path)
    assert_same(events, [row(2, l1=0.9), row(4, l1=0.9), *again])
    assert [image.step for image in events.Images("sheet")] == [8]


def wait_for_another_name(folder: Path) -> None:
    """Event files are read in the order of their names, which begin with the second."""
    [written] = (folder / "tensorboard").iterdir()
    second = int(written.name.split(".")[3])
    while int(time.time()) <= second:
        time.sleep(0.05)


def test_a_board_that_nothing_was_written_to_leaves_no_files(tmp_path):
    board_of(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_without_tensorboard_there_is_no_board(tmp_path, monkeypatch):
    monkeypatch.setattr(board, "find_spec", lambda name: None)
    assert board_for(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
