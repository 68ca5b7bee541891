"""Cards: their letters are there, they fit and can be read, and they come and go softly."""

import unicodedata
from fractions import Fraction

import numpy as np
import pytest

from soundreel.errors import SettingsError
from soundreel.rendering.lettering import plain, typeface_for, wrapped
from soundreel.rendering.titles import (
    Credits,
    Title,
    credits_image,
    draw_title,
    title_image,
    title_opacity,
)

FPS = Fraction(30)
SIZES = [(1280, 720), (256, 256), (128, 228), (720, 1280), (64, 64)]
CREDITS = Credits((("Music", "Kevin MacLeod"), "Made with Soundreel"), Fraction(10), Fraction(14))


def linear(level: np.ndarray) -> np.ndarray:
    share = level / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_title_can_be_read_on_any_frame_and_stays_lower_left(width, height, level):
    frame = np.full((height, width, 3), level, np.uint8)
    card = title_image(Title("Outfoxing", "Kevin MacLeod"), width, height)
    drawn = draw_title(frame, card, 1)
    assert drawn.shape == frame.shape
    assert drawn.dtype == np.uint8
    assert (frame == level).all(), "the frame itself is left alone"
    assert (drawn[: height // 3 if height > 64 else 0] == level).all()
    margin = round(0.08 * min(width, height))
    ink = card.ink_HW1[..., 0] > 200
    rows, columns = np.nonzero(ink)
    assert abs(columns.min() + card.left - margin) <= 0.02 * min(width, height) + 2
    assert columns.max() + card.left <= width - margin
    assert rows.max() + card.top <= height - margin + 2
    # WCAG 1.4.3 asks 3:1 of large text: the letters' full pixels against all that lies around.
    light = linear(drawn[card.top :, card.left :][: len(ink), : ink.shape[1], 1].astype(float))
    around = np.zeros_like(ink)
    for down in range(-3, 4):
        for right in range(-3, 4):
            around |= np.roll(ink, (down, right), (0, 1))
    around &= card.ink_HW1[..., 0] == 0
    assert (light[ink].mean() + 0.05) / (light[around].mean() + 0.05) > 3


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_long_names_fit(width, height):
    title = Title(
        "A Song With a Very Long Name That Goes On and On (2019 Remaster) " * 2, "Some " * 9
    )
    card = title_image(title, width, height)
    rows, columns = np.nonzero(card.ink_HW1[..., 0] > 60)
    margin = round(0.08 * min(width, height))
    assert columns.max() + card.left <= width - margin + 1
    assert rows.min() + card.top >= margin
    word = title_image(Title("Donaudampfschifffahrtsgesellschaftskapitän" * 3), width, height)
    assert np.nonzero(word.ink_HW1[..., 0] > 60)[1].max() + word.left <= width - margin + 1


@pytest.mark.parametrize(("width", "height"), SIZES[:4])
def test_credits_lie_in_the_middle_of_a_darkened_picture(width, height):
    frame = np.full((height, width, 3), 200, np.uint8)
    drawn = draw_title(frame, credits_image(CREDITS, width, height), 1)
    assert 80 <= drawn[0, 0, 0] <= 100
    rows, columns = np.nonzero(drawn[..., 0] > 210)
    assert abs((columns.min() + columns.max()) / 2 - width / 2) < 0.05 * width
    assert abs((rows.min() + rows.max()) / 2 - height / 2) < 0.1 * height


def test_the_letters_are_there():
    assert typeface_for(["Plain English, isn't it?"]).file is None
    face = typeface_for(["Beyoncé, Motörhead, Señor, Łódź, Škoda, Ænima, Кино, Ωμέγα — “x” №"])
    font = face.at(40)
    shapes = {np.asarray(font.getmask(c), np.uint8).tobytes() for c in "eéèêouüùñnлΩ"}
    assert len(shapes) == 12
    decomposed = unicodedata.normalize("NFD", "Beyoncé")
    assert plain(f" {decomposed}\n\u200b ") == "Beyoncé"
    same = [title_image(Title(name), 320, 180) for name in ("Beyoncé", decomposed)]
    np.testing.assert_array_equal(same[0].ink_HW1, same[1].ink_HW1)


def test_what_cannot_be_drawn_is_one_line(tmp_path):
    with pytest.raises(SettingsError, match=r"no '千' \(U\+5343\).* and 1 more: give a font file"):
        title_image(Title("千本桜夜"), 256, 256)
    with pytest.raises(SettingsError, match="no such font file"):
        title_image(Title("x"), 256, 256, tmp_path / "none.ttf")
    (tmp_path / "words.ttf").write_text("no font")
    with pytest.raises(SettingsError, match="is no font"):
        title_image(Title("x"), 256, 256, tmp_path / "words.ttf")
    with pytest.raises(SettingsError, match="is empty"):
        title_image(Title("  "), 256, 256)
    with pytest.raises(SettingsError, match="are empty"):
        credits_image(Credits((), Fraction(0), Fraction(1)), 256, 256)
    many = Credits(tuple(f"line {n}" for n in range(90)), Fraction(0), Fraction(1))
    with pytest.raises(SettingsError, match="90 lines of credits do not fit into 256x256"):
        credits_image(many, 256, 256)
    with pytest.raises(SettingsError, match="end after it has begun"):
        Title("x", "", Fraction(3), Fraction(3))
    with pytest.raises(ValueError, match="256x256 over a frame of 64x64"):
        draw_title(np.zeros((64, 64, 3), np.uint8), title_image(Title("x"), 256, 256), 1)


def test_a_font_file_is_taken():
    from PIL import ImageFont

    file = typeface_for(["é"]).file
    assert file is not None
    assert typeface_for(["é"], file).at(20).getmask("é").size == (
        ImageFont.truetype(str(file), 20).getmask("é").size
    )
    with pytest.raises(SettingsError, match=rf"{file.name}: this font has no '千'"):
        typeface_for(["千"], file)


def test_lines_are_few_and_even():
    font = typeface_for(["x"]).at(20)
    text = "one two three four five six seven eight nine"
    wide = font.getlength(text) * 0.7
    lines = wrapped(text, font, wide)
    assert len(lines) == 2
    assert " ".join(lines) == text
    assert max(map(font.getlength, lines)) < 0.6 * font.getlength(text)
    assert wrapped(text, font, 10_000) == [text]
    assert wrapped("", font, 100) == []


def test_a_card_comes_and_goes_softly():
    card = Title("x", "", Fraction(1), Fraction(4))
    shown = np.array([title_opacity(n, FPS, card) for n in range(150)])
    assert (shown[:31] == 0).all()
    assert (shown[120:] == 0).all()
    assert (shown[52:99] == 1).all()
    assert np.abs(np.diff(shown)).max() < 0.08
    np.testing.assert_allclose(shown[30:121], shown[30:121][::-1])
    brief = Title("x", "", Fraction(0), Fraction(1, 2))
    assert max(title_opacity(n, FPS, brief) for n in range(15)) > 0.9
    frame = np.full((90, 160, 3), 240, np.uint8)
    image = title_image(Title("Hello"), 160, 90)
    assert draw_title(frame, image, 0) is frame
    change = [
        np.abs(draw_title(frame, image, share).astype(int) - frame).sum()
        for share in (0.01, 0.3, 0.6, 1)
    ]
    assert change == sorted(change)
