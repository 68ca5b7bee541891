"""Colours of sound images: monotone lightness, right ends, no loss in grey."""

import numpy as np

from soundreel.sound.picture import colour_image, colour_table, grey_image


def luminance(colours: np.ndarray) -> np.ndarray:
    """CIE relative luminance of sRGB (IEC 61966-2-1)."""
    c = colours / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_louder_is_lighter_everywhere():
    y = luminance(colour_table().astype(float))
    lightness = np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)  # CIE L*
    assert lightness[0] < 5
    assert lightness[-1] > 95
    steps = lightness[8:] - lightness[:-8]
    assert steps.min() > 0.3 * steps.mean()
    assert steps.max() < 2 * steps.mean()


def test_levels_take_their_colours():
    x = np.array([[-1.0, 1.0, 0.0], [-7.0, 7.0, np.nan]], np.float32)
    table = colour_table()
    picture = colour_image(x)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[0], table[[0, 255, 128]])
    np.testing.assert_array_equal(picture[1], table[[0, 255, 0]])


def test_grey_gives_the_papers_bytes_back():
    every_byte = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(grey_image(every_byte.astype(np.float32) / 127.5 - 1), every_byte)
