"""`inspect`: the page shows what is in the dataset, holds it all itself, and says what is not."""

import base64
import hashlib
import io
import os
import re
import shutil
from fractions import Fraction
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clips_made_here import brightness_of, counting_clip
from soundreel.dataset.build import prepare
from soundreel.dataset.inspection import clip_measures, contact_sheet, gallery_page
from soundreel.dataset.inspection.clip_measures import envelope_of, loudness_of
from soundreel.dataset.inspection.gallery import inspect
from soundreel.dataset.inspection.gallery_drawing import brightness_histogram
from soundreel.dataset.inspection.moments import spread
from soundreel.dataset.loading import load_pairs
from soundreel.dataset.store import (
    Dataset,
    Origin,
    Sameness,
    frame_name,
    open_dataset,
    write_frame,
    write_rows,
    write_sound_image,
)
from soundreel.errors import DatasetError, SettingsError
from soundreel.media.sound import write_sound
from soundreel.recipe import recipe_from
from soundreel.sound.picture import colour_image
from soundreel.timeline import frame_shown_at

ROOT = Path(__file__).parents[2]
MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", ROOT.parent / "shared" / "media"))
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> & Söhne {{ 7*7 }}"


class Page(HTMLParser):
    """A page taken apart: elements with their attributes and clip, and its text."""

    def __init__(self, path: Path):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], str]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.clip = ""
        self.inside = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        attributes = {name: value or "" for name, value in attrs}
        self.inside = tag
        if tag == "article":
            self.clip = attributes["data-clip"]
        self.elements.append((tag, attributes, self.clip))

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts.append(data)
        elif self.inside != "style":
            self.words.append(data)

    def handle_endtag(self, tag):
        self.inside = ""

    def of(self, tag: str, kind: str = "", clip: str | None = None) -> list[dict[str, str]]:
        return [
            attributes
            for name, attributes, where in self.elements
            if name == tag
            and kind in ("", *attributes.get("class", "").split())
            and clip in (None, where)
        ]


def picture(uri: str) -> np.ndarray:
    kind, _, data = uri.partition(";base64,")
    assert kind == "data:image/jpeg"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data, validate=True))).convert("RGB"))


def gallery(dataset: Dataset, **options) -> Page:
    out = dataset.folder.parent / f"{dataset.folder.name}.html"
    assert inspect(dataset.folder, out, **options).out == out
    return Page(out)


def change(dataset: Dataset, clip_id: str, **fields) -> Dataset:
    write_rows(
        dataset.folder,
        [row.model_copy(update=fields) if row.id == clip_id else row for row in dataset.rows],
    )
    return open_dataset(dataset.folder)


def delete(dataset: Dataset, clip_id: str, *places: int) -> None:
    for k, path in dataset.frames(clip_id):
        if k in places:
            path.unlink()


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("made")
    clips = [
        counting_clip(folder / f"clip {n}.mp4", size=(96, 54), tone_hz=300 * n + 300)
        for n in range(4)
    ]
    (folder / "words.mp4").write_text("this is no film\n" * 100)
    recipe = recipe_from(
        "default",
        picture_size=64,
        start_seconds=1,
        stop_seconds=3,
        every_seconds="1/10",
        held_out_fraction=0.5,
        selection={"leave_out": ()},
    )
    return prepare([*clips, folder / "words.mp4"], folder / "set", recipe)


@pytest.fixture
def dataset(made, tmp_path) -> Dataset:
    shutil.copytree(made.folder, tmp_path / "my videos")
    opened = open_dataset(tmp_path / "my videos")
    rows = [
        row.model_copy(update={"places": 20, "skipped": {}, "skipped_at": {}}) if row.split else row
        for row in opened.rows
    ]
    write_rows(opened.folder, rows)
    return open_dataset(opened.folder)


def test_the_page_asks_nobody_for_anything(dataset):
    page = gallery(change(dataset, "clip-0", origin=Origin(url="javascript:alert(1)")))
    for tag, attributes, _ in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "audio", "video")
        for name in ("src", "srcset", "data", "poster", "background", "xlink:href", "action"):
            assert attributes.get(name, "data:").startswith("data:")
        assert not attributes.get("href", "#").lower().startswith("javascript")
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"url\(|@import|https?:", page.source)
    policy = next(m["content"] for m in page.of("meta") if "http-equiv" in m)
    assert "default-src 'none'" in policy
    assert len(page.scripts) == 1
    digest = base64.b64encode(hashlib.sha256(page.scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy, "the browser would not run our own script"


def test_pictures_are_the_frames_and_sound_images_of_their_moments(dataset):
    page = gallery(dataset, columns=5)
    pairs = load_pairs(dataset, None)
    assert len(page.of("img", "frame")) - 1 == len(page.of("img", "sound")) - 1 == 4 * 5
    for clip, clip_id in enumerate(pairs.clip_ids):
        moments = page.of("figure", "moment", clip_id)
        places = [int(moment["data-k"]) for moment in moments]
        assert places == [2, 6, 10, 14, 18]
        frames = page.of("img", "frame", clip_id)[:5]
        sounds = page.of("img", "sound", clip_id)[:5]
        for k, frame, sound in zip(places, frames, sounds, strict=True):
            shown = frame_shown_at(1 + Fraction(k, 10), Fraction(25))
            frame_HW3 = picture(frame["src"])
            assert frame_HW3.shape == (90, 160, 3), "in the film's own shape, 16:9"
            assert abs(frame_HW3.mean() - brightness_of(shown)) < 4
            index = int(np.flatnonzero(pairs.clip_N == clip)[k])
            expected = Image.fromarray(colour_image(pairs.sound_images([index])[0, 0].numpy()))
            small_HW3 = np.asarray(expected.resize((160, 90), Image.Resampling.LANCZOS))
            assert np.abs(picture(sound["src"]).astype(int) - small_HW3).mean() < 6


@pytest.mark.parametrize("representation", ["log", "psd"])
def test_low_tones_are_at_the_bottom(tmp_path, representation):
    clip = counting_clip(tmp_path / "clip.mp4", tone_hz=400)
    changes = {"window_samples": 65_536, "hop_samples": 255} if representation == "psd" else {}
    recipe = recipe_from(
        "default", representation=representation, every_seconds=2, picture_size=32, **changes
    )
    page = gallery(prepare([clip], tmp_path / "set", recipe))
    rows = picture(page.of("img", "sound")[0]["src"]).astype(int).sum((1, 2))
    assert rows[-9:].mean() > 3 * rows[:45].mean()


def test_what_was_left_out_is_said_and_drawn_where_it_was(dataset):
    black, deleted = range(4, 8), [10, 15, 16]
    delete(dataset, "clip-1", *black, *deleted)
    shutil.rmtree(dataset.clip_folder("clip-2"))
    dataset = change(
        dataset,
        "clip-1",
        pairs=16,
        skipped={"black": 4},
        skipped_at={"black": ((4, 8),)},
    )
    page = gallery(dataset)
    assert "black 4" in page.text
    assert "deleted by hand 3" in page.text
    assert "13 pairs of 20 moments" in page.text
    assert "clip-2: its folder was removed" in page.text
    assert "words.mp4: cannot be read" in page.text
    bands = page.of("path", "band", "clip-1")
    # Of 4 s, place k is at 1 + k / 10, and a place lasts a tenth of a second.
    expected = [[(1.4, 0.4)], [(2.0, 0.1), (2.5, 0.2)]]
    for band, stretches in zip(bands, expected, strict=True):
        drawn = re.findall(r"M([\d.]+) 0h([\d.]+)v100", band["d"])
        assert np.allclose(np.array(drawn, float), np.array(stretches) / 4 * 1000, atol=0.6)
    assert not page.of("path", "band", "clip-0")
    assert "black: 0:01" in page.text


def test_the_used_span_and_the_sound_are_where_they_are_in_the_clip(dataset):
    rate = 44_100
    t = np.arange(4 * rate) / rate
    burst = np.where((t >= 2.5) & (t < 3), 0.5 * np.sin(2 * np.pi * 500 * t), 0)
    write_sound(dataset.sound_path("clip-0"), burst.astype(np.float32)[None], rate)
    page = gallery(dataset)
    used = page.of("rect", "used", "clip-0")[0]
    assert (float(used["x"]), float(used["width"])) == (250, 500)
    for kind in ("peaks", "rms"):
        points = np.array(re.findall(r"([\d.]+) ([\d.]+)", page.of("path", kind, "clip-0")[0]["d"]))
        x, y = points.astype(float).T
        high = np.abs(y - 50) > 20
        assert 620 <= x[high].min() <= 630, "the burst begins at 2.5 s of 4"
        assert 745 <= x[high].max() <= 755
        assert np.all(y[(x < 620) | (x > 760)] == 50)
    assert "peak \N{MINUS SIGN}6.0 dB" in page.text


def test_a_title_can_do_no_harm(dataset):
    dataset = change(
        dataset,
        "clip-0",
        title=EVIL,
        skipped={EVIL: 2},
        group="clip-0",
        same_as=(Sameness(id="clip-1", what="same song", shared_seconds=42.4),),
        origin=Origin(url='https://a.b/"onload="x', uploader=EVIL, licence=EVIL),
    )
    dataset = change(dataset, "clip-1", title=EVIL, group="clip-0", left_out=None)
    page = gallery(dataset)
    assert page.text.count(EVIL) >= 5
    assert len(page.of("script")) == 1
    assert not [a for _, a, _ in page.elements if any(name.startswith("on") for name in a)]
    assert [a["href"] for a in page.of("a")] == ['https://a.b/"onload="x']
    assert "same song as" in page.text
    assert "42 s shared" in page.text


def test_folders_of_the_persons_disk_are_not_shown(made, dataset):
    page = gallery(dataset)
    assert "clip 0.mp4" in page.text
    for folder in (made.folder.parent, dataset.folder.parent):
        assert str(folder) not in page.source


def test_a_song_in_two_splits_is_a_warning(dataset):
    by_split = {row.split: row.id for row in dataset.rows if row.split}
    seen, held_out = by_split["train"], by_split["val"]
    same = Sameness(id=held_out, what="same song", shared_seconds=3)
    dataset = change(change(dataset, seen, group=seen, same_as=(same,)), held_out, group=seen)
    assert "in different splits" in gallery(dataset).text
    together = change(dataset, held_out, split="train")
    assert "in different splits" not in gallery(together).text


def test_the_same_dataset_gives_the_same_bytes(dataset, tmp_path):
    inspect(dataset.folder, tmp_path / "a.html")
    for path in dataset.folder.rglob("*"):
        os.utime(path, (1, 1))
    inspect(dataset.folder, tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert not (dataset.folder / ".cache").exists(), "looking leaves nothing in the dataset"


def test_a_damaged_frame_is_named_and_the_others_are_shown(dataset):
    _, path = dataset.frames("clip-3")[3]
    path.write_bytes(path.read_bytes()[:300])
    page = gallery(dataset)
    assert f"Cannot be read, delete: {path.name}" in page.text
    assert "1 frame cannot be read" in page.text


def test_a_clip_without_its_sound_is_said_to_be_gone(dataset):
    dataset.sound_path("clip-0").unlink()
    for _, path in dataset.frames("clip-1"):
        path.unlink()
    page = gallery(dataset)
    assert "clip-0: its sound.flac is gone" in page.text
    assert "clip-1: all its frames are gone" in page.text


def test_stored_sound_images_have_no_waveform(tmp_path):
    recipe = recipe_from(
        "default", sound_images="stored", every_seconds=1, picture_size=32, sound_image_size=256
    )
    (tmp_path / "set" / "clips" / "a" / "frames").mkdir(parents=True)
    (tmp_path / "set" / "clips" / "a" / "sound_images").mkdir()
    (tmp_path / "set" / "recipe.json").write_text(recipe.model_dump_json())
    for k in range(3):
        folder, grey = tmp_path / "set" / "clips" / "a", np.full((32, 32, 3), 60 * k, np.uint8)
        write_frame(folder / "frames" / frame_name(k, Fraction(k)), grey, 95)
        level_SS = np.full((256, 256), k / 2 - 0.5)
        write_sound_image(folder / "sound_images" / frame_name(k, Fraction(k), ".png"), level_SS)
    row = {"title": "A", "source": "a", "bytes": 0, "sha256": "", "split": "train", "pairs": 3}
    write_rows(tmp_path / "set", [gallery_page.ClipRow(id="a", **row)])
    page = gallery(open_dataset(tmp_path / "set"))
    assert not page.of("svg", "strip")
    assert "there is no waveform to draw" in page.text
    for k, sound in enumerate(page.of("img", "sound", "a")[:3]):
        expected = colour_image(np.full((1, 1), k / 2 - 0.5))[0, 0].astype(int)
        assert np.abs(picture(sound["src"]).reshape(-1, 3).mean(0) - expected).max() < 4
    assert inspect(tmp_path / "set", tmp_path / "sheet.png").pairs == 3


def test_many_clips_make_a_page_that_still_opens(dataset, monkeypatch):
    for clips in (1, 40, 150, 600, 1000, 100_000):
        sizes = gallery_page._sizes(clips, 8)
        shown = min(clips, gallery_page.MOST_CLIPS)
        assert 1 <= sizes.moments <= 8
        # 8 KB a pair of thumbnails of 160 pixels is what noise takes, twice what films take.
        assert shown * sizes.moments * 8_000 * (sizes.thumbnail_width / 160) ** 2 < 12e6
    monkeypatch.setattr(gallery_page, "MOST_CLIPS", 2)
    page = gallery(dataset)
    assert len(page.of("article")) == 2
    assert "2 of 4 clips are shown" in page.text
    assert "80 pairs" not in page.text
    assert "pairs 80" in page.text


def test_a_sheet_of_many_clips_shows_some_of_them(dataset, tmp_path, monkeypatch):
    inspect(dataset.folder, tmp_path / "all.png")
    monkeypatch.setattr(contact_sheet, "MOST_CLIPS", 2)
    inspect(dataset.folder, tmp_path / "some.png")
    heights = [Image.open(tmp_path / name).height for name in ("all.png", "some.png")]
    assert heights[0] > 1.7 * heights[1]


def test_the_sheet_shows_the_frames(dataset, tmp_path):
    done = inspect(dataset.folder, tmp_path / "sheet.png", columns=4)
    assert (done.clips, done.pairs) == (4, 80)
    sheet_HW3 = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet_HW3.shape[1] == 2 * 28 + 4 * 192 + 3 * 10
    for column, k in enumerate([2, 7, 12, 17]):
        shown = frame_shown_at(1 + Fraction(k, 10), Fraction(25))
        left = 28 + column * 202
        cell = sheet_HW3[78 + 26 : 78 + 26 + 108, left : left + 192]
        assert abs(cell.mean() - brightness_of(shown)) < 3


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"out": Path("sheet.gif")}, r"ends in \.html for a gallery"),
        ({}, "nothing to do"),
        ({"out": Path("sheet.png"), "columns": 0}, "give 1 or more"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_deleted(dataset, arguments, line):
    drop = ["clip-0"] if "out" in arguments else []
    with pytest.raises(SettingsError, match=line):
        inspect(dataset.folder, drop=drop, **arguments)
    assert dataset.clip_folder("clip-0").is_dir()


def test_a_dataset_without_a_frame_is_refused(dataset, tmp_path):
    shutil.rmtree(dataset.folder / "clips")
    for name in ("page.html", "sheet.png"):
        with pytest.raises(DatasetError, match="no clip with a frame is left"):
            inspect(dataset.folder, tmp_path / name)


def test_drop_then_look(dataset, tmp_path):
    done = inspect(dataset.folder, tmp_path / "page.html", drop=["clip-0:0-4", "clip-1"])
    assert (done.clips, done.pairs, done.dropped.frames) == (3, 55, 25)
    page = Page(tmp_path / "page.html")
    assert "deleted by hand 5" in page.text
    assert "clip-1: its folder was removed" in page.text


@given(st.lists(st.integers(0, 255), min_size=1, max_size=60))
def test_a_histogram_counts_every_value_and_knows_the_middle(values):
    histogram = brightness_histogram(values)
    assert histogram.total == len(values)
    assert abs(histogram.shares.sum() - 1) < 1e-9
    median = histogram.median
    assert median is not None
    assert abs(median - sorted(values)[(len(values) - 1) // 2]) <= 255 / 20
    assert (histogram + histogram).median == median


@given(st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=90), st.integers(1, 100))
def test_an_outline_is_that_of_equal_stretches(samples, points):
    sound_N = np.array(samples, np.float32)
    envelope = envelope_of(sound_N, points)
    edges = [n * len(samples) // min(points, len(samples)) for n in range(len(envelope.peak_P) + 1)]
    for place, (first, stop) in enumerate(pairwise(edges)):
        stretch = sound_N[first:stop].astype(np.float64)
        assert envelope.peak_P[place] == np.abs(stretch).max()
        assert np.isclose(envelope.rms_P[place], np.sqrt((stretch**2).mean()), atol=1e-6)


def test_loudness_is_in_decibels_of_full_scale():
    sine_N = np.sin(2 * np.pi * 1000 * np.arange(44_100) / 44_100).astype(np.float32)
    level_K = loudness_of(sine_N, [10_000, 5_000, 0, 44_100 + 10_000], 10_000)
    assert level_K[0] == pytest.approx(-3.01, abs=0.01)
    assert level_K[1] == pytest.approx(-6.02, abs=0.01), "half of the window lies before the start"
    assert level_K[2] == level_K[3] == -60


@pytest.mark.parametrize("size", [64, 100, 256])
def test_brightness_is_that_of_the_whole_picture(tmp_path, size):
    rng = np.random.default_rng(size)
    for n, level in enumerate((20, 128, 230)):
        noise = rng.normal(level, 30, (size, size, 3)).clip(0, 255).astype(np.uint8)
        write_frame(tmp_path / f"{n}.jpg", noise, 92)
        whole = np.asarray(Image.open(tmp_path / f"{n}.jpg").convert("L")).mean()
        assert abs(clip_measures.brightness_of(tmp_path / f"{n}.jpg", size) - whole) < 1


@given(st.integers(0, 500), st.integers(1, 40))
def test_moments_are_evenly_spread(length, count):
    places = spread(length, count)
    assert len(places) == min(length, count)
    assert all(0 <= place < length for place in places)
    gaps = np.diff(places)
    assert len(gaps) == 0 or (gaps.min() >= 1 and gaps.max() - gaps.min() <= 1)


@pytest.mark.slow
def test_a_gallery_of_real_clips(tmp_path):
    names = ("bbb_flight_360p.mp4", "sintel_trailer_480.mp4", "case_theora_panda.ogv")
    clips = [MEDIA / "videos" / name for name in names]
    if not all(clip.exists() for clip in clips):
        pytest.skip("the real clips are not there (SOUNDREEL_MEDIA may say where)")
    dataset = prepare(clips, tmp_path / "set", recipe_from("default", every_seconds=2))
    page = gallery(dataset)
    assert len(page.of("article")) == 3
    assert len(page.of("svg", "strip")) == 3
    assert len(page.source) < 500_000
