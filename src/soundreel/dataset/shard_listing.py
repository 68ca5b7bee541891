"""What the lists beside shards tell of a split's clips, before a tar is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from soundreel.dataset.store import ClipRow, Split, read_rows
from soundreel.errors import DatasetError, SettingsError, SoundreelError
from soundreel.places import Place, exists, local_copy, read_bytes
from soundreel.recipe import Recipe, load_recipe
from soundreel.timeline import samples_before


@dataclass(frozen=True)
class ListedClip:
    """A clip of a split before its tars are read.

    tars: where they lie. names: what the split's list calls them.
    pairs: as clips.jsonl has it, at least 1.
    most_bytes: of memory that its sound, and its frames if they were decoded, would fill.
    """

    id: str
    tars: tuple[Place, ...]
    names: tuple[str, ...]
    pairs: int
    most_bytes: int


def listed_clips(root: Place, split: Split) -> tuple[Recipe, list[ListedClip]]:
    """The recipe of a folder of shards, and the clips of a split that have pairs, in its order.

    Raises: DatasetError if it is no such folder, or its files do not fit together; StorageError.
    """
    for name in ("recipe.json", "clips.jsonl", f"{split}.txt"):
        if not exists(root / name):
            raise DatasetError(
                f"{root}: holds no shards (no {name}): make them with `soundreel export`"
            )
    try:
        with on_this_machine(root / "recipe.json") as path:
            recipe = load_recipe(path)
    except SettingsError as error:
        raise DatasetError(str(error)) from error
    with on_this_machine(root / "clips.jsonl") as path:
        row_of = {row.id: row for row in read_rows(path)}
    names_of: dict[str, list[str]] = {}
    for name in read_bytes(root / f"{split}.txt").decode(errors="replace").split("\n"):
        if not name.strip():
            continue
        clip_id = name.strip().rpartition("/")[2].rpartition("-")[0]
        if clip_id not in row_of:
            raise DatasetError(
                f"{root / name.strip()}: its clip is not in clips.jsonl: take the tar out of "
                f"{split}.txt"
            )
        names_of.setdefault(clip_id, []).append(name.strip())
    clips = [
        ListedClip(
            clip_id,
            tuple(root / name for name in names),
            tuple(names),
            row_of[clip_id].pairs,
            _most_bytes(row_of[clip_id], recipe),
        )
        for clip_id, names in names_of.items()
        if row_of[clip_id].pairs
    ]
    return recipe, clips


@contextmanager
def on_this_machine(place: Place) -> Iterator[Path]:
    """The file on this machine while the block lasts; errors in it name where it came from."""
    if not place.scheme:
        yield Path(place.path)
        return
    with TemporaryDirectory() as folder:
        path = local_copy(place, Path(folder))
        try:
            yield path
        except SoundreelError as error:
            raise type(error)(str(error).replace(str(path), str(place))) from error


def _most_bytes(row: ClipRow, recipe: Recipe) -> int:
    window = recipe.window_samples
    step_samples = samples_before(recipe.step_seconds(row.fps), recipe.sample_rate_hz)
    picture = 3 * recipe.picture_size**2
    if recipe.sound_images == "stored":
        return row.pairs * (picture + recipe.sound_image_size**2)
    # A stretch has a gap of at most two windows between pairs.
    spanned = max(row.places, row.pairs) * step_samples + window
    return row.pairs * picture + 4 * min(spanned, row.pairs * 2 * window)
