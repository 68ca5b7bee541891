"""`export`: a dataset in a form that other programs read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from soundreel.dataset.exchange.importing import is_taken, whole_folder
from soundreel.dataset.exchange.pair_pictures import export_pairs
from soundreel.dataset.exchange.shard_folder import export_shards
from soundreel.dataset.store import open_dataset
from soundreel.errors import DatasetError, SettingsError, StorageError
from soundreel.progress import Listener, silent

Form = Literal["pairs", "shards"]


@dataclass(frozen=True)
class Exported:
    """What was written: where, how many pairs, and in how many pictures or tars."""

    out: Path
    pairs: int
    files: int

    @property
    def summary(self) -> str:
        """A line for a person."""
        return f"{self.out}: {self.pairs} pairs in {self.files} files"


def export(dataset: Path, to: Form, out: Path, *, progress: Listener = silent) -> Exported:
    """Write a dataset folder in another form, into a folder that must not exist or be empty.

    to: "pairs", side-by-side pictures as pix2pix codes read them; or "shards", WebDataset tars.
        `prepare` makes a dataset folder of either again.

    The folder is built beside `out` and renamed, so it appears only when it is finished.

    Raises: SettingsError for another form; DatasetError if there is no dataset, no pair left in
    it, or a frame or sound of it is damaged; StorageError if `out` is taken or cannot be written.
    """
    if to not in get_args(Form):
        raise SettingsError(f"--to {to}: a dataset is exported to {' or '.join(get_args(Form))}")
    opened = open_dataset(dataset)
    pairs = sum(len(opened.frames(row.id)) for row in opened.clips())
    if not pairs:
        raise DatasetError(f"{dataset}: no clip with a frame is left: prepare it anew")
    if is_taken(out):
        raise StorageError(f"{out}: exists already: choose another place or remove it")
    with whole_folder(out) as building:
        if to == "pairs":
            files = export_pairs(opened, building, progress)
        else:
            files = len(export_shards(opened, building, progress))
    return Exported(out, pairs, files)
