"""The dataset folder: what lies where, and how it is read back.

    recipe.json   clips.jsonl   README.md
    clips/<id>/sound.flac
    clips/<id>/frames/<k>_<milliseconds>.jpg

A person may open it, look, and delete a frame or a clip's folder: what is there is what counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from soundreel.atomic import write_text
from soundreel.errors import DatasetError, SettingsError
from soundreel.recipe import Recipe, Seconds, load_recipe
from soundreel.timeline import grid_time, milliseconds

Split = Literal["train", "val", "test"]

_FRAME_NAME = re.compile(r"(\d+)_(\d+)\.jpg")


class ClipRow(BaseModel):
    """One row of clips.jsonl: a clip, and what became of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    title: str
    source: str
    """Where it came from, as it was given."""
    bytes: int
    sha256: str
    seconds: Seconds | None = None
    fps: Seconds | None = None
    size: str = ""
    """Display width x height of the source."""
    split: Split | None = None
    """None: left out."""
    pairs: int = 0
    skipped: dict[str, int] = {}
    """Why grid times gave no pair, and how many."""
    left_out: str | None = None
    """Why the whole clip was left out."""


@dataclass(frozen=True)
class Dataset:
    """An opened dataset folder."""

    folder: Path
    recipe: Recipe
    rows: tuple[ClipRow, ...]

    def clips(self, split: Split | None = None) -> list[ClipRow]:
        """The clips of one split (or of all) whose folder is still there and holds a frame."""
        return [
            row
            for row in self.rows
            if row.split is not None
            and split in (None, row.split)
            and self.sound_path(row.id).is_file()
            and self.frames(row.id)
        ]

    def sound_path(self, clip_id: str) -> Path:
        """Where a clip's sound lies."""
        return self.folder / "clips" / clip_id / "sound.flac"

    def frames(self, clip_id: str) -> list[tuple[int, Path]]:
        """The frames that are there now: (k, path), ascending in k."""
        frames = []
        for path in (self.folder / "clips" / clip_id / "frames").glob("*.jpg"):
            match = _FRAME_NAME.fullmatch(path.name)
            if match:
                frames.append((int(match[1]), path))
        return sorted(frames)

    def time_of(self, k: int) -> Fraction:
        """The exact time of place k of the recipe's grid, in seconds."""
        return grid_time(k, self.recipe.start_seconds, self.recipe.every_seconds)


def frame_name(k: int, time_seconds: Fraction) -> str:
    """The file name of the frame at place k of the grid."""
    return f"{k:06}_{milliseconds(time_seconds):08}.jpg"


def write_frame(path: Path, frame_HWC: np.ndarray, quality: int) -> None:
    """Write an H x W x 3 uint8 frame as JPEG, colour at full resolution (4:4:4)."""
    Image.fromarray(frame_HWC).save(path, quality=quality, subsampling=0)


def read_frame(path: Path, size: int) -> np.ndarray:
    """Read a frame as size x size x 3 uint8.

    Raises: DatasetError if the file is damaged or of another size.
    """
    try:
        with Image.open(path) as image:
            frame_HWC = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError) as error:
        raise DatasetError(f"{path}: not a readable JPEG: delete it, or prepare anew") from error
    if frame_HWC.shape != (size, size, 3):
        height, width = frame_HWC.shape[:2]
        raise DatasetError(f"{path}: is {width}x{height}, the recipe says {size}x{size}: delete it")
    return frame_HWC


def write_rows(folder: Path, rows: Sequence[ClipRow]) -> None:
    """Write clips.jsonl."""
    lines = [row.model_dump_json(exclude_defaults=False) for row in rows]
    write_text(folder / "clips.jsonl", "".join(f"{line}\n" for line in lines))


def read_rows(path: Path) -> tuple[ClipRow, ...]:
    """Read clips.jsonl. Raises: DatasetError if it is missing or a line is not a row."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read: prepare the dataset anew") from error
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(ClipRow.model_validate_json(line))
        except ValidationError as error:
            raise DatasetError(f"{path}: line {number} is not a clip: prepare anew") from error
    return tuple(rows)


def open_dataset(folder: Path) -> Dataset:
    """Open a dataset folder.

    Raises: DatasetError if it is not one, or not a finished one.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder: make it with `soundreel prepare`")
    if not (folder / "recipe.json").is_file():
        raise DatasetError(f"{folder}: not a dataset (no recipe.json): see `soundreel prepare`")
    try:
        recipe = load_recipe(folder / "recipe.json")
    except SettingsError as error:
        raise DatasetError(str(error)) from error
    return Dataset(folder, recipe, read_rows(folder / "clips.jsonl"))
