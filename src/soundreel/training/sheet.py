"""Sample sheets: what the generator makes of clips beside the truth, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from soundreel.atomic import atomic_file
from soundreel.sound.picture import colour_image

_MARGIN, _GAP, _ROW_GAP = 32, 12, 14
_HEAD, _FOOT = 96, 40
_BACK, _INK, _QUIET, _EDGE = (18, 18, 22), (236, 234, 228), (142, 140, 138), (44, 44, 50)


def draw_sheet(
    path: Path,
    title: str,
    note: str,
    columns: Sequence[tuple[str, Sequence[np.ndarray]]],
    labels: Sequence[str],
    tile: int,
) -> None:
    """Write a PNG: a column of pictures for each heading, a row for each label.

    columns: heading and its pictures, each S x S x 3 uint8. labels: written under each row.
    tile: rows and columns of a picture on the sheet, in pixels.

    Raises: StorageError.
    """
    line = tile + 26 + _ROW_GAP
    width = 2 * _MARGIN + len(columns) * tile + (len(columns) - 1) * _GAP
    height = _HEAD + len(labels) * line + _FOOT
    sheet = Image.new("RGB", (width, height), _BACK)
    pen = ImageDraw.Draw(sheet)
    large, small, plain = _font(21), _font(13), _font(14)
    pen.text((_MARGIN, 20), title, _INK, large)
    pen.text((width - _MARGIN, 26), note, _QUIET, plain, anchor="ra")
    for column, (heading, pictures) in enumerate(columns):
        left = _MARGIN + column * (tile + _GAP)
        pen.text((left, _HEAD - 26), heading, _QUIET, plain)
        for row, picture in enumerate(pictures):
            top = _HEAD + row * line
            image = Image.fromarray(np.ascontiguousarray(picture))
            sheet.paste(image.resize((tile, tile), Image.Resampling.LANCZOS), (left, top))
            pen.rectangle((left - 1, top - 1, left + tile, top + tile), outline=_EDGE)
    for row, label in enumerate(labels):
        pen.text((_MARGIN, _HEAD + row * line + tile + 6), label, _QUIET, small)
    with atomic_file(path) as partial:
        sheet.save(partial)


def as_picture(image_CHW: Tensor) -> np.ndarray:
    """A picture in [-1, 1] as H x W x 3 uint8."""
    bytes_CHW = image_CHW.add(1).mul(127.5).round().clamp(0, 255).byte()
    return bytes_CHW.permute(1, 2, 0).numpy()


def as_sound_picture(image_CHW: Tensor, low_row_first: bool) -> np.ndarray:
    """A sound image in colour, low frequencies at the bottom: H x W x 3 uint8."""
    level_HW = image_CHW.mean(0).numpy()
    return colour_image(level_HW[::-1] if low_row_first else level_HW)


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
