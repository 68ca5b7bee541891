"""Pictures that teach nothing of a film: black ones, stretches that stand still, text cards.

How often each is wrong on real clips was measured by benchmarks/detectors.py; see
docs/selection.md.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from PIL import Image

# Black, as FFmpeg's blackdetect filter has it by default: 98% of the pixels at most at 10% of the
# range. Small lights (a title's letters, a lamp in the night) are not black, so none may be left.
_BLACK = 26  # of 255
_BLACK_SHARE = 0.98
_LIGHT = 64  # of 255
_LIGHT_SHARE = 0.001

# Pictures are compared by the mean luma of this many blocks (columns, rows): an encoder's noise
# averages out in a block, a mouth that moves does not. Encoders spill far more into colours: with
# them, stills changed by up to 16.
_BLOCKS = (32, 18)
#: What x264 made of stills at crf 23 and 33 changed by at most 7; the quietest 2 s of real films
#: by 9, of most by 14 and more (benchmarks/detectors.py).
UNCHANGED = 8.0

_TITLE_SIDE = 480  # pixels: the longer side when letters are looked for
_LETTER = _TITLE_SIDE // 24 | 1  # pixels: no letter's stroke is as thick (odd: the kernel's side)
_TALLEST = 20  # pixels: of a letter
_CONTRAST = 40  # of 255: of letters to the ground behind them
_FAINTEST = 16  # of 255: the same in a card that fades
_SLOPE = 4.0  # of 255 a pixel: where a ground is not plain
_ROUGH = 0.03  # of the picture: may be that steep in a card
_IN_LINE = 4  # letters of one height on one line
_LINED = 0.5  # of all that could be letters: how many must stand in lines


def is_black(picture_HW3: np.ndarray) -> bool:
    """Whether there is nothing to see in a picture, H x W x 3 uint8 RGB.

    Black is a picture whose pixels are nearly all (98%) at most at 10% of white in every channel,
    and of which no more than one in a thousand is brighter than a quarter of white.
    """
    brightest_HW = picture_HW3.max(axis=2)
    dark_share = np.count_nonzero(brightest_HW <= _BLACK) / brightest_HW.size
    light_share = np.count_nonzero(brightest_HW > _LIGHT) / brightest_HW.size
    return dark_share >= _BLACK_SHARE and light_share <= _LIGHT_SHARE


def change_between(before_HW3: np.ndarray, after_HW3: np.ndarray) -> float:
    """How far two pictures of one film differ where they differ most, 0 (not) to 255.

    Both are H x W x 3 uint8 RGB. The value is the largest difference of the mean luma of any of
    32 x 18 blocks: up to UNCHANGED is what encoders do to a still. (The mean over the whole
    picture would miss someone who only blinks.)
    """
    return _largest_difference(_block_means(before_HW3), _block_means(after_HW3))


def _block_means(picture_HW3: np.ndarray) -> np.ndarray:
    """18 x 32: the luma that falls into each block on average."""
    luma = Image.fromarray(picture_HW3).convert("L").resize(_BLOCKS, Image.Resampling.BOX)
    return np.asarray(luma).astype(np.int16)


def _largest_difference(before_RC: np.ndarray, after_RC: np.ndarray) -> float:
    return float(np.abs(before_RC - after_RC).max())


class Frozen:
    """Tells pictures of a stretch that stands still; fed one clip's pictures in order of time.

    limit_seconds: how long a picture may stay; those that show the same after that are frozen.

    Each picture is compared with the first of its stretch, not with the one before, so a slow
    drift counts as change, and what an encoder adds at each key frame does not add up. What
    moves and comes back between two pictures is not seen.
    """

    def __init__(self, limit_seconds: Fraction | float = 2) -> None:
        self._limit_seconds = limit_seconds
        self._since_seconds: Fraction | float = 0
        self._first_RC: np.ndarray | None = None

    def __call__(self, time_seconds: Fraction | float, picture_HW3: np.ndarray) -> bool:
        """Whether the picture has stayed the same for at least the limit up to `time_seconds`."""
        means_RC = _block_means(picture_HW3)
        first_RC = self._first_RC
        if first_RC is None or _largest_difference(first_RC, means_RC) > UNCHANGED:
            self._first_RC, self._since_seconds = means_RC, time_seconds
            return False
        return time_seconds - self._since_seconds >= self._limit_seconds


def is_title(picture_HW3: np.ndarray) -> bool:
    """Whether a picture, H x W x 3 uint8 RGB, is a text card: lines of letters on a plain ground.

    The ground may be a gradient. Titles over a scene are none, nor is a card whose letters are
    taller than about a 24th of the picture's longer side or whose only line has fewer than four.
    """
    import cv2

    height, width = picture_HW3.shape[:2]
    scale = _TITLE_SIDE / max(height, width)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    small_HW3 = cv2.resize(picture_HW3, size, interpolation=cv2.INTER_AREA)
    luma_HW = cv2.cvtColor(small_HW3, cv2.COLOR_RGB2GRAY)
    return _has_letters(luma_HW) or _has_letters(255 - luma_HW)


def _has_letters(luma_HW: np.ndarray) -> bool:
    """Whether light letters stand in lines on a plain darker ground."""
    import cv2

    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (_LETTER, _LETTER))
    # Opening removes what is lighter than its surroundings and narrower than the kernel.
    ground_HW = cv2.morphologyEx(luma_HW, cv2.MORPH_OPEN, kernel)
    slope_HW = np.hypot(*np.gradient(cv2.blur(ground_HW, (5, 5)).astype(float)))
    if (slope_HW > _SLOPE).mean() > _ROUGH:
        return False
    strokes_HW = luma_HW.astype(np.int16) - ground_HW
    threshold = np.clip(strokes_HW.max() / 2, _FAINTEST, _CONTRAST)
    parts = cv2.connectedComponentsWithStats((strokes_HW > threshold).astype(np.uint8))[2][1:]
    tall = parts[:, cv2.CC_STAT_HEIGHT]
    parts = parts[(tall >= 3) & (tall <= _TALLEST) & (parts[:, cv2.CC_STAT_AREA] >= 4)]
    if len(parts) < _IN_LINE:
        return False
    tall = parts[:, cv2.CC_STAT_HEIGHT].astype(float)
    foot = parts[:, cv2.CC_STAT_TOP] + tall
    on_line = np.abs(foot[:, None] - foot) <= np.maximum(1, 0.2 * tall)[:, None]
    as_tall = np.abs(tall[:, None] - tall) <= np.maximum(1.5, 0.35 * tall)[:, None]
    lined = np.count_nonzero((on_line & as_tall).sum(axis=1) >= _IN_LINE)
    return bool(lined >= max(_IN_LINE, _LINED * len(parts)))
