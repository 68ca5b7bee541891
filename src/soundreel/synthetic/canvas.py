"""Paint: grids, soft masks, gradients and clouds that the scenes are made of.

A canvas is float32 [3, H, W], display colours of about [0, 1]; masks are float32 [H, W].
Coordinates: y runs from -1 (top) to 1 (bottom), x from -aspect (left) to aspect (right).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """Where the pixels are: x_HW and y_HW, float32."""

    x_HW: np.ndarray
    y_HW: np.ndarray

    @property
    def height(self) -> int:
        return self.x_HW.shape[0]

    @property
    def width(self) -> int:
        return self.x_HW.shape[1]

    @property
    def aspect(self) -> float:
        return self.width / self.height


def grid_for(width: int, height: int) -> Grid:
    """The grid of a picture of this size."""
    y = (2 * (np.arange(height, dtype=np.float32) + 0.5) / height - 1)[:, None]
    x = (2 * (np.arange(width, dtype=np.float32) + 0.5) - width)[None] / np.float32(height)
    full = np.zeros((height, width), np.float32)
    return Grid(x_HW=full + x, y_HW=full + y)


@dataclass(frozen=True)
class Moment:
    """What the picture knows of its time.

    phase: integrated motion, in turns of no fixed meaning; grows by about 1 a second.
    shot_seconds: since the last cut.
    light: from the brightness control, 0 (dark) to 1 (bright), 0.5 at rest.
    pulse: 0, or up to 1 when the motion control leaps.
    palette_63: the six colours at this moment, shadow first.
    """

    phase: float
    shot_seconds: float
    light: float
    pulse: float
    palette_63: np.ndarray


def fill(grid: Grid, colour_3: np.ndarray) -> np.ndarray:
    """A canvas of one colour."""
    canvas = np.empty((3, grid.height, grid.width), np.float32)
    canvas[:] = colour_3[:, None, None]
    return canvas


def ramp(palette_K3: np.ndarray, stops_K: tuple[float, ...], at: np.ndarray) -> np.ndarray:
    """Colours along a gradient: `at` [...] in [0, 1] to float32 [3, ...]; `stops_K` ascending."""
    steps = np.linspace(0, 1, 512)
    index = np.clip(at * np.float32(511), 0, 511).astype(np.intp)
    out = np.empty((3, *index.shape), np.float32)
    for channel in range(3):
        table = np.interp(steps, stops_K, palette_K3[:, channel]).astype(np.float32)
        np.take(table, index, out=out[channel], mode="clip")
    return out


def edge(distance: np.ndarray, softness: float) -> np.ndarray:
    """1 where the distance is below 0, 0 above, over a smooth edge of this width."""
    t = np.clip(0.5 - distance / np.float32(softness), 0, 1)
    return t * t * (3 - 2 * t)


def blend(canvas: np.ndarray, mask_HW: np.ndarray, colour_3: np.ndarray) -> None:
    """Cover the canvas with a colour (or a canvas) where the mask is 1, in place."""
    colour = colour_3 if colour_3.ndim == 3 else colour_3[:, None, None]
    canvas += mask_HW * (colour - canvas)


def glow(canvas: np.ndarray, light_HW: np.ndarray, colour_3: np.ndarray) -> None:
    """Add light as a second projector would (screen), in place."""
    light = np.asarray(light_HW, np.float32)
    for channel, value in zip(canvas, colour_3, strict=True):
        channel += (1 - channel) * (light * value)


def halo(x: np.ndarray, y: np.ndarray, centre: tuple[float, float], radius: float) -> np.ndarray:
    """The light around a lamp: 1 at the centre, 1/2 at the radius, 1/10 at three times it."""
    square = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
    return 1 / (1 + square * np.float32(1 / radius**2))


def cloud(size: int, exponent: float, rng: np.random.Generator) -> np.ndarray:
    """Tileable noise whose spectrum falls as 1/f^exponent: float32 [size, size], even in [0, 1]."""
    frequency = np.fft.fftfreq(size) * size
    radius = np.sqrt(frequency[:, None] ** 2 + frequency[None, : size // 2 + 1] ** 2)
    radius[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / radius**exponent
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, (size, size))
    noise /= noise.std()
    return (0.5 + 0.5 * np.tanh(0.8 * noise)).astype(np.float32)


def sample(texture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Look a tileable texture of size 2^k up at (u, v) in tiles, nearest pixel."""
    size = texture.shape[0]
    column = (u * np.float32(size)).astype(np.int32) & (size - 1)
    row = (v * np.float32(size)).astype(np.int32) & (size - 1)
    return np.take(texture.ravel(), row * size + column)


def profile(exponent: float, rng: np.random.Generator) -> np.ndarray:
    """A ridge line: float32 [2048], periodic, unit variance, spectrum 1/f^exponent."""
    frequency = np.arange(1025, dtype=np.float64)
    frequency[0] = 1
    spectrum = np.fft.rfft(rng.standard_normal(2048)) / frequency**exponent
    spectrum[0] = 0
    line = np.fft.irfft(spectrum, 2048)
    return (line / line.std()).astype(np.float32)


def along(line: np.ndarray, position: np.ndarray) -> np.ndarray:
    """A periodic ridge line at positions in periods, interpolated: float32, same shape."""
    place = np.asarray(position, np.float64) * len(line)
    whole = np.floor(place)
    share = (place - whole).astype(np.float32)
    index = whole.astype(np.intp) % len(line)
    return line[index] * (1 - share) + line[(index + 1) % len(line)] * share


def band(grid: Grid, top: float, bottom: float) -> slice:
    """The rows between two heights (y), at least one."""
    half = grid.height / 2
    first = min(grid.height - 1, max(0, int((top + 1) * half)))
    return slice(first, max(first + 1, min(grid.height, int((bottom + 1) * half) + 1)))


def box(grid: Grid, centre: tuple[float, float], radius: float) -> tuple[slice, slice] | None:
    """The rows and columns within a radius of a point, or None if it is off the picture."""
    half = grid.height / 2
    top = max(0, int((centre[1] - radius + 1) * half))
    bottom = min(grid.height, int((centre[1] + radius + 1) * half) + 2)
    left = max(0, int((centre[0] - radius + grid.aspect) * half))
    right = min(grid.width, int((centre[0] + radius + grid.aspect) * half) + 2)
    return (slice(top, bottom), slice(left, right)) if top < bottom and left < right else None
