"""A contact sheet: one picture of a dataset, frame beside sound image, clip by clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from soundreel.atomic import atomic_file
from soundreel.dataset.inspection.moments import Moment, clip_sound, moments_of, spread
from soundreel.dataset.store import Dataset
from soundreel.errors import DatasetError, SettingsError
from soundreel.progress import Listener, Step, silent
from soundreel.timeline import clock

_PAPER = (246, 244, 239)
_INK = (38, 36, 34)
_FAINT = (128, 124, 118)
_MARGIN, _GAP, _BETWEEN = 28, 10, 22
_CELL_HEIGHT = 108
#: More clips than this make a picture that no viewer opens; they are then evenly chosen.
MOST_CLIPS = 120


def contact_sheet(
    dataset: Dataset, out: Path, *, columns: int = 8, progress: Listener = silent
) -> Path:
    """Write a PNG: a row a clip, `columns` moments evenly spread over it, each the frame in the
    film's own shape with the sound image that goes with it below. Of more than `MOST_CLIPS`
    clips that many are shown, and the sheet says so.

    Raises: SettingsError unless `out` ends in .png; DatasetError if no clip has a frame, or a
    file is damaged.
    """
    if out.suffix.lower() != ".png":
        raise SettingsError(f"{out}: a contact sheet is a picture: give a name that ends in .png")
    rows = dataset.clips()
    frames = [dataset.frames(row.id) for row in rows]
    if not rows:
        raise DatasetError(f"{dataset.folder}: no clip with a frame is left: prepare it anew")
    shown = spread(len(rows), MOST_CLIPS)
    cell_width = round(_CELL_HEIGHT * dataset.recipe.shape_aspect)
    pair_width = max(cell_width, _CELL_HEIGHT)
    band_height = 2 * _CELL_HEIGHT + 4
    row_height = 26 + band_height + 20 + _BETWEEN
    width = 2 * _MARGIN + columns * pair_width + (columns - 1) * _GAP
    sheet = Image.new("RGB", (width, 78 + len(shown) * row_height + _MARGIN - _BETWEEN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    recipe = dataset.recipe
    draw.text((_MARGIN, 20), dataset.folder.resolve().name, _INK, _font(24))
    of_all = "" if len(shown) == len(rows) else f" ({len(shown)} of them shown)"
    summary = (
        f"{sum(map(len, frames))} pairs, {len(rows)} clips{of_all}, "
        f"recipe {recipe.name} ({recipe.representation})"
    )
    draw.text((_MARGIN, 50), summary, _FAINT, _font(13))
    for place, clip in enumerate(shown):
        row, top = rows[clip], 78 + place * row_height
        draw.text((_MARGIN, top), _fitting(draw, row.title, width - 260), _INK, _font(15))
        note = f"{row.split}, {len(frames[clip])} pairs"
        draw.text((width - _MARGIN, top + 2), note, _FAINT, _font(12), "ra")
        moments = moments_of(dataset, row, frames[clip], clip_sound(dataset, row), columns)
        for column, moment in enumerate(moments):
            left = _MARGIN + column * (pair_width + _GAP)
            _paste(sheet, moment, (left, top + 26), (pair_width, cell_width))
            label = clock(moment.time_seconds)
            draw.text((left, top + 26 + band_height + 3), label, _FAINT, _font(11))
        progress(Step("contact sheet", place + 1, len(shown), "clips", row.id))
    with atomic_file(out) as unfinished:
        sheet.save(unfinished)
    return out


def _paste(
    sheet: Image.Image, moment: Moment, corner: tuple[int, int], widths: tuple[int, int]
) -> None:
    pair_width, cell_width = widths
    left, top = corner
    for picture_HW3, width, below in (
        (moment.frame_HW3, cell_width, 0),
        (moment.sound_HW3, pair_width, _CELL_HEIGHT + 4),
    ):
        picture = Image.fromarray(np.ascontiguousarray(picture_HW3))
        picture = picture.resize((width, _CELL_HEIGHT), Image.Resampling.LANCZOS)
        sheet.paste(picture, (left + (pair_width - width) // 2, top + below))


def _fitting(draw: ImageDraw.ImageDraw, text: str, width: int) -> str:
    while text and draw.textlength(text, _font(15)) > width:
        text = text[:-2].rstrip("…") + "…"
    return text


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
