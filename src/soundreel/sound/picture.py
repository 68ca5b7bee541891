"""Sound images in colour, for people: contact sheets, galleries, the studio."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

#: (place, chroma, hue in degrees) in OKLCh: night blue, violet, rose, amber, cream.
_ANCHORS = (
    (0.00, 0.025, 275.0),
    (0.20, 0.125, 285.0),
    (0.42, 0.185, 330.0),
    (0.62, 0.185, 388.0),
    (0.82, 0.145, 432.0),
    (1.00, 0.035, 460.0),
)
#: Lightness rises evenly from the first to the last (CIE L* of about 3 to 97), so equal steps of
#: level look equally far apart, in grey print too.
_DARKEST, _LIGHTEST = 0.165, 0.975


def colour_image(x_HW: np.ndarray) -> np.ndarray:
    """A sound image in colour: -1 is night blue, +1 cream. NaN is shown as -1.

    Shape: H x W, float in [-1, 1] (beyond it clipped) -> H x W x 3, uint8 sRGB.
    """
    level_HW = np.nan_to_num(np.asarray(x_HW, dtype=np.float32), nan=-1.0).clip(-1, 1)
    return colour_table()[((level_HW + 1) * 127.5 + 0.5).astype(np.uint8)]


def grey_image(x_HW: np.ndarray) -> np.ndarray:
    """A sound image in grey, as `psd` stores it: v / 127.5 - 1 becomes v again.

    Shape: H x W, float in [-1, 1] (beyond it clipped) -> H x W, uint8.
    """
    level_HW = np.nan_to_num(np.asarray(x_HW, dtype=np.float32), nan=-1.0).clip(-1, 1)
    return ((level_HW + 1) * 127.5 + 0.5).astype(np.uint8)


@lru_cache(maxsize=1)
def colour_table() -> np.ndarray:
    """The 256 colours from -1 to +1, 256 x 3 uint8 sRGB (made in OKLab, B. Ottosson 2020)."""
    place, chroma, hue_degrees = np.array(_ANCHORS).T
    at = np.linspace(0, 1, 256)
    l_256, c_256 = np.linspace(_DARKEST, _LIGHTEST, 256), np.interp(at, place, chroma)
    angle_256 = np.radians(np.interp(at, place, hue_degrees))
    a_256, b_256 = c_256 * np.cos(angle_256), c_256 * np.sin(angle_256)
    cone_3x256 = np.stack(
        [
            l_256 + 0.3963377774 * a_256 + 0.2158037573 * b_256,
            l_256 - 0.1055613458 * a_256 - 0.0638541728 * b_256,
            l_256 - 0.0894841775 * a_256 - 1.2914855480 * b_256,
        ]
    )
    to_linear_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = (to_linear_rgb @ cone_3x256**3).clip(0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    table = (srgb.T * 255).round().astype(np.uint8)
    table.flags.writeable = False
    return table
