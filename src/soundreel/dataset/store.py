"""The dataset folder: what lies where, and how it is read back.

    recipe.json   clips.jsonl   README.md
    clips/<id>/sound.flac
    clips/<id>/frames/<k>_<milliseconds>.jpg
    clips/<id>/sound_images/<k>_<milliseconds>.png   instead of the sound, for pairs made elsewhere

A person may open it, look, and delete a frame or a clip's folder: what is there is what counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError

from soundreel.atomic import write_text
from soundreel.errors import DatasetError, SettingsError
from soundreel.recipe import Recipe, Seconds, load_recipe
from soundreel.timeline import grid_time, milliseconds

Split = Literal["train", "val", "test"]

#: A share of a picture's width or height as an exact fraction, saved as text ("1/8").
Share = Annotated[Fraction, BeforeValidator(Fraction), PlainSerializer(str, return_type=str)]

_FRAME_NAME = re.compile(r"(\d+)_(\d+)\.(jpg|png)")


class Origin(BaseModel):
    """Where a clip was fetched from, as the page said."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str | None = None
    uploader: str | None = None
    licence: str | None = None
    date: str | None = None


class Sameness(BaseModel):
    """Another clip that shares a song or pictures with this one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    what: Literal["same song", "same pictures", "same file"]
    shared_seconds: float = 0.0
    offset_seconds: float = 0.0
    """A moment t of this clip is t + offset of the other."""


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
    places: int = 0
    """Places of the recipe's grid within the clip: pairs made and skipped."""
    skipped: dict[str, int] = {}
    """Why places of the grid gave no pair, and how many."""
    skipped_at: dict[str, tuple[tuple[int, int], ...]] = {}
    """The same as ranges [first, last + 1) of places."""
    crop: tuple[Share, Share, Share, Share] = (Fraction(0), Fraction(0), Fraction(0), Fraction(0))
    """Shares of the shown picture cut off as letterbox bars: top, bottom, left, right."""
    group: str = ""
    """The first clip of those that share a song, pictures or a work; they are split together."""
    same_as: tuple[Sameness, ...] = ()
    origin: Origin | None = None
    left_out: str | None = None
    """Why the whole clip was left out."""


@dataclass(frozen=True)
class Dataset:
    """An opened dataset folder."""

    folder: Path
    recipe: Recipe
    rows: tuple[ClipRow, ...]

    def clips(self, split: Split | None = None) -> list[ClipRow]:
        """The clips of one split (or of all) that are still there and hold at least a pair."""
        return [
            row
            for row in self.rows
            if row.split is not None and split in (None, row.split) and self.frames(row.id)
        ]

    def clip_folder(self, clip_id: str) -> Path:
        """Where a clip's sound and frames lie."""
        return self.folder / "clips" / clip_id

    def sound_path(self, clip_id: str) -> Path:
        """Where a clip's sound lies (not there where sound images are stored)."""
        return self.clip_folder(clip_id) / "sound.flac"

    def frames(self, clip_id: str) -> list[tuple[int, Path]]:
        """The frames that are there now and have their sound: (k, path), ascending in k."""
        frames = numbered(self.clip_folder(clip_id) / "frames")
        if self.recipe.sound_images == "computed":
            return frames if self.sound_path(clip_id).is_file() else []
        heard = {k for k, _ in numbered(self.clip_folder(clip_id) / "sound_images")}
        return [(k, path) for k, path in frames if k in heard]

    def sound_images(self, clip_id: str) -> list[tuple[int, Path]]:
        """The stored sound images of those frames: (k, path), ascending in k."""
        seen = {k for k, _ in numbered(self.clip_folder(clip_id) / "frames")}
        stored = numbered(self.clip_folder(clip_id) / "sound_images")
        return [(k, path) for k, path in stored if k in seen]

    def time_of(self, row: ClipRow, k: int) -> Fraction:
        """The exact time of place k of the recipe's grid in a clip, in seconds."""
        return grid_time(k, self.recipe.start_seconds, self.recipe.step_seconds(row.fps))


def numbered(folder: Path) -> list[tuple[int, Path]]:
    """The frames or sound images in a folder: (k, path), ascending in k."""
    found = []
    for path in folder.glob("*_*.*"):
        match = _FRAME_NAME.fullmatch(path.name)
        if match:
            found.append((int(match[1]), path))
    return sorted(found)


def frame_name(k: int, time_seconds: Fraction, suffix: Literal[".jpg", ".png"] = ".jpg") -> str:
    """The file name of the frame (.jpg) or stored sound image (.png) at place k of the grid."""
    return f"{k:06}_{milliseconds(time_seconds):08}{suffix}"


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


def write_sound_image(path: Path, x_SS: np.ndarray) -> None:
    """Write an S x S sound image in [-1, 1] as a grey PNG of 8 bits."""
    Image.fromarray(sound_image_bytes(x_SS)).save(path)


def sound_image_bytes(x_SS: np.ndarray) -> np.ndarray:
    """A sound image in [-1, 1] as uint8: -1 is 0, +1 is 255."""
    return np.clip(np.rint((x_SS + 1) * 127.5), 0, 255).astype(np.uint8)


def read_sound_image(path: Path, size: int) -> np.ndarray:
    """Read a stored sound image as size x size uint8.

    Raises: DatasetError if the file is damaged or of another size.
    """
    try:
        with Image.open(path) as image:
            image_SS = np.asarray(image.convert("L"))
    except (OSError, SyntaxError) as error:
        raise DatasetError(f"{path}: not a readable PNG: delete it, or prepare anew") from error
    if image_SS.shape != (size, size):
        height, width = image_SS.shape
        raise DatasetError(f"{path}: is {width}x{height}, the recipe says {size}x{size}: delete it")
    return image_SS


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
