"""Pictures beside each other in one frame: where each lies, how large, and its label under it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from soundreel.errors import SettingsError
from soundreel.rendering.film import scaled

# As on a sample sheet; the labels are lighter, since a film's are seen in passing.
_BACK, _INK, _EDGE = (18, 18, 22), (188, 186, 181), (44, 44, 50)
# Of a cell 256 pixels high; they grow and shrink with it.
_MARGIN, _GAP, _LABEL_BAND, _LABEL_SIZE = 24, 14, 28, 15
_SMALLEST_CELL, _SMALLEST_BAND, _SMALLEST_LABEL = 64, 20, 12


@dataclass(frozen=True)
class Tile:
    """Where a picture lies in the film, and how far its label may reach, in pixels."""

    left: int
    top: int
    width: int
    height: int
    label_width: int


@dataclass(frozen=True)
class Layout:
    """A film's frame of several pictures, in pixels: its size, their tiles, and the labels' size.

    A label is written under its tile, in a band as high as `label_band`.
    """

    width: int
    height: int
    tiles: tuple[Tile, ...]
    label_band: int
    label_size: int


def grid_layout(
    sizes: Sequence[tuple[int, int]],
    size: tuple[int, int] | None = None,
    columns: int | None = None,
) -> Layout:
    """Where tiles of these widths and heights lie: in one row up to three, then near a square.

    columns: so many in a row instead.
    size: width and height of the whole; the tiles become as large as fits and lie in its middle.
      None: the tiles have their own sizes, and the whole is as large as they need (even sides).

    A tile keeps its shape; all are scaled alike.

    Raises: SettingsError if tiles in `size` would be too small to be looked at.
    """
    if not sizes:
        raise ValueError("a grid needs at least one picture")
    if size is None:
        return _layout(sizes, max(height for _, height in sizes), columns)
    width, height = size

    def too_large(cell_height: int) -> bool:
        layout = _layout(sizes, cell_height, columns)
        return layout.width > width or layout.height > height

    if too_large(_SMALLEST_CELL):
        least = _layout(sizes, _SMALLEST_CELL, columns)
        raise SettingsError(
            f"--size {width}x{height} is too small for {len(sizes)} pictures side by side: give "
            f"{least.width}x{least.height} or more"
        )
    heights = range(_SMALLEST_CELL, height + 1)
    largest = heights[bisect_left(heights, True, key=too_large) - 1]
    return _in_the_middle(_layout(sizes, largest, columns), width, height)


def _layout(
    sizes: Sequence[tuple[int, int]], cell_height: int, columns: int | None = None
) -> Layout:
    """The layout in which the tallest of the tiles has this height."""
    scale = Fraction(cell_height, max(height for _, height in sizes))
    scaled_sizes = [(max(1, round(w * scale)), max(1, round(h * scale))) for w, h in sizes]
    if columns is None:
        columns = len(sizes) if len(sizes) <= 3 else math.ceil(math.sqrt(len(sizes)))
    rows = math.ceil(len(sizes) / columns)
    margin, gap = (_even(measure * cell_height / 256) for measure in (_MARGIN, _GAP))
    band = max(_SMALLEST_BAND, _even(_LABEL_BAND * cell_height / 256))
    column_widths = [max(w for w, _ in scaled_sizes[column::columns]) for column in range(columns)]
    lefts = list(accumulate((_even(w + gap) for w in column_widths), initial=margin))
    down = _even(cell_height + band + gap)
    tiles = []
    for place, (width, height) in enumerate(scaled_sizes):
        row, column = divmod(place, columns)
        # A lower tile stands on its label, at the left of its column.
        top = margin + row * down + cell_height - height
        tiles.append(Tile(lefts[column], top, width, height, column_widths[column]))
    return Layout(
        width=_even(lefts[-1] - gap + margin),
        height=_even(margin + rows * down - gap + margin),
        tiles=tuple(tiles),
        label_band=band,
        label_size=max(_SMALLEST_LABEL, round(_LABEL_SIZE * cell_height / 256)),
    )


def _in_the_middle(layout: Layout, width: int, height: int) -> Layout:
    right, down = (width - layout.width) // 4 * 2, (height - layout.height) // 4 * 2
    tiles = [replace(tile, left=tile.left + right, top=tile.top + down) for tile in layout.tiles]
    return replace(layout, width=width, height=height, tiles=tuple(tiles))


def _even(pixels: float) -> int:
    """A whole even number of pixels, not less: H.264 and VP9 keep colours of every second one."""
    return 2 * math.ceil(pixels / 2)


def labelled(layout: Layout, labels: Sequence[str]) -> np.ndarray:
    """The frame without pictures: their places and their labels, height x width x 3 uint8."""
    frame = Image.new("RGB", (layout.width, layout.height), _BACK)
    pen = ImageDraw.Draw(frame)
    font = ImageFont.load_default(layout.label_size)
    for label, tile in zip(labels, layout.tiles, strict=True):
        bottom = tile.top + tile.height
        pen.rectangle((tile.left - 1, tile.top - 1, tile.left + tile.width, bottom), outline=_EDGE)
        text = " ".join(label.split())
        while pen.textlength(text, font) > tile.label_width:
            text = text[:-1]
        pen.text((tile.left, bottom + layout.label_band // 2), text, _INK, font, anchor="lm")
    return np.asarray(frame)


def side_by_side(
    empty_HW3: np.ndarray, tiles: Sequence[Tile], streams: Sequence[Iterator[np.ndarray]]
) -> Iterator[np.ndarray]:
    """Frames with the next picture of each stream in its tile, as long as there are any."""
    for pictures in zip(*streams, strict=True):
        frame_HW3 = empty_HW3.copy()
        for tile, picture_HW3 in zip(tiles, pictures, strict=True):
            rows = slice(tile.top, tile.top + tile.height)
            columns = slice(tile.left, tile.left + tile.width)
            frame_HW3[rows, columns] = scaled(picture_HW3, tile.width, tile.height)
        yield frame_HW3
