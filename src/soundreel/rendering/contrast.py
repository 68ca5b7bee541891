"""What averaging takes from a picture's contrast, given back.

The mean of pictures that do not agree is greyer and softer than each of them: N unlike ones
have a contrast of 1 / sqrt(N). Where a model's frames flicker, smoothing alone makes fog. So each
mean is stretched until its contrast is that of the frames it was made of, the fine detail and
the coarse picture each for itself. Where the frames agree there is nothing to give back, and
nothing changes.
"""

from __future__ import annotations

import numpy as np

#: The coarse picture is made of blocks of the shorter side over 32, at 256 pixels of 8.
_BLOCKS_A_SIDE, _LARGEST_BLOCK = 32, 8
#: More than this is noise blown up: detail, coarse picture.
_MOST_GAIN = (2.5, 2.0)
#: Gains are whole multiples of this, and the coarse picture's levels of 1/16, so that the sums
#: are exact.
_GAIN_STEP, _LEVEL_STEP = 1 / 64, 1 / 16
#: As many squares of levels below 256 sum exactly in float32.
_EXACT_SQUARES = 256


class ContrastKeeper:
    """Measures frames of one size and stretches their means; remembers what it measured."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        height, width, _ = shape
        self._block = _block(min(height, width))
        self._up_rows = _stretching(height, self._block)
        self._up_columns = np.kron(_stretching(width, self._block), np.eye(3, dtype=np.float32)).T
        self._measured: dict[int, np.ndarray] = {}

    def spread_of(self, n: int, frame_HW3: np.ndarray) -> np.ndarray:
        """How much there is of detail and of coarse contrast in frame n: 2 floats, whole."""
        if n not in self._measured:
            self._measured[n] = self._spread(frame_HW3)[0]
        return self._measured[n]

    def forget_before(self, n: int) -> None:
        """Let go of what was measured of frames before n."""
        self._measured = {m: spread for m, spread in self._measured.items() if m >= n}

    def restored(self, mean_HW3: np.ndarray, spread_units_2: np.ndarray) -> np.ndarray:
        """A mean of frames (float32 levels) with the contrast that the frames had: uint8.

        spread_units_2: the frames' spreads, summed with their weights in units of 2^-16.
        """
        rounded_HW3 = (mean_HW3 + np.float32(0.5)).astype(np.uint8)
        spread_2, block_sum_hw3 = self._spread(rounded_HW3)
        # A level's square a pixel on both sides: rounding is no detail to be stretched.
        floor = rounded_HW3.size
        ratio_2 = (spread_units_2 / 65_536 + floor) / (spread_2 + floor)
        fine, coarse = np.sqrt(ratio_2).clip(1, _MOST_GAIN)
        fine, coarse = (np.rint(gain / _GAIN_STEP) * _GAIN_STEP for gain in (fine, coarse))
        if fine == coarse == 1:
            return rounded_HW3
        # mean + coarse (up - mean) + fine (picture - up), where `up` is the coarse picture
        # stretched to size: all that is up's, is taken on the small picture first.
        low_hw3 = block_sum_hw3 / (self._block * self._block)
        level_hw3 = (coarse - fine) * low_hw3 + (1 - coarse) * low_hw3.mean(axis=(0, 1))
        level_hw3 = (np.rint(level_hw3 / _LEVEL_STEP) * _LEVEL_STEP).astype(np.float32)
        rows_hW = level_hw3.reshape(len(level_hw3), -1) @ self._up_columns
        out_HW = self._up_rows @ rows_hW
        out_HW += np.float32(fine) * mean_HW3.reshape(out_HW.shape)
        out_HW += np.float32(0.5)
        np.clip(out_HW, 0, 255, out=out_HW)
        return out_HW.astype(np.uint8).reshape(mean_HW3.shape)

    def _spread(self, frame_HW3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Squares about the blocks' means and of the blocks' means about the picture's.

        In whole numbers that are exact in float64; and the blocks' sums, h x w x 3 float64.
        """
        squares = _sum_of_squares(frame_HW3)
        sums_hw3 = _block_sums(frame_HW3, self._block)
        area = self._block * self._block
        between = (sums_hw3 * sums_hw3).sum() / area
        total_3 = sums_hw3.sum(axis=(0, 1))
        overall = (total_3 * total_3).sum() / (area * sums_hw3[..., 0].size)
        # Blocks at the edges may hang over and repeat its pixels: never less than nothing.
        return np.rint([max(0.0, squares - between), max(0.0, between - overall)]), sums_hw3


def _block(shorter_side: int) -> int:
    """A power of two, so that shares of a block are exact."""
    block = 2
    while block < _LARGEST_BLOCK and 2 * block * _BLOCKS_A_SIDE <= shorter_side:
        block *= 2
    return block


def _sum_of_squares(frame_HW3: np.ndarray) -> float:
    level_P = frame_HW3.reshape(-1).astype(np.float32)
    whole = level_P.size // _EXACT_SQUARES * _EXACT_SQUARES
    rows = level_P[:whole].reshape(-1, _EXACT_SQUARES)
    rest = level_P[whole:].astype(np.float64)
    return float(np.einsum("rp,rp->r", rows, rows).sum(dtype=np.float64) + rest @ rest)


def _block_sums(frame_HW3: np.ndarray, block: int) -> np.ndarray:
    height, width, _ = frame_HW3.shape
    over = (-height % block, -width % block)
    if any(over):
        frame_HW3 = np.pad(frame_HW3, ((0, over[0]), (0, over[1]), (0, 0)), mode="edge")
    height, width, _ = frame_HW3.shape
    # Rows first, whole rows at a time; 8 x 8 levels below 256 stay below 65,536.
    rows = frame_HW3.reshape(height // block, block, width * 3)
    tall = rows[:, 0].astype(np.uint16)
    for row in range(1, block):
        tall += rows[:, row]
    columns = tall.reshape(height // block, width // block, block, 3)
    sums = columns[:, :, 0].astype(np.float64)
    for column in range(1, block):
        sums += columns[:, :, column]
    return sums


def _stretching(size: int, block: int) -> np.ndarray:
    """Stretches blocks' means to `size` pixels, linearly between their middles: size x blocks.

    Its shares are odd multiples of 1 / (2 block), so that products with levels are exact.
    """
    blocks = -(-size // block)
    place = ((np.arange(size) + 0.5) / block - 0.5).clip(0, blocks - 1)
    low = np.floor(place).astype(int)
    matrix = np.zeros((size, blocks), np.float32)
    rows = np.arange(size)
    matrix[rows, low] = 1 - (place - low)
    matrix[rows, (low + 1).clip(0, blocks - 1)] += place - low
    return matrix
