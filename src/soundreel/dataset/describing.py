"""A dataset in words: the README in its folder, and the table of what became of each file."""

from __future__ import annotations

from collections.abc import Sequence

from soundreel.dataset.store import ClipRow
from soundreel.recipe import Recipe


def describe_dataset(recipe: Recipe, rows: Sequence[ClipRow]) -> str:
    """The README.md of a dataset, Markdown."""
    used = [row for row in rows if row.split is not None]
    size = recipe.picture_size
    lines = [
        "# A Soundreel dataset",
        "",
        f"{sum(row.pairs for row in used)} pairs from {len(used)} clips, recipe `{recipe.name}` "
        f"(`{recipe.representation}`), frames {size}x{size}, one {_every(recipe)}.",
        "",
        "`clips/<id>/frames/<k>_<milliseconds>.jpg` is the picture at grid place k; "
        "`clips/<id>/sound.flac` is the sound that sound images are computed from. Delete a frame "
        "or a clip's folder to leave it out; the next command simply has that much less.",
        "",
        "The pictures and the sound belong to their makers: check what you may do with them.",
        "",
        "| clip | split | pairs | note |",
        "|---|---|---|---|",
    ]
    for row in rows:
        note = note_of(row).replace("|", "/")
        lines.append(f"| {row.id} | {row.split or 'left out'} | {row.pairs} | {note} |")
    return "\n".join(lines) + "\n"


def outcome_table(rows: Sequence[ClipRow]) -> str:
    """What became of each file: a line each, for a terminal."""
    width = max((len(row.id) for row in rows), default=0)
    lines = []
    for row in rows:
        became = "left out" if row.split is None else f"{row.split:5} {row.pairs:6} pairs"
        lines.append(f"{row.id:{width}}  {became:18}  {note_of(row)}".rstrip())
    return "\n".join(lines)


def note_of(row: ClipRow) -> str:
    """What a person should know of a clip: why it is left out, what was skipped, what it shares."""
    if row.left_out:
        return row.left_out
    notes = [f"{count} skipped: {why}" for why, count in row.skipped.items()]
    if any(row.crop):
        sides = zip(("top", "bottom", "left", "right"), row.crop, strict=True)
        notes.append("bars cut off: " + ", ".join(f"{s} {float(c):.1%}" for s, c in sides if c))
    notes += [f"{same.what} as {same.id} ({same.shared_seconds:.0f} s)" for same in row.same_as]
    return "; ".join(notes)


def _every(recipe: Recipe) -> str:
    if recipe.every_seconds == "frame":
        return "for each picture of the clip"
    return f"every {float(recipe.every_seconds):g} s"
