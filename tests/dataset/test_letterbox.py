"""Bars are found where they were drawn, through noise, fades and subtitles; and only there."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from soundreel.dataset.letterbox import ANALYSIS_WIDTH, NO_BARS, Bars, letterbox
from soundreel.media.probe import probe
from soundreel.media.video import Fit, frames_at
from soundreel.media.writer import FilmWriter

ROOT = Path(__file__).parents[2]
MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", ROOT.parent / "shared" / "media"))
HEIGHT, WIDTH = 180, ANALYSIS_WIDTH


def texture(rng: np.random.Generator, height: int, width: int, darkest: int = 0) -> np.ndarray:
    """Blotches of any colour, down to black, as a film's picture has them."""
    small = rng.integers(darkest, 256, (7, 9, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def barred(rng, picture_HW3: np.ndarray, bars: tuple[int, int, int, int]) -> np.ndarray:
    """The picture with black bars of so many pixels (top, bottom, left, right), with noise."""
    top, bottom, left, right = bars
    height, width = picture_HW3.shape[:2]
    noise = rng.integers(0, 12, (height, width, 3))
    film = noise.copy()
    inside = slice(top, height - bottom), slice(left, width - right)
    film[inside] = picture_HW3[inside].astype(int) + noise[inside] - 6
    return np.clip(film, 0, 255).astype(np.uint8)


def film(rng, bars, count: int = 12) -> list[np.ndarray]:
    """Pictures of a clip: black, a fade, then scenes."""
    scenes = [texture(rng, HEIGHT, WIDTH) for _ in range(count)]
    scenes[0] = scenes[0] * 0
    scenes[1] = (scenes[1] * 0.2).astype(np.uint8)
    return [barred(rng, scene, bars) for scene in scenes]


def pixels(bars: Bars) -> tuple[int, ...]:
    shares = zip(bars, (HEIGHT, HEIGHT, WIDTH, WIDTH), strict=True)
    found = tuple(share * side for share, side in shares)
    assert all(pixel.denominator == 1 for pixel in found)
    return tuple(map(int, found))


sides = st.one_of(st.just(0), st.integers(4, 60))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(sides, sides, st.one_of(st.just(0), st.integers(6, 100)),
       st.one_of(st.just(0), st.integers(6, 100)), st.integers(0, 10**6))  # fmt: skip
def test_any_bars_are_found_with_one_pixel_to_spare(top, bottom, left, right, seed):
    rng = np.random.default_rng(seed)
    found = pixels(letterbox(film(rng, (top, bottom, left, right))))
    for drawn, opposite, pixel in zip(
        (top, bottom, left, right), (bottom, top, right, left), found, strict=True
    ):
        assert drawn + 1 <= pixel <= drawn + 2 if drawn and opposite else pixel == 0


def test_a_dark_wall_on_one_side_is_no_bar():
    talk = film(np.random.default_rng(9), (0, 0, 0, 90))
    assert letterbox(talk) == NO_BARS


def test_the_order_and_number_of_pictures_hardly_matter():
    rng = np.random.default_rng(1)
    pictures = film(rng, (22, 22, 0, 0), 40)
    assert letterbox(pictures) == letterbox(pictures[::-1]) == letterbox(iter(pictures[::4]))


@pytest.mark.parametrize("brightness", [0, 24])
def test_a_dark_clip_has_no_bars(brightness):
    assert letterbox([np.full((HEIGHT, WIDTH, 3), brightness, np.uint8)] * 9) == NO_BARS
    assert letterbox([]) == NO_BARS


def test_scenes_that_lack_light_at_the_border_keep_it():
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    vignette = np.clip(255 * (1.2 - 1.5 * np.hypot(x, y)), 0, 255)
    oval = np.where(np.hypot(x, y * 1.2) < 0.7, 200, 0)
    figure = np.zeros((HEIGHT, WIDTH))
    figure[60:, 140:190] = 180  # a body
    figure[40:60, 155:175] = 180  # and its head
    for luma in (vignette, oval, figure):
        picture = np.repeat(luma.astype(np.uint8)[..., None], 3, 2)
        assert letterbox([picture] * 10) == NO_BARS


def test_light_at_the_border_in_a_single_picture_means_there_is_no_bar():
    rng = np.random.default_rng(2)
    pictures = film(rng, (25, 25, 0, 0), 40)
    assert pixels(letterbox(pictures))[:2] == (26, 26)
    pictures[7] = texture(rng, HEIGHT, WIDTH, darkest=60)
    assert letterbox(pictures) == NO_BARS


def test_deep_blue_is_light():
    blue = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    blue[..., 2] = 120  # a luma of 14
    assert letterbox([barred(np.random.default_rng(3), blue, (20, 20, 0, 0))] * 8) != NO_BARS
    assert letterbox([blue] * 8) == NO_BARS


def test_subtitles_and_a_passing_logo_do_not_hide_a_bar():
    rng = np.random.default_rng(4)
    pictures = film(rng, (24, 24, 0, 0), 40)
    for n in (5, 11, 17, 23, 29):
        image = Image.fromarray(pictures[n])
        draw = ImageDraw.Draw(image)
        draw.text((70, 161), f"I never said that, number {n}", "white", ImageFont.load_default(13))
        draw.rectangle((280, 5, 310, 16), "red")
        pictures[n] = np.asarray(image)
    assert pixels(letterbox(pictures)) == (25, 25, 0, 0)


def test_a_window_is_found_though_logos_pass_in_its_bars():
    pictures = film(np.random.default_rng(8), (50, 50, 90, 90), 30)
    for n in (4, 9, 14):
        pictures[n][8:18, 8:30] = 200
        pictures[n][165:172, 280:312] = 200
    assert pixels(letterbox(pictures)) == (51, 51, 91, 91)


def test_a_logo_that_always_shows_goes_with_its_bar():
    pictures = film(np.random.default_rng(7), (24, 24, 0, 0), 20)
    for picture in pictures:
        picture[6:16, 285:310] = 220
    assert pixels(letterbox(pictures)) == (25, 25, 0, 0)


def test_thin_lines_at_the_border_are_left():
    rng = np.random.default_rng(5)
    assert letterbox(film(rng, (2, 2, 4, 4))) == NO_BARS
    with pytest.raises(ValueError, match="one size"):
        letterbox([np.zeros((9, 16, 3), np.uint8), np.zeros((9, 12, 3), np.uint8)])


def test_bars_of_a_real_encoded_film_at_its_own_size(tmp_path):
    """Drawn at 640 x 360, encoded by x264 at a low quality, found at 320, true at 360."""
    rng = np.random.default_rng(6)
    with FilmWriter(tmp_path / "boxed.mp4", 640, 360, Fraction(5), crf=33) as writer:
        for _ in range(20):
            writer.write(barred(rng, texture(rng, 360, 640), (47, 47, 81, 80)))
    times = [Fraction(k, 5) for k in range(20)]
    size = Fit(180, ANALYSIS_WIDTH, "area")
    bars = letterbox(picture for _, picture in frames_at(tmp_path / "boxed.mp4", times, size))
    top, bottom, left, right = bars
    for found, drawn in ((top * 360, 47), (bottom * 360, 47), (left * 640, 81), (right * 640, 80)):
        assert 0 < found - drawn <= 4
    # And cropped by the decoder, nothing of a bar is left in the brightest of all pictures.
    crop = Fit(200, 400, "area", crop=bars)
    cropped = np.stack([picture for _, picture in frames_at(tmp_path / "boxed.mp4", times, crop)])
    brightest_HW = cropped.max(axis=(0, 3))
    for line in (brightest_HW[0], brightest_HW[-1], brightest_HW[:, 0], brightest_HW[:, -1]):
        assert np.median(line) > 100


@pytest.mark.parametrize(
    ("name", "barred_rows"),
    [
        ("sintel_bridge_480p.mp4", True),
        ("sintel_trailer_mpeg1.mpg", True),
        ("sintel_trailer_480.mp4", False),
        ("bbb_credits_252p.mp4", False),
        ("ed_opening_two_audio.mp4", False),
        ("case_many_streams_nasa.mp4", False),
        ("case_vp9_alpha.webm", False),
    ],
)
def test_real_films(name, barred_rows):
    path = MEDIA / "videos" / name
    if not path.exists():
        pytest.skip(f"{name} is not there (SOUNDREEL_MEDIA may say where)")
    info = probe(path)
    assert info.video is not None
    seconds = info.duration_seconds or Fraction(4)
    times = [seconds * (2 * k + 1) / 32 for k in range(16)]

    def pictures(fit: Fit) -> list[np.ndarray]:
        return [picture for _, picture in frames_at(path, times, fit)]

    height = round(ANALYSIS_WIDTH / float(info.display_aspect))
    bars = letterbox(pictures(Fit(height, ANALYSIS_WIDTH, "area")))
    assert bars[2:] == (0, 0)
    if not barred_rows:
        assert bars == NO_BARS
        return
    # The oracle: rows of the film's own size that are lit at their brightest.
    full_NHW3 = np.stack(pictures(Fit(info.video.height, info.video.width, "floor-index")))
    lit_H = np.flatnonzero(np.median(full_NHW3.max(axis=(0, 3)), axis=1) > 60)
    top, bottom = lit_H[0], info.video.height - 1 - lit_H[-1]
    for found, true in ((bars.top, top), (bars.bottom, bottom)):
        assert 0 <= found * info.video.height - true <= 2 * info.video.height / height + 1
