"""`inspect`: a contact sheet, frame beside sound image, clip by clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from soundreel.atomic import atomic_file
from soundreel.dataset.loading import Pairs, load_pairs
from soundreel.dataset.store import Dataset, open_dataset
from soundreel.errors import DatasetError, SettingsError
from soundreel.progress import Listener, Step, silent
from soundreel.sound.picture import colour_image
from soundreel.timeline import clock

_PAPER = (246, 244, 239)
_INK = (38, 36, 34)
_FAINT = (128, 124, 118)
_MARGIN, _GAP, _BETWEEN = 28, 10, 22
_CELL_HEIGHT = 108


def inspect(dataset: Path, out: Path, *, columns: int = 8, progress: Listener = silent) -> Path:
    """Write a contact sheet of a dataset folder: see `contact_sheet`."""
    return contact_sheet(open_dataset(dataset), out, columns=columns, progress=progress)


def contact_sheet(
    dataset: Dataset, out: Path, *, columns: int = 8, progress: Listener = silent
) -> Path:
    """Write a PNG: a row a clip, `columns` moments evenly spread over it, each the frame in the
    film's own shape with the sound image that goes with it below.

    Raises: SettingsError unless `out` ends in .png; DatasetError if no clip has a frame.
    """
    if out.suffix.lower() != ".png":
        raise SettingsError(f"{out}: a contact sheet is a picture: give a name that ends in .png")
    rows = dataset.clips()
    pairs = load_pairs(dataset, None, progress)
    if not len(pairs):
        raise DatasetError(f"{dataset.folder}: no clip with a frame is left: prepare it anew")
    cell_width = round(_CELL_HEIGHT * dataset.recipe.shape_aspect)
    pair_width = max(cell_width, _CELL_HEIGHT)
    band_height = 2 * _CELL_HEIGHT + 4
    row_height = 26 + band_height + 20 + _BETWEEN
    width = 2 * _MARGIN + columns * pair_width + (columns - 1) * _GAP
    sheet = Image.new("RGB", (width, 78 + len(rows) * row_height + _MARGIN - _BETWEEN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    recipe = dataset.recipe
    draw.text((_MARGIN, 20), dataset.folder.resolve().name, _INK, _font(24))
    summary = (
        f"{len(pairs)} pairs, {len(rows)} clips, recipe {recipe.name} ({recipe.representation})"
    )
    draw.text((_MARGIN, 50), summary, _FAINT, _font(13))
    for place, row in enumerate(rows):
        top = 78 + place * row_height
        draw.text((_MARGIN, top), _fitting(draw, row.title, width - 260), _INK, _font(15))
        draw.text(
            (width - _MARGIN, top + 2), f"{row.split}, {row.pairs} pairs", _FAINT, _font(12), "ra"
        )
        chosen = _spread(np.flatnonzero(pairs.clip_N == place), columns)
        for column, index in enumerate(chosen):
            left = _MARGIN + column * (pair_width + _GAP)
            _paste_pair(sheet, pairs, int(index), (left, top + 26), (pair_width, cell_width))
            label = clock(float(pairs.time_seconds_N[index]))
            draw.text((left, top + 26 + band_height + 3), label, _FAINT, _font(11))
        progress(Step("contact sheet", place + 1, len(rows), "clips"))
    with atomic_file(out) as unfinished:
        sheet.save(unfinished)
    return out


def _paste_pair(
    sheet: Image.Image, pairs: Pairs, index: int, corner: tuple[int, int], widths: tuple[int, int]
) -> None:
    pair_width, cell_width = widths
    left, top = corner
    frame = Image.fromarray(np.ascontiguousarray(pairs.frames_N3HW[index].transpose(1, 2, 0)))
    frame = frame.resize((cell_width, _CELL_HEIGHT), Image.Resampling.LANCZOS)
    sound_image = Image.fromarray(colour_image(pairs.sound_images([index])[0, 0].numpy()))
    sound_image = sound_image.resize((pair_width, _CELL_HEIGHT), Image.Resampling.LANCZOS)
    sheet.paste(frame, (left + (pair_width - cell_width) // 2, top))
    sheet.paste(sound_image, (left, top + _CELL_HEIGHT + 4))


def _spread(indices: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the indices, evenly spread, in the middle of equal stretches."""
    if len(indices) <= count:
        return indices
    places = ((np.arange(count) + 0.5) * len(indices) / count).astype(int)
    return indices[places]


def _fitting(draw: ImageDraw.ImageDraw, text: str, width: int) -> str:
    while text and draw.textlength(text, _font(15)) > width:
        text = text[:-2].rstrip("…") + "…"
    return text


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
