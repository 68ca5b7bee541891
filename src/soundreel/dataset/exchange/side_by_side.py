"""A dataset from side-by-side pairs: ours (see `pair_pictures`) or other people's."""

from __future__ import annotations

import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from PIL import Image
from pydantic import ValidationError

from soundreel.dataset.exchange.importing import (
    imported_before,
    whole_folder,
    write_dataset_files,
)
from soundreel.dataset.exchange.pair_names import PlannedClip, pictures_in, plan_clips
from soundreel.dataset.naming import ranges_of
from soundreel.dataset.split import split_clips
from soundreel.dataset.store import (
    ClipRow,
    Dataset,
    Split,
    frame_name,
    open_dataset,
    read_rows,
    write_frame,
)
from soundreel.errors import DatasetError, SettingsError
from soundreel.media.probe import MEDIA_SUFFIXES
from soundreel.progress import Listener, Step, silent
from soundreel.recipe import Recipe, load_recipe, recipe_from
from soundreel.settings import explain
from soundreel.timeline import grid_time

_LOOKS = 16
_SMALLEST, _LARGEST = 16, 1024
#: What Pillow raises for a file that is no picture, or half of one.
_DAMAGE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def is_side_by_side(folder: Path) -> bool:
    """Whether a folder holds pairs: pictures mostly twice as wide as high, and no sound or video.

    Looks at JPEG and PNG files in its `train`, `val` and `test`, or in the folder itself.
    """
    if not folder.is_dir():
        return False
    inside = [folder, *(folder / split for split in get_args(Split))]
    files = [path for place in inside if place.is_dir() for path in place.iterdir()]
    if any(path.suffix.lower() in MEDIA_SUFFIXES for path in files):
        return False
    pictures = [path for paths in pictures_in(folder).values() for path in paths]
    looked = pictures[:: max(1, len(pictures) // _LOOKS)][:_LOOKS]
    sizes = [size for size in map(_size_of, looked) if size is not None]
    return 2 * sum(width == 2 * height for width, height in sizes) > len(sizes)


def import_pairs(
    folder: Path, out: Path, recipe: Recipe | None = None, progress: Listener = silent
) -> Dataset:
    """Make a dataset folder from side-by-side pairs, ours or other people's.

    The sound images become files of the dataset, as there is no sound to compute them from; of
    coloured ones the luma counts. Clips and places come from the names (see `pair_names`), splits
    from the folders `train`, `val` and `test`; without these, clips are held out as the recipe
    says. Beside ours lie the recipe and the clips' rows, which come back as they were; they are
    found too where `folder` is only the `train`, `val` or `test` of ours.

    recipe: for other people's folders, what their sound images are said to be (`paper`). Sizes
        are taken from the pictures: see `recipe_of_size`.

    A picture that is damaged, or of another size than most, is left out; its clip's row says so.

    Raises: DatasetError if no picture can be used, or `out` holds something else; StorageError.
    """
    home = folder.parent if folder.name in get_args(Split) else folder
    home = home if (home / "recipe.json").is_file() else folder
    ours = (home / "recipe.json").is_file()
    if ours:
        try:
            recipe = load_recipe(home / "recipe.json")
        except SettingsError as error:
            raise DatasetError(str(error)) from error
    listed = home / "clips.jsonl"
    known = {row.id: row for row in read_rows(listed)} if ours and listed.is_file() else {}
    pictures = pictures_in(folder)
    size = _size_of_most([path for paths in pictures.values() for path in paths], folder)
    recipe = recipe_of_size(recipe_from("paper") if recipe is None else recipe, size)
    clips = {clip.id: clip for clip in plan_clips(pictures, known)}
    new_ids = [clip_id for clip_id in clips if clip_id not in known]
    rows = [*known.values(), *(_new_row(clips[clip_id], folder, size) for clip_id in new_ids)]
    before = imported_before(out, recipe, rows)
    if before is not None:
        return before
    total = sum(len(clip.pictures) for clip in clips.values())
    with whole_folder(out) as building:
        done = 0
        for place, row in enumerate(rows):
            if row.id in clips:
                clip = clips[row.id]
                rows[place] = _build_clip(clip, row, building / "clips" / row.id, recipe)
                done += len(clip.pictures)
                progress(Step("import", done, total, "pairs", row.id))
        rows = _with_splits(rows, clips, recipe)
        if all(row.split is None for row in rows):
            raise DatasetError(f"{folder}: none of its pictures can be used: make it anew")
        told = _TOLD if ours else f"{_TOLD} {_TOLD_OF_OTHERS}"
        write_dataset_files(building, recipe, rows, [told])
    return open_dataset(out)


def recipe_of_size(recipe: Recipe, size: int) -> Recipe:
    """The recipe with stored sound images, and these and the frames of size x size pixels.

    For another size than the recipe's own, its numbers change so that as long a window makes as
    many rows and columns: it is only said, not known, how such sound images were made.
    """
    changes: dict[str, object] = {"sound_images": "stored", "picture_size": size}
    if recipe.picture_aspect == "auto":
        changes["picture_aspect"] = "ignore"  # there are no clips to find it from
    if size != recipe.sound_image_size:
        changes["sound_image_size"] = size
        segment, fft = recipe.segment_samples, recipe.fft_samples
        if recipe.representation == "waveform":
            changes["window_samples"] = size * size
        else:
            if recipe.representation != "mel":
                fft = 2 * size - 2
                segment = max(4, segment * fft // recipe.fft_samples)
            hop = max(1, (recipe.window_samples - segment) // (size - 1))
            changes |= {
                "fft_samples": fft,
                "segment_samples": segment,
                "hop_samples": hop,
                "window_samples": segment + (size - 1) * hop,
            }
    try:
        return Recipe.model_validate({**recipe.model_dump(), **changes})
    except ValidationError as error:
        raise SettingsError(
            f"recipe {recipe.name!r} cannot be of {size}x{size}: {explain(error, Recipe)}"
        ) from error


def _size_of(path: Path) -> tuple[int, int] | None:
    """(width, height) as the header says, or None if there is no such header."""
    try:
        with Image.open(path) as image:
            return image.size
    except _DAMAGE:
        return None


def _size_of_most(paths: Sequence[Path], folder: Path) -> int:
    """The height of most pictures that are twice as wide as high (of a tie, the largest)."""
    heights = Counter(
        size[1] for size in map(_size_of, paths) if size is not None and size[0] == 2 * size[1]
    )
    if not heights:
        raise DatasetError(
            f"{folder}: holds no picture that is twice as wide as high: give side-by-side pairs"
        )
    height = max(heights, key=lambda height: (heights[height], height))
    if not _SMALLEST <= height <= _LARGEST:
        raise DatasetError(
            f"{folder}: its pairs are {2 * height}x{height}: scale them to a height from "
            f"{_SMALLEST} to {_LARGEST}"
        )
    return height


def _new_row(clip: PlannedClip, folder: Path, size: int) -> ClipRow:
    """All of a clip's row that is known before its pictures are read."""
    return ClipRow(
        id=clip.id,
        title=clip.name,
        source=str(folder),
        bytes=sum(path.stat().st_size for _, path in clip.pictures),
        sha256="",
        size=f"{size}x{size}",
        split=clip.split,
        pairs=len(clip.pictures),
        places=len(clip.pictures),
    )


def _build_clip(clip: PlannedClip, row: ClipRow, folder: Path, recipe: Recipe) -> ClipRow:
    """Write a clip's frames and sound images, and return its row."""
    size, step = recipe.picture_size, recipe.step_seconds(row.fps)
    for inside in ("frames", "sound_images"):
        (folder / inside).mkdir(parents=True)
    digest = hashlib.sha256()
    skipped: dict[str, list[int]] = defaultdict(list)
    for k, path in clip.pictures:
        try:
            content = path.read_bytes()
            digest.update(content)
            with Image.open(io.BytesIO(content)) as image:
                pair = image.convert("RGB")
        except _DAMAGE:
            skipped["damaged picture"].append(k)
            continue
        if pair.size != (2 * size, size):
            skipped[f"not {2 * size}x{size}"].append(k)
            continue
        time = grid_time(k, recipe.start_seconds, step)
        frame_HW3 = np.asarray(pair.crop((0, 0, size, size)))
        write_frame(folder / "frames" / frame_name(k, time), frame_HW3, recipe.jpeg_quality)
        sound_image = pair.crop((size, 0, 2 * size, size)).convert("L")
        sound_image.save(folder / "sound_images" / frame_name(k, time, ".png"))
    lost = sum(map(len, skipped.values()))
    changes: dict[str, object] = {"split": clip.split or row.split}
    if lost:
        changes["pairs"] = row.pairs - lost
        changes["skipped"] = row.skipped | {
            why: row.skipped.get(why, 0) + len(places) for why, places in skipped.items()
        }
        changes["skipped_at"] = row.skipped_at | {
            why: row.skipped_at.get(why, ()) + ranges_of(places) for why, places in skipped.items()
        }
    if lost == len(clip.pictures):
        changes["split"] = None
        changes["left_out"] = f"{clip.name}: none of its {lost} pictures can be used: copy anew"
    if not row.sha256:
        changes["sha256"] = digest.hexdigest()
    return row.model_copy(update=changes)


def _with_splits(
    rows: Sequence[ClipRow], clips: dict[str, PlannedClip], recipe: Recipe
) -> list[ClipRow]:
    """The rows with a split for each clip that no folder or row gave one."""
    open_rows = [
        row for row in rows if row.id in clips and row.split is None and row.left_out is None
    ]
    splits = split_clips([row.sha256 for row in open_rows], recipe.held_out_fraction)
    split_of = {row.id: split for row, split in zip(open_rows, splits, strict=True)}
    return [
        row.model_copy(update={"split": split_of[row.id]}) if row.id in split_of else row
        for row in rows
    ]


_TOLD = (
    "Made from side-by-side pairs: the frames have been through JPEG once more, and the sound "
    "images are those of the pairs, as there is no sound."
)
_TOLD_OF_OTHERS = (
    "These pairs were made elsewhere: clips and places are what the files' names say, times and "
    "the recipe are only assumed."
)
