"""What goes in: planted bars, black, still and silent stretches are found and left out."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from soundreel.dataset.build import prepare
from soundreel.dataset.selection import BLACK, DUPLICATE, FROZEN, SILENCE
from soundreel.dataset.store import read_frame
from soundreel.errors import SettingsError
from soundreel.media.sound import write_sound
from soundreel.media.writer import FilmWriter, Song
from soundreel.recipe import recipe_from

FPS = 25
RATE_HZ = 44_100
SIZE = (128, 72)


def moving(n: int) -> np.ndarray:
    """Stripes and a ball that no two frames of a minute share."""
    width, height = SIZE
    y_HW, x_HW = np.mgrid[:height, :width]
    red = 128 + 90 * np.sin(x_HW / 9 + n / 7)
    green = 128 + 90 * np.sin(y_HW / 5 - n / 11 + x_HW / 30)
    away = np.hypot(x_HW - 64 - 50 * np.cos(n / 31), y_HW - 36 - 25 * np.sin(n / 17))
    blue = np.where(away < 15, 230, 40)
    return np.stack([red, green, blue], -1).astype(np.uint8)


def clip(
    path: Path, picture: Callable[[int], np.ndarray], seconds: int, loud: Callable[[float], float]
) -> Path:
    """A film of these pictures; loud(t) is the level of its tone in noise at t seconds."""
    time_N = np.arange(seconds * RATE_HZ) / RATE_HZ
    level_N = np.repeat([loud(s / 100) for s in range(seconds * 100)], RATE_HZ // 100)
    noise_N = np.random.default_rng(1).standard_normal(len(time_N))
    sound = level_N * (np.sin(2 * np.pi * (300 + 40 * time_N) * time_N) + 0.1 * noise_N) / 3
    write_sound(path.with_suffix(".flac"), sound.astype(np.float32), RATE_HZ)
    height, width = picture(0).shape[:2]
    song = Song(path.with_suffix(".flac"), Fraction(0), None)
    with FilmWriter(path, width, height, Fraction(FPS), song) as film:
        for n in range(seconds * FPS):
            film.write(picture(n))
    path.with_suffix(".flac").unlink()
    return path


def small(**changes):
    return recipe_from("default", **{"picture_size": 64, "every_seconds": "1/4", **changes})


def test_faults_are_left_out_counted_and_told_where(tmp_path):
    def picture(n: int) -> np.ndarray:
        if 75 <= n < 125:  # 3 s to 5 s
            return np.full((72, 128, 3), 4, np.uint8)
        return moving(200 if 150 <= n < 250 else n)  # 6 s to 10 s nothing moves

    def loud(t: float) -> float:
        return 0.0 if 10 <= t < 13 else 0.5

    film = clip(tmp_path / "film.mp4", picture, 16, loud)
    dataset = prepare([film], tmp_path / "set", small())
    row = dataset.rows[0]
    assert row.places == 64
    assert row.skipped_at[BLACK] == ((12, 20),)
    (still,) = row.skipped_at[FROZEN]
    assert still[1] == 40
    assert 32 <= still[0] <= 33, "2 s may pass before it counts as standing still"
    (silent_first, silent_last) = row.skipped_at[SILENCE]
    assert silent_first == (0, 1), "before the song begins there is silence"
    # A window holds 1.42 s: wholly silent from 11.42 s to 13 s.
    assert silent_last == (46, 53)
    assert row.skipped == {BLACK: 8, FROZEN: 40 - still[0], SILENCE: 8}
    kept = {k for k, _ in dataset.frames("film")}
    assert row.pairs == len(kept) == 64 - sum(row.skipped.values())
    everything = prepare([film], tmp_path / "all", small(selection={"leave_out": []}))
    assert everything.rows[0].pairs == 64


def test_bars_are_cut_off_and_the_picture_within_fills_the_frame(tmp_path):
    def picture(n: int) -> np.ndarray:
        barred = np.zeros((96, 128, 3), np.uint8)
        barred[12:84] = moving(n)
        return barred

    film = clip(tmp_path / "film.mp4", picture, 4, lambda t: 0.5)
    dataset = prepare([film], tmp_path / "cut", small())
    top, bottom, left, right = dataset.rows[0].crop
    assert abs(top - Fraction(1, 8)) < 0.02
    assert abs(bottom - Fraction(1, 8)) < 0.02
    assert left == right == 0
    assert dataset.recipe.picture_aspect == Fraction(16, 9), "the shape is that of what remains"
    kept = prepare([film], tmp_path / "kept", small(selection={"letterbox": "keep"}))
    assert kept.rows[0].crop == (0, 0, 0, 0)
    assert kept.recipe.picture_aspect == Fraction(4, 3)
    frame = read_frame(dataset.frames("film")[5][1], 64)
    barred = read_frame(kept.frames("film")[5][1], 64)
    assert barred[:6].mean() < 8
    assert frame[0].mean() > 50
    assert frame[-1].mean() > 50


def test_pictures_like_earlier_ones_are_left_out_when_asked(tmp_path):
    film = clip(tmp_path / "film.mp4", lambda n: moving(n % 100 * 3), 12, lambda t: 0.5)
    selection = {"leave_out": ["near-duplicate"]}
    row = prepare([film], tmp_path / "set", small(selection=selection)).rows[0]
    assert row.pairs <= 16, "the film repeats itself every 4 s"
    assert row.skipped == {DUPLICATE: 48 - row.pairs}


def test_every_picture_of_the_clip_at_its_own_rate(tmp_path):
    film = clip(tmp_path / "film.mp4", moving, 2, lambda t: 0.5)
    recipe = small(every_seconds="frame", selection={"leave_out": []})
    dataset = prepare([film], tmp_path / "set", recipe)
    row = dataset.rows[0]
    assert row.pairs == 50
    assert [dataset.time_of(row, k) for k in (0, 7, 49)] == [0, Fraction(7, 25), Fraction(49, 25)]


def test_only_people_leaves_out_what_shows_none_and_says_so(tmp_path):
    film = clip(tmp_path / "film.mp4", moving, 2, lambda t: 0.5)
    other = clip(tmp_path / "other.mp4", lambda n: moving(n + 900), 2, lambda t: 0.5)
    from soundreel.errors import DatasetError

    with pytest.raises(DatasetError, match=r"nothing of it goes in .* no person"):
        prepare([film, other], tmp_path / "set", small(selection={"only": "people"}))


def test_the_artist_needs_photos():
    with pytest.raises(SettingsError, match="artist_photos"):
        small(selection={"only": "artist"})


def test_a_presets_own_selection_is_kept_where_nothing_else_is_asked_for():
    paper = recipe_from("paper")
    assert paper.selection.leave_out == ()
    assert paper.selection.letterbox == "keep"
    changed = recipe_from("paper", selection={"leave_out": ["black"]})
    assert changed.selection.leave_out == ("black",)
    assert changed.selection.letterbox == "keep"


def test_a_misspelt_fault_is_refused_with_the_known_ones():
    with pytest.raises(SettingsError, match="near-duplicate"):
        small(selection={"leave_out": ["blakc"]})
