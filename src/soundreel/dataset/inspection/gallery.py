"""`inspect`: look at a dataset, and leave out of it what does not belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from soundreel.dataset.inspection.pruning import Dropped
from soundreel.dataset.inspection.pruning import drop as drop_from
from soundreel.dataset.store import open_dataset
from soundreel.errors import SettingsError
from soundreel.progress import Listener, silent


@dataclass(frozen=True)
class Inspected:
    """What `inspect` wrote and what the dataset holds now.

    out: the page or the sheet, None if none was asked for.
    clips, pairs: what is there now, after what was dropped.
    """

    out: Path | None
    clips: int
    pairs: int
    dropped: Dropped

    @property
    def summary(self) -> str:
        """What was written and what was deleted, a line each."""
        said = [str(self.out)] if self.out else []
        gone = self.dropped
        if gone.frames or gone.already_gone:
            said.append(
                f"dropped {gone.frames} frames ({gone.clips} whole clips): {self.pairs} pairs of "
                f"{self.clips} clips are left"
                + "".join(f"; no pair is left in {split}" for split in gone.emptied)
            )
        return "\n".join(said)


def inspect(
    dataset: Path,
    out: Path | None = None,
    *,
    drop: Sequence[str] = (),
    columns: int = 8,
    progress: Listener = silent,
) -> Inspected:
    """Look at a dataset folder, and delete frames or clips from it by name.

    out: `.html` for a gallery in one file (see `write_gallery`), `.png` for a contact sheet (see
        `contact_sheet`).
    drop: what to delete first, as `clip-id`, `clip-id:12`, `clip-id:12-40` or `clip-id:1,5,9-20`
        (see `pruning.drop`): the places are the numbers that frames' names begin
        with.
    columns: how many moments of each clip to show.

    Raises: SettingsError if `out` is neither kind, there is nothing to do, or a name in `drop`
    cannot be read; DatasetError if the folder is no dataset, has no such clip or frame, or none
    would be left; StorageError.
    """
    if out is None and not drop:
        raise SettingsError(
            f"{dataset}: nothing to do: give --out sheet.png or gallery.html, or --drop"
        )
    if out is not None and out.suffix.lower() not in (".png", ".html"):
        raise SettingsError(
            f"{out}: give a name that ends in .html for a gallery, or ends in .png for a sheet"
        )
    if columns < 1:
        raise SettingsError(f"{columns} columns: give 1 or more")
    opened = open_dataset(dataset)
    dropped = drop_from(opened, drop) if drop else Dropped()
    if out is not None and out.suffix.lower() == ".html":
        from soundreel.dataset.inspection.gallery_page import write_gallery

        write_gallery(opened, out, columns=columns, progress=progress)
    elif out is not None:
        from soundreel.dataset.inspection.contact_sheet import contact_sheet

        contact_sheet(opened, out, columns=columns, progress=progress)
    rows = opened.clips()
    pairs = sum(len(opened.frames(row.id)) for row in rows)
    return Inspected(out, len(rows), pairs, dropped)
