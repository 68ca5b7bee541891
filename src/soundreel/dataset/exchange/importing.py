"""Dataset folders made from what was exported, here or elsewhere: begun, refused, finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from soundreel.atomic import discard, finish_folder, partial_folder, write_json, write_text
from soundreel.dataset.store import ClipRow, Dataset, open_dataset, write_rows
from soundreel.errors import DatasetError, storage_errors
from soundreel.recipe import Recipe


def is_taken(out: Path) -> bool:
    """Whether something lies at `out` already: a file, or a folder that is not empty."""
    with storage_errors(out):
        return out.exists() and not (out.is_dir() and not any(out.iterdir()))


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to build in, beside `out`; it gets that name when the block ends without error.

    What a killed call left there goes first; after an error or an interrupt nothing is left.

    Raises: StorageError if `out` is taken, the disk is full or the place cannot be written.
    """
    building = partial_folder(out)
    discard(building)
    try:
        with storage_errors(out):
            building.mkdir(parents=True)
            yield building
    except BaseException:
        discard(building)
        raise
    finish_folder(out)


def imported_before(out: Path, recipe: Recipe, rows: Sequence[ClipRow]) -> Dataset | None:
    """The dataset at `out` if the same import made it; None if nothing is there.

    rows: what is known of the clips before a picture is read; they must be of the same ids,
    sources and sizes in bytes.

    Raises: DatasetError if `out` holds something else.
    """
    if not is_taken(out):
        return None
    dataset = open_dataset(out)
    if dataset.recipe != recipe:
        raise DatasetError(f"{out}: holds a dataset of another recipe: choose another --out")
    if [_identity(row) for row in dataset.rows] != [_identity(row) for row in rows]:
        raise DatasetError(f"{out}: was made from other clips: choose another --out, or remove it")
    return dataset


def write_dataset_files(
    folder: Path, recipe: Recipe, rows: Sequence[ClipRow], told: Sequence[str]
) -> None:
    """Write what a dataset folder holds beside its clips: recipe.json, clips.jsonl, README.md.

    told: paragraphs for the README, on where the pairs came from.
    """
    write_json(folder / "recipe.json", recipe.model_dump(mode="json"))
    write_rows(folder, rows)
    used = [row for row in rows if row.split is not None]
    lines = [
        "# A Soundreel dataset",
        "",
        f"{sum(row.pairs for row in used)} pairs from {len(used)} clips, recipe `{recipe.name}` "
        f"(`{recipe.representation}`), frames {recipe.picture_size}x{recipe.picture_size}.",
    ]
    for paragraph in told:
        lines += ["", paragraph]
    lines += ["", "The pictures and the sound belong to their makers: check what you may do.", ""]
    lines += ["| clip | split | pairs | note |", "|---|---|---|---|"]
    for row in rows:
        skips = "; ".join(f"{count} skipped: {why}" for why, count in row.skipped.items())
        note = (row.left_out or skips).replace("|", "/")
        lines.append(f"| {row.id} | {row.split or 'left out'} | {row.pairs} | {note} |")
    write_text(folder / "README.md", "\n".join(lines) + "\n")


def _identity(row: ClipRow) -> tuple[str, str, int]:
    return row.id, row.source, row.bytes
