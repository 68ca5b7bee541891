"""The picture of a song's plan: its size, what colours lie where, and titles of all sorts."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from soundreel.rendering.plan_picture import plan_picture
from soundreel.sound.rhythm import OnsetEnvelope
from soundreel.sound.song_form import Section, SongForm, song_form


def form(seconds: float, section_seconds: float = 20.0, bpm: float | None = 120.0) -> SongForm:
    """A made-up song: every bar a swell, sections A, B, A, B, ..."""
    starts = np.arange(0, seconds, section_seconds)
    sections = tuple(
        Section(float(a), float(min(a + section_seconds, seconds)), "AB"[k % 2], -12.0)
        for k, a in enumerate(starts)
    )
    time = np.arange(0, seconds, 0.1)
    onset = np.zeros(int(seconds * 100))
    onset[::50] = 4.0
    beats = np.empty(0) if bpm is None else np.arange(0, seconds, 60 / bpm)
    bars = np.empty(0) if bpm is None else np.arange(0, seconds + 240 / bpm, 240 / bpm)
    return SongForm(
        seconds=Fraction(seconds),
        tempo_bpm=bpm,
        beat_seconds_B=beats,
        bar_seconds=bars,
        beats_per_bar=4,
        sections=sections,
        onset=OnsetEnvelope(onset, 44_100, 441, 2_048),
        loudness_db_T=-15 + 5 * np.sin(np.pi * time),
        loudness_rate_hz=10.0,
    )


def drawn(form: SongForm, shots, tmp_path: Path, title: str = "A song") -> np.ndarray:
    out = tmp_path / "plan.png"
    plan_picture(form, shots, out, title)
    assert [path.name for path in tmp_path.iterdir()] == ["plan.png"]
    return np.asarray(Image.open(out).convert("RGB")).astype(int)


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(picture - colour).max(-1) < 8


AMBER, TEAL = (0xF0, 0xB4, 0x5A), (0x58, 0xC4, 0xB0)


def test_sections_lie_where_they_are_in_time_in_a_colour_of_their_own(tmp_path):
    picture = drawn(form(100), [], tmp_path)
    assert picture.shape[1] == 1800
    row = int(near(picture, AMBER).sum(1).argmax())
    left, right = 0.3 * 150, 1800 - 0.3 * 150
    for seconds, colour in [(18, AMBER), (22, TEAL), (38, TEAL), (42, AMBER), (98, AMBER)]:
        x = round(left + (right - left) * seconds / 100)
        assert near(picture[row, x - 3 : x + 3], colour).all(), seconds


def test_shots_have_a_lane_and_without_them_it_is_empty(tmp_path):
    without = drawn(form(60), [], tmp_path)
    shots = [(Fraction(0), Fraction(30), "sea"), (30.0, 60.0, "city"), (70.0, 90.0, "past it")]
    with_shots = drawn(form(60), shots, tmp_path)
    changed = np.flatnonzero((without != with_shots).any(-1).any(1))
    assert without.shape == with_shots.shape
    # One band, in the lower part.
    assert len(changed) == changed[-1] - changed[0] + 1
    assert changed[0] > 0.7 * len(without)
    lane = with_shots[(changed[0] + changed[-1]) // 2]
    assert (lane[700] != lane[1600]).any()


def test_a_long_song_goes_on_in_further_rows(tmp_path):
    short, hour, long = (
        drawn(form(seconds, seconds / 40), [(1, 5, "x")], tmp_path).shape[0]
        for seconds in (180, 3_600, 10_800)
    )
    assert hour > 5 * short
    assert long < 1.6 * hour


@pytest.mark.parametrize("title", ["A$AP $ong \\frac{", "日本語の歌", "x" * 300, "", "two\nlines"])
def test_any_title_and_name_can_be_written(tmp_path, title, recwarn):
    drawn(form(30), [(0, 30, title)], tmp_path, title)
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


@pytest.mark.parametrize("seconds", [0, 0.2, 9])
def test_what_has_no_beat_or_no_sound_is_drawn_too(tmp_path, seconds):
    silent = song_form([np.zeros(int(seconds * 16_000))], 16_000)
    assert drawn(silent, [(0, 0.1, "a")], tmp_path).shape[1] == 1800
    drawn(form(30, bpm=None), [], tmp_path)


def test_the_same_plan_makes_the_same_file(tmp_path):
    plan_picture(form(50), [(0, 20, "sea")], tmp_path / "one.png", "A song")
    plan_picture(form(50), [(0, 20, "sea")], tmp_path / "two.png", "A song")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
