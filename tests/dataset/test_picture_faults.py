"""Black, frozen and title pictures: planted ones, real encodings of stills, and real films."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from soundreel.dataset.picture_faults import (
    UNCHANGED,
    Frozen,
    change_between,
    is_black,
    is_title,
)
from soundreel.media.probe import probe
from soundreel.media.video import Fit, frames_at
from soundreel.media.writer import FilmWriter

ROOT = Path(__file__).parents[2]
MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", ROOT.parent / "shared" / "media"))
SIZE = 180, 320


def real(name: str, times_seconds: list[Fraction], width: int = 640) -> list[np.ndarray]:
    path = MEDIA / "videos" / name
    if not path.exists():
        pytest.skip(f"{name} is not there (SOUNDREEL_MEDIA may say where)")
    height = round(width / float(probe(path).display_aspect))
    return [picture for _, picture in frames_at(path, times_seconds, Fit(height, width))]


def scene(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), np.uint8)
    image = Image.fromarray(small).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.asarray(image)


def card(text: str, ground: np.ndarray, ink, points: float) -> np.ndarray:
    image = Image.fromarray(ground)
    middle = image.width / 2, image.height / 2
    font = ImageFont.load_default(points)
    ImageDraw.Draw(image).multiline_text(middle, text, ink, font, "mm", align="center")
    return np.asarray(image)


def plain(colour, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.full((*size, 3), colour, np.uint8)


def test_black_is_black_with_an_encoders_noise_and_not_with_a_light_in_it():
    rng = np.random.default_rng(0)
    assert is_black(plain(0))
    assert is_black(rng.integers(0, 26, (*SIZE, 3), np.uint8))
    assert not is_black(plain(40))
    assert not is_black(plain((0, 0, 60))), "night blue"
    lamp = plain(0).copy()
    lamp[90:100, 160:170] = 200
    assert not is_black(lamp)
    assert not is_black(card("COMING SOON", plain(0), "white", 12))
    assert not is_black(scene())


def test_real_black_frames():
    # (clip, seconds): what is on the screen, seen.
    assert all(map(is_black, real("sintel_trailer_480.mp4", [Fraction(0), Fraction(51)])))
    assert is_black(real("bbb_forest_486p.mp4", [Fraction(60)])[0])
    night = real("ed_opening_two_audio.mp4", [Fraction(3), Fraction(18)])  # figures before black
    assert not any(map(is_black, night))


@pytest.mark.parametrize("size", [SIZE, (360, 640), (256, 256), (568, 320)])
def test_cards_are_titles_whatever_their_colours(size):
    y, x = np.mgrid[0 : 1 : size[0] * 1j, 0 : 1 : size[1] * 1j]
    gradient = (np.stack([60 + 60 * x, 90 * y, 120 - 60 * x], 2)).astype(np.uint8)
    text = "A FILM BY\nSOMEBODY ELSE\nwith music by nobody"
    points = min(size) / 14
    assert is_title(card(text, plain(0, size), "white", points))
    assert is_title(card(text, plain((240, 230, 210), size), (60, 20, 20), points))
    assert is_title(card(text, gradient, "white", points))
    assert is_title(card(text, plain(0, size), (90, 90, 90), points)), "a card that fades"


def test_pictures_are_no_titles():
    dots = plain(0).copy()
    places = np.random.default_rng(1).integers(0, (SIZE[0] - 2, SIZE[1] - 2), (60, 2))
    for y, x in places:
        dots[y : y + 2, x : x + 2] = 255
    assert not is_title(dots), "stars"
    assert not is_title(plain(0))
    assert not is_title(plain(255))
    assert not is_title(scene())
    assert not is_title(card("A FILM BY\nSOMEBODY ELSE", scene(), "white", 14)), "over a scene"
    stripes = np.zeros((*SIZE, 3), np.uint8)
    stripes[:, ::8] = 255
    assert not is_title(stripes)


def test_titles_of_real_films_and_none_in_the_scenes():
    titles = real("bbb_credits_252p.mp4", [Fraction(t) for t in (20, 32, 52, 64, 80)])
    titles += real("sintel_trailer_480.mp4", [Fraction(t) for t in (10, 43, 48, 49)])
    assert all(map(is_title, titles))
    assert not is_title(real("bbb_opening_720p.mp4", [Fraction(3)])[0]), "leaves before the sky"
    for name in ("sintel_bridge_480p.mp4", "bbb_flight_360p.mp4", "ed_opening_two_audio.mp4"):
        assert not any(map(is_title, real(name, [Fraction(5 * t + 1) for t in range(5)])))


def test_change_is_seen_where_it_is_largest():
    before = scene()
    assert change_between(before, before) == 0
    after = before.copy()
    after[100:110, 200:210] = 255 - after[100:110, 200:210]
    assert change_between(before, after) > UNCHANGED
    noise = np.random.default_rng(2).normal(0, 12, before.shape)
    assert change_between(before, np.clip(before + noise, 0, 255).astype(np.uint8)) <= UNCHANGED
    assert change_between(plain(0), plain(255)) == 255


def test_a_still_is_frozen_after_the_limit_and_until_something_moves():
    frozen = Frozen(limit_seconds=2)
    shown = [0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 2, 2, 2, 2, 2]
    said = [frozen(Fraction(k, 2), scene(n)) for k, n in enumerate(shown)]
    expected = [False] * 15
    expected[4] = expected[5] = expected[14] = True
    assert said == expected


def test_a_slow_drift_is_no_still():
    frozen = Frozen(limit_seconds=2)
    assert not any(frozen(k / 5, plain(40 + 2 * k)) for k in range(60))


@pytest.mark.parametrize("crf", [23, 33])
def test_a_still_within_a_film_through_x264(tmp_path, crf):
    """4 s of motion, 13 s of a still (longer than between two key frames), 2 s of motion."""
    rng = np.random.default_rng(3)
    wide = scene(4, (180, 700))
    path = tmp_path / "film.mp4"
    with FilmWriter(path, 320, 180, Fraction(24), crf=crf) as film:
        for n in range(24 * 19):
            still_since = min(n, 96) + max(0, n - 24 * 17)
            picture = wide[:, still_since * 2 : still_since * 2 + 320]
            noise = rng.normal(0, 3, picture.shape)  # grain, as a camera gives
            film.write(np.clip(picture + noise, 0, 255).astype(np.uint8))
    times = [Fraction(k, 5) for k in range(95)]
    frozen = Frozen(limit_seconds=2)
    said = [
        time for (k, picture) in frames_at(path, times, Fit(180, 320))
        for time in [times[k]] if frozen(time, picture)
    ]  # fmt: skip
    # Still from 4 s to 17 s, so frozen from 6 s on; a grid step of doubt at either end.
    assert said == [time for time in times if said[0] <= time <= said[-1]], "without a gap"
    assert 6 <= said[0] <= Fraction(32, 5)
    assert Fraction(84, 5) <= said[-1] <= Fraction(86, 5)


def test_real_films_do_not_freeze():
    times = [Fraction(k, 2) for k in range(12)]
    for name, start in (("bbb_forest_486p.mp4", 45), ("ed_opening_two_audio.mp4", 31)):
        frozen = Frozen(limit_seconds=2)
        pictures = real(name, [start + time for time in times])
        assert not any(map(frozen, times, pictures)), f"{name}: a quiet shot"
