"""`prepare` to an address: shards of clips, for datasets larger than a disk.

    recipe.json   clips.jsonl   README.md   train.txt   val.txt   test.txt
    shards/<id>-000.tar

While it is being made, `unfinished/` holds the rows and prints of the clips that are there, so
that the same call goes on where it stopped; what is not finished has no recipe.json.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from soundreel.dataset.build import (
    lost_clip,
    make_clip,
    nothing_usable,
    plan_of,
    resolved_recipe,
)
from soundreel.dataset.exchange.shard_folder import write_shard_lists
from soundreel.dataset.exchange.shards import write_clip_shards
from soundreel.dataset.listing import Source, list_sources
from soundreel.dataset.sameness import Prints, load_prints, save_prints
from soundreel.dataset.split import split_rows
from soundreel.dataset.store import ClipRow, read_rows
from soundreel.errors import DatasetError
from soundreel.parallel import EngineName, map_items
from soundreel.places import (
    Place,
    exists,
    list_files,
    local_copy,
    place_from,
    put_file,
    read_bytes,
    remove_folder,
    write_bytes,
)
from soundreel.progress import Listener, Step, silent
from soundreel.recipe import Recipe, load_recipe, recipe_from

_LISTS = ("clips.jsonl", "README.md", "train.txt", "val.txt", "test.txt")


@dataclass(frozen=True)
class ShardedDataset:
    """A dataset of shards at an address."""

    place: Place
    recipe: Recipe
    rows: tuple[ClipRow, ...]


def prepare_shards(
    clips: Sequence[str | Path],
    out: str,
    recipe: Recipe | None = None,
    *,
    workers: int = 1,
    engine: EngineName = "local",
    progress: Listener = silent,
) -> ShardedDataset:
    """As `prepare`, into shards at an address (s3://bucket/dataset), a clip a shard or more.

    Each worker fetches its clip, works on it in a temporary folder, and sends the shard and then
    the clip's row; a clip that has a row is not made again. The split is made at the end, where
    the prints of all clips are compared on this machine (about 50 kB a clip of four minutes).

    Raises: as `prepare`.
    """
    place = place_from(out)
    recipe = recipe_from("default") if recipe is None else recipe
    sources = list_sources(clips)
    plan = plan_of(recipe, sources)
    finished = _finished(place, plan)
    if finished is not None:
        return finished
    _begin(place, plan)
    with tempfile.TemporaryDirectory() as folder:
        kept_shape = place / "unfinished" / "shape.txt"
        if exists(kept_shape):
            local_copy(kept_shape, Path(folder))
        resolved = resolved_recipe(Path(folder), recipe, sources, workers, engine, progress)
        if (Path(folder) / "shape.txt").is_file():
            put_file(Path(folder) / "shape.txt", kept_shape)
        store = ShardStore(place, resolved)
        rows = []
        task = partial(make_clip, recipe=resolved, store=store)
        lost = partial(lost_clip, store=store)
        made = map_items(task, sources, workers, engine=engine, on_lost=lost)
        for done, row in enumerate(made, 1):
            rows.append(row)
            progress(Step("prepare", done, len(sources), "clips", row.id))
        if all(row.left_out is not None for row in rows):
            raise DatasetError(nothing_usable(rows))
        rows = split_rows(rows, store.prints, resolved)
        _finish(place, Path(folder), resolved, rows)
    return ShardedDataset(place, resolved, tuple(rows))


@dataclass(frozen=True)
class ShardStore:
    """Where clips are kept as shards: a store in the sense of `build.Store`."""

    place: Place
    recipe: Recipe

    def row(self, source: Source) -> ClipRow | None:
        """The row of a clip that is there already."""
        kept = self._row_of(source.clip_id)
        return ClipRow.model_validate_json(read_bytes(kept)) if exists(kept) else None

    def keep(self, row: ClipRow, folder: Path | None, prints: Prints | None) -> None:
        """Send a finished clip; its row comes last, so what has a row is whole."""
        with tempfile.TemporaryDirectory() as bench:
            if folder is not None:
                for shard in write_clip_shards(folder, row, self.recipe, Path(bench)):
                    put_file(shard, self.place / "shards" / shard.name)
            if prints is not None:
                save_prints(Path(bench) / "prints.npz", prints)
                put_file(Path(bench) / "prints.npz", self._prints_of(row.id))
        write_bytes(self._row_of(row.id), row.model_dump_json().encode())

    def prints(self, clip_id: str) -> Prints:
        """The prints of a kept clip."""
        with tempfile.TemporaryDirectory() as bench:
            return load_prints(local_copy(self._prints_of(clip_id), Path(bench)))

    @contextmanager
    def workbench(self, source: Source) -> Iterator[Path]:
        """A folder that does not exist yet, on this machine, to build a clip in."""
        with tempfile.TemporaryDirectory() as bench:
            yield Path(bench) / source.clip_id

    def _row_of(self, clip_id: str) -> Place:
        return self.place / "unfinished" / f"{clip_id}.json"

    def _prints_of(self, clip_id: str) -> Place:
        return self.place / "unfinished" / f"{clip_id}.npz"


def _finished(place: Place, plan: str) -> ShardedDataset | None:
    """The dataset there if this very call made it before; None if it is still to be made."""
    if not exists(place / "recipe.json"):
        return None
    if not exists(place / "plan.txt") or read_bytes(place / "plan.txt").decode() != plan:
        raise DatasetError(f"{place}: holds another dataset: choose another --out, or remove it")
    with tempfile.TemporaryDirectory() as folder:
        recipe = load_recipe(local_copy(place / "recipe.json", Path(folder)))
        rows = read_rows(local_copy(place / "clips.jsonl", Path(folder)))
    return ShardedDataset(place, recipe, rows)


def _begin(place: Place, plan: str) -> None:
    """Say what is being made there, or that something else is."""
    begun = place / "plan.txt"
    if exists(begun) and read_bytes(begun).decode() != plan:
        raise DatasetError(
            f"{place}: holds the unfinished work of another call: give that one again, choose "
            "another --out, or remove it"
        )
    write_bytes(begun, plan.encode())


def _finish(place: Place, folder: Path, recipe: Recipe, rows: Sequence[ClipRow]) -> None:
    """Write the lists, then the recipe that says it is finished, and tidy up."""
    tars = [file.name for file in list_files(place / "shards")]
    write_shard_lists(folder, rows, recipe, tars)
    for name in _LISTS:
        if (folder / name).is_file():
            put_file(folder / name, place / name)
    put_file(folder / "recipe.json", place / "recipe.json")
    remove_folder(place / "unfinished")
