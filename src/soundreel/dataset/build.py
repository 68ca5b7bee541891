"""`prepare`: from clips to a dataset folder."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Protocol

from soundreel.atomic import discard, finish_folder, partial_folder, write_json, write_text
from soundreel.dataset.clip import Look, build_clip, look_at, sha256_of
from soundreel.dataset.describing import describe_dataset
from soundreel.dataset.exchange.shard_folder import import_shards, is_shards
from soundreel.dataset.exchange.side_by_side import import_pairs, is_side_by_side
from soundreel.dataset.listing import Source, list_sources
from soundreel.dataset.sameness import Prints, load_prints, save_prints
from soundreel.dataset.selection import judge_for
from soundreel.dataset.split import split_rows
from soundreel.dataset.store import ClipRow, Dataset, open_dataset, write_rows
from soundreel.errors import DatasetError, MediaError, storage_errors
from soundreel.parallel import EngineName, map_items
from soundreel.places import is_remote, local_copy, place_from, size
from soundreel.progress import Listener, Step, silent
from soundreel.recipe import Recipe, recipe_from

#: Shapes that a clip within 2% of them is meant to have (encoders round sizes to even numbers).
_COMMON_ASPECTS = tuple(
    Fraction(text) for text in ("16/9", "4/3", "1/1", "9/16", "3/4", "64/27", "3/2", "37/20", "5/4")
)
# Of more clips than this, some, evenly spread, say what shape most have.
_LOOKS_FOR_SHAPE = 200


def prepare(
    clips: Sequence[str | Path],
    out: str | Path,
    recipe: Recipe | None = None,
    *,
    workers: int = 1,
    engine: EngineName = "local",
    progress: Listener = silent,
) -> Dataset:
    """Make a dataset from video files (or folders of them).

    clips: files and folders, or addresses of some (s3://...); of a folder every media file at any
        depth is taken, in the order of names. One folder of side-by-side pictures or of shards
        (see `export`) becomes a dataset as it is.
    out: the dataset folder; an address gets shards instead (`soundreel.dataset.remote`).
    recipe: what windows, sound images and frames are, and what is left out; `picture_aspect`
        "auto" becomes the shape of most clips.
    workers: how many processes decode at once; engine: "local" ones, or a "ray" cluster's.

    A file that cannot be used is left out: its row in clips.jsonl says why, and the others go on.
    Clips that share a song, pictures or a work (`recipe.together`) go into the same split.
    The folder is built beside `out` and renamed, so it appears only when it is finished; the same
    call resumes an interrupted one, and returns at once where the dataset is finished.

    Raises: DatasetError if no clip can be used, or `out` holds something else; StorageError;
    SettingsError if what the recipe asks for is not there (photos, models, an engine).
    """
    out = Path(out)
    if len(clips) == 1 and Path(clips[0]).is_dir():
        if is_side_by_side(Path(clips[0])):
            return import_pairs(Path(clips[0]), out, recipe, progress)
        if is_shards(Path(clips[0])):
            return import_shards(Path(clips[0]), out, progress)
    recipe = recipe_from("default") if recipe is None else recipe
    judge_for(recipe.selection)  # photos or models that cannot be used are told of at once
    sources = list_sources(clips)
    finished = _finished(out, recipe, sources)
    if finished is not None:
        return finished
    building = _building_folder(out, recipe, sources)
    resolved = resolved_recipe(building, recipe, sources, workers, engine, progress)
    store = FolderStore(building)
    task = partial(make_clip, recipe=resolved, store=store)
    rows = []
    with storage_errors(out):
        lost = partial(lost_clip, store=store)
        made = map_items(task, sources, workers, engine=engine, on_lost=lost)
        for done, row in enumerate(made, 1):
            rows.append(row)
            progress(Step("prepare", done, len(sources), "clips", row.id))
        rows = split_rows(rows, store.prints, resolved)
        _finish(building, out, resolved, rows)
    return open_dataset(out)


class Store(Protocol):
    """Where clips are kept while a dataset is made; asked by workers, so it can be pickled."""

    def row(self, source: Source) -> ClipRow | None: ...
    def keep(self, row: ClipRow, folder: Path | None, prints: Prints | None) -> None: ...
    def prints(self, clip_id: str) -> Prints: ...
    def workbench(self, source: Source) -> AbstractContextManager[Path]: ...


@dataclass(frozen=True)
class FolderStore:
    """Where a clip lies while a dataset folder is built: `building`, in the folder's own form."""

    building: Path

    def row(self, source: Source) -> ClipRow | None:
        """The row of a clip that an interrupted call made before."""
        path = self.building / "rows" / f"{source.clip_id}.json"
        if not path.is_file():
            return None
        row = ClipRow.model_validate_json(path.read_bytes())
        there = row.left_out is not None or (self.building / "clips" / row.id).is_dir()
        return row if there else None

    def keep(self, row: ClipRow, folder: Path | None, prints: Prints | None) -> None:
        """Keep a finished clip; its row comes last, so what has a row is whole."""
        with storage_errors(self.building):
            if folder is not None:
                target = self.building / "clips" / row.id
                discard(target)
                target.parent.mkdir(parents=True, exist_ok=True)
                folder.rename(target)
            if prints is not None:
                path = self.building / "prints" / f"{row.id}.npz"
                path.parent.mkdir(parents=True, exist_ok=True)
                save_prints(path, prints)
        write_text(self.building / "rows" / f"{row.id}.json", row.model_dump_json())

    def prints(self, clip_id: str) -> Prints:
        """The prints of a kept clip."""
        return load_prints(self.building / "prints" / f"{clip_id}.npz")

    @contextmanager
    def workbench(self, source: Source) -> Iterator[Path]:
        """A folder that does not exist yet to build a clip in, on the same disk."""
        folder = self.building / "unfinished" / source.clip_id
        discard(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield folder
        finally:
            discard(folder)


def make_clip(source: Source, recipe: Recipe, store: Store) -> ClipRow:
    """A clip's row, built now or by the interrupted call before; left out if it cannot be."""
    before = store.row(source)
    if before is not None:
        return before
    with store.workbench(source) as folder, local_file(source) as path:
        try:
            look = look_at(path, recipe.selection.letterbox == "crop")
            row, prints = build_clip(source, path, look, folder, recipe)
        except MediaError as error:
            row = left_out_row(source, path, str(error))
            store.keep(row, None, None)
        else:
            store.keep(row, folder, prints)
    return row


@contextmanager
def local_file(source: Source) -> Iterator[Path]:
    """The source's file on this machine; that of a remote one is there for the block only."""
    if not is_remote(source.place):
        yield Path(source.place)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield local_copy(place_from(source.place), Path(folder))


def left_out_row(source: Source, path: Path | None, why: str) -> ClipRow:
    """The row of a file that gives no clip."""
    there = path is not None and path.is_file()
    return ClipRow(
        id=source.clip_id,
        title=source.title or Path(source.name).stem,
        source=source.place,
        bytes=path.stat().st_size if path and there else 0,
        sha256=sha256_of(path) if path and there else "",
        origin=source.origin,
        left_out=why,
    )


def lost_clip(source: Source, store: Store) -> ClipRow:
    """What becomes of a file at which two worker processes died."""
    path = None if is_remote(source.place) else Path(source.place)
    why = (
        f"{source.place}: the process that read it died, twice: it is damaged, or needs more memory"
    )
    row = left_out_row(source, path, why)
    store.keep(row, None, None)
    return row


def resolved_recipe(
    building: Path,
    recipe: Recipe,
    sources: Sequence[Source],
    workers: int,
    engine: EngineName,
    progress: Listener,
) -> Recipe:
    """The recipe with the shape "auto" replaced by that of most clips (of a tie, the first's).

    What was found is kept in `building`, so that an interrupted call need not look again.
    """
    if recipe.picture_aspect != "auto":
        return recipe
    kept = building / "shape.txt"
    if not kept.is_file():
        stride = max(1, -(-len(sources) // _LOOKS_FOR_SHAPE))
        looked = sources[::stride]
        task = partial(_shape, find_bars=recipe.selection.letterbox == "crop")
        shapes: Counter[Fraction] = Counter()
        found = map_items(task, looked, workers, engine=engine, on_lost=_no_shape)
        for done, shape in enumerate(found, 1):
            if shape is not None:
                shapes[shape] += 1
            progress(Step("look", done, len(looked), "files", looked[done - 1].name))
        write_text(kept, str(shapes.most_common(1)[0][0] if shapes else Fraction(1)))
    aspect = Fraction(kept.read_text(encoding="utf-8"))
    return recipe.model_copy(update={"picture_aspect": aspect})


def _shape(source: Source, find_bars: bool) -> Fraction | None:
    try:
        with local_file(source) as path:
            look: Look = look_at(path, find_bars)
    except MediaError:
        return None  # `make_clip` says so, in the file's row
    return _common_aspect(look.aspect)


def _no_shape(source: Source) -> Fraction | None:
    return None


def _common_aspect(aspect: Fraction) -> Fraction:
    near = min(_COMMON_ASPECTS, key=lambda common: abs(common - aspect) / common)
    snapped = near if abs(near - aspect) <= near * Fraction(2, 100) else aspect
    return min(max(snapped.limit_denominator(100), Fraction(1, 4)), Fraction(4))


def _finished(out: Path, recipe: Recipe, sources: Sequence[Source]) -> Dataset | None:
    """The dataset at `out` if this very call made it before; None if nothing is there."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    dataset = open_dataset(out)
    aspect = {"picture_aspect": dataset.recipe.picture_aspect}
    asked = recipe if recipe.picture_aspect != "auto" else recipe.model_copy(update=aspect)
    if dataset.recipe != asked:
        raise DatasetError(f"{out}: holds a dataset of another recipe: choose another --out")
    if identity(sources) != sorted((row.id, row.source, row.bytes) for row in dataset.rows):
        raise DatasetError(f"{out}: was made from other clips: choose another --out, or remove it")
    return dataset


def identity(sources: Iterable[Source]) -> list[tuple[str, str, int]]:
    """What tells one set of clips from another at a glance: ids, places and sizes."""
    return sorted((source.clip_id, source.place, _bytes_of(source)) for source in sources)


def _bytes_of(source: Source) -> int:
    if is_remote(source.place):
        return size(place_from(source.place))
    path = Path(source.place)
    return path.stat().st_size if path.is_file() else 0


def plan_of(recipe: Recipe, sources: Sequence[Source]) -> str:
    """A name for what is to be built, so that an interrupted call of other content is not mixed."""
    plan = {
        "recipe": recipe.model_dump(mode="json"),
        "clips": [list(clip) for clip in identity(sources)],
    }
    return hashlib.sha256(repr(plan).encode()).hexdigest()


def _building_folder(out: Path, recipe: Recipe, sources: Sequence[Source]) -> Path:
    """The folder beside `out` to build in; what an interrupted call of other content left goes."""
    building = partial_folder(out)
    plan_path = building / "plan.json"
    plan = plan_of(recipe, sources)
    if not (plan_path.is_file() and plan_path.read_text(encoding="utf-8") == plan):
        discard(building)
        write_text(plan_path, plan)
    return building


def _finish(building: Path, out: Path, recipe: Recipe, rows: Sequence[ClipRow]) -> None:
    if all(row.left_out is not None for row in rows):
        discard(building)
        raise DatasetError(nothing_usable(rows))
    write_json(building / "recipe.json", recipe.model_dump(mode="json"))
    write_rows(building, rows)
    write_text(building / "README.md", describe_dataset(recipe, rows))
    for leftover in ("rows", "prints", "unfinished"):
        discard(building / leftover)
    for leftover in ("plan.json", "shape.txt"):
        (building / leftover).unlink(missing_ok=True)
    finish_folder(out)


def nothing_usable(rows: Sequence[ClipRow]) -> str:
    """The line for when every file had to be left out."""
    more = f" (and {len(rows) - 1} more left out)" if len(rows) > 1 else ""
    return f"no clip can be used: {rows[0].left_out}{more}"
