"""The lens and the film stock: bloom, vignette, an exposure meter and grain."""

from __future__ import annotations

import numpy as np

from soundreel.seeding import numpy_generator_for
from soundreel.synthetic.canvas import Grid

_LEVELS = 4096
_METER_BINS = 256
_GAINS = np.exp2(np.linspace(-3.5, 4.0, 121))
#: How far the meter corrects: 1 holds the key exactly, 0 leaves the scene as it was drawn.
_METERING = 0.92
_LUMA_3 = np.array([0.299, 0.587, 0.114], np.float32)


def _exposed(values: np.ndarray, gain: np.ndarray | float) -> np.ndarray:
    """A film's curve: linear for the shadows, never above 1; gain 1 changes nothing."""
    return 1 - (1 - values) ** gain


#: Mean brightness of a picture with all its pixels in one bin, for every gain: [gains, bins].
_METER_TABLE = _exposed(
    np.clip((np.arange(_METER_BINS) + 0.5) / _METER_BINS, 0, 1)[None], _GAINS[:, None]
)


def _blur_matrix(size: int, small: int, spread: float) -> np.ndarray:
    """Averages `size` pixels to `small` ones through a Gaussian of `spread` small pixels."""
    fine = (np.arange(size) + 0.5) / size * small
    coarse = np.arange(small) + 0.5
    weights = np.exp(-0.5 * ((coarse[:, None] - fine[None]) / spread) ** 2)
    # Without the far tails: as float32 they would be denormal, which makes products crawl.
    weights[weights < 1e-4] = 0
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _stretch_matrix(size: int, small: int) -> np.ndarray:
    """Stretches `small` pixels to `size` ones, linearly between them."""
    place = np.clip((np.arange(size) + 0.5) / size * small - 0.5, 0, small - 1)
    low = np.minimum(place.astype(int), small - 2)
    matrix = np.zeros((size, small), np.float32)
    rows = np.arange(size)
    matrix[rows, low] = 1 - (place - low)
    matrix[rows, low + 1] = place - low
    return matrix


class Finish:
    """Turns a drawn canvas into a picture of a wanted mean brightness."""

    def __init__(self, grid: Grid, grain: float, bloom: float, vignette: float, seed: int) -> None:
        self._grain, self._bloom, self._seed = grain, bloom, seed
        small_h, small_w = max(4, grid.height // 6), max(4, grid.width // 6)
        self._down_h = _blur_matrix(grid.height, small_h, 1.6)
        self._down_w = _blur_matrix(grid.width, small_w, 1.6).T.copy()
        self._up_h = _stretch_matrix(grid.height, small_h)
        self._up_w = _stretch_matrix(grid.width, small_w).T.copy()
        square = (grid.x_HW / grid.aspect) ** 2 + grid.y_HW**2
        self._lens = (1 - np.float32(vignette) * np.clip(square - 0.25, 0, 2) ** 1.2).clip(0.1, 1)
        noise = numpy_generator_for(seed, "grain").standard_normal(
            (grid.height + 64, grid.width + 64)
        )
        smooth = noise[:-1, :-1] + noise[1:, :-1] + noise[:-1, 1:] + noise[1:, 1:]
        self._noise = (smooth / 2).astype(np.float32)
        self._shape = grid.x_HW.shape

    def __call__(self, canvas: np.ndarray, key: float, index: int) -> np.ndarray:
        """H x W x 3 uint8 from a canvas [3, H, W]; `key` is the wanted mean brightness."""
        np.clip(canvas, 0, 1, out=canvas)
        small = self._down_h @ canvas @ self._down_w
        # Squared: what is bright shines, what is dim does not.
        small *= small
        canvas += (1 - canvas) * (self._up_h @ (self._bloom * small) @ self._up_w)
        canvas *= self._lens
        gain = self._gain(canvas, min(0.78, key))
        rng = numpy_generator_for(self._seed, "grain", index)
        row, column = rng.integers(0, 62, 2)
        grain = self._noise[row : row + self._shape[0], column : column + self._shape[1]]
        # Scaled so that the exposure leaves it alone, and so that white stays clean.
        canvas += (1 - canvas) * (grain * np.float32(self._grain / gain))
        levels = (np.clip(canvas, 0, 1) * (_LEVELS - 1)).astype(np.intp)
        curve = 255 * _exposed(np.linspace(0, 1, _LEVELS), gain) + 0.5
        picture = np.empty((*self._shape, 3), np.uint8)
        table = np.minimum(curve, 255).astype(np.uint8)
        for channel in range(3):
            picture[..., channel] = np.take(table, levels[channel])
        return picture

    def _gain(self, canvas: np.ndarray, key: float) -> float:
        """The exposure that brings the picture's mean to the key."""
        sparse = canvas[:, ::3, ::3].reshape(3, -1)
        bins = (sparse * (_METER_BINS - 1e-3)).astype(np.int32)
        total = np.zeros(len(_GAINS))
        for channel in range(3):
            counts = np.bincount(bins[channel], minlength=_METER_BINS)[:_METER_BINS]
            total += _LUMA_3[channel] * (_METER_TABLE @ counts) / sparse.shape[1]
        wanted = float(np.interp(key, total, np.log2(_GAINS)))
        return float(2.0 ** (_METERING * wanted))
