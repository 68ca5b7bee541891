"""A dataset as a folder of WebDataset shards, and back.

    recipe.json   clips.jsonl   README.md   train.txt   val.txt   test.txt
    shards/<clip>-000.tar       one or more tars a clip: see `shards`

The lists name the tars of each split, a line each, as paths from this folder.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from soundreel.atomic import write_json, write_text
from soundreel.dataset.exchange.importing import imported_before, whole_folder, write_dataset_files
from soundreel.dataset.exchange.shards import read_shard, write_clip_shards
from soundreel.dataset.store import (
    ClipRow,
    Dataset,
    frame_name,
    open_dataset,
    read_rows,
    write_rows,
)
from soundreel.errors import DatasetError, SettingsError
from soundreel.media.sound import write_sound
from soundreel.progress import Listener, Step, silent
from soundreel.recipe import Recipe, load_recipe

_TAR_NAME = re.compile(r"(.+)-(\d{3,})\.tar")


def export_shards(dataset: Dataset, folder: Path, progress: Listener = silent) -> list[Path]:
    """Write a dataset as shards into a folder, lists and all, and return the tars."""
    rows = dataset.clips()
    written: list[Path] = []
    for done, row in enumerate(rows, 1):
        clip_folder = dataset.clip_folder(row.id)
        written += write_clip_shards(clip_folder, row, dataset.recipe, folder / "shards")
        progress(Step("export", done, len(rows), "clips", row.id))
    # Frames may have been deleted by hand: whoever streams the shards needs to know how many there
    # are before reading any.
    there = {row.id: len(dataset.frames(row.id)) for row in rows}
    counted = [
        row.model_copy(update={"pairs": there.get(row.id, row.pairs)}) for row in dataset.rows
    ]
    write_shard_lists(folder, counted, dataset.recipe, [path.name for path in written])
    return written


def write_shard_lists(
    folder: Path, rows: Sequence[ClipRow], recipe: Recipe, tar_names: Sequence[str]
) -> None:
    """Write what lies beside the tars: recipe.json, clips.jsonl, README.md and the lists.

    rows: with their splits. tar_names: of all tars in `shards/`, in any order.
    """
    tars_of = _by_clip(tar_names)
    write_json(folder / "recipe.json", recipe.model_dump(mode="json"))
    write_rows(folder, rows)
    for split in ("train", "val", "test"):
        names = [
            name for row in rows if row.split == split for name in sorted(tars_of.get(row.id, []))
        ]
        write_text(folder / f"{split}.txt", "".join(f"shards/{name}\n" for name in names))
    write_text(folder / "README.md", _README)


def is_shards(folder: Path) -> bool:
    """Whether a folder is one that `export --to shards` makes."""
    return (
        (folder / "recipe.json").is_file()
        and (folder / "clips.jsonl").is_file()
        and any(_TAR_NAME.fullmatch(path.name) for path in (folder / "shards").glob("*.tar"))
    )


def import_shards(folder: Path, out: Path, progress: Listener = silent) -> Dataset:
    """Make a dataset folder from shards again.

    Frames, and the sound under every window, are the same to the bit, and so are the rows, but that
    `pairs` counts those that had not been deleted by hand.
    Where no pair's window was, the sound is silence, and it ends with the last window. A clip
    without tars (deleted by hand) keeps its row and has no pairs.

    Raises: DatasetError if the folder holds no shards, one of them is damaged, or `out` holds
    something else; StorageError.
    """
    if not is_shards(folder):
        raise DatasetError(f"{folder}: holds no shards: make them with `soundreel export`")
    try:
        recipe = load_recipe(folder / "recipe.json")
    except SettingsError as error:
        raise DatasetError(str(error)) from error
    rows = read_rows(folder / "clips.jsonl")
    before = imported_before(out, recipe, rows)
    if before is not None:
        return before
    tars_of = _by_clip([path.name for path in (folder / "shards").glob("*.tar")])
    unknown = sorted(set(tars_of) - {row.id for row in rows})
    if unknown:
        name = tars_of[unknown[0]][0]
        raise DatasetError(f"{folder / 'shards' / name}: its clip is not in clips.jsonl: delete it")
    with whole_folder(out) as building:
        for done, row in enumerate(rows, 1):
            tars = [folder / "shards" / name for name in sorted(tars_of.get(row.id, []))]
            if tars:
                _import_clip(tars, row, building / "clips" / row.id, recipe)
            progress(Step("import", done, len(rows), "clips", row.id))
        write_dataset_files(building, recipe, rows, [_TOLD])
    return open_dataset(out)


def _import_clip(tars: Sequence[Path], row: ClipRow, folder: Path, recipe: Recipe) -> None:
    (folder / "frames").mkdir(parents=True)
    pieces: list[tuple[int, np.ndarray]] = []
    for tar in tars:
        for stretch in read_shard(tar):
            stored = stretch.sound_images is not None
            if (
                stretch.clip != row.id
                or stretch.sample_rate_hz != recipe.sample_rate_hz
                or stored != (recipe.sound_images == "stored")
            ):
                raise DatasetError(f"{tar}: was made from another dataset: delete it")
            names = list(zip(stretch.places, stretch.time_seconds, strict=True))
            for (k, time), frame in zip(names, stretch.frames, strict=True):
                (folder / "frames" / frame_name(k, time)).write_bytes(frame)
            if stretch.sound_images is not None:
                (folder / "sound_images").mkdir(exist_ok=True)
                for (k, time), image in zip(names, stretch.sound_images, strict=True):
                    (folder / "sound_images" / frame_name(k, time, ".png")).write_bytes(image)
            if stretch.sound is not None:
                pieces.append((stretch.sound_start_sample, stretch.sound))
    if pieces:
        sound = np.zeros(max(start + len(piece) for start, piece in pieces), np.float32)
        for start, piece in pieces:
            sound[start : start + len(piece)] = piece
        write_sound(folder / "sound.flac", sound, recipe.sample_rate_hz)


def _by_clip(tar_names: Sequence[str]) -> dict[str, list[str]]:
    by_clip: dict[str, list[str]] = {}
    for name in tar_names:
        match = _TAR_NAME.fullmatch(name)
        if match:
            by_clip.setdefault(match[1], []).append(name)
    return by_clip


_TOLD = (
    "Made from shards. Frames, and the sound under every window, are as they were; where no "
    "window was, the sound is silence, and it ends with the last window."
)

_README = """\
# Soundreel shards

Tars in the WebDataset form; `train.txt`, `val.txt` and `test.txt` list them, split by clip. Two
splits never share a clip. `recipe.json` says what a window, a sound image and a frame are,
`clips.jsonl` what the clips are and where they came from.

A sample is a stretch: up to 32 pairs that follow each other in a clip, and the one piece of sound
that holds all their windows.

| member | what it is |
|---|---|
| `<clip>/<first k>.json` | `places` (k of each pair), `seconds` (their exact times, as text), \
`end_samples` (exclusive ends of their windows in the clip's sound), `sound_start_sample` (where \
the piece begins in it), `sample_rate_hz` |
| `<clip>/<first k>.flac` | the piece, 16 bit, mono |
| `<clip>/<first k>.<k>.jpg` | the frame at place k |
| `<clip>/<first k>.<k>.png` | its sound image, instead of the piece, where these are stored |

The window of pair i is `piece[end - window_samples - start : end - start]` with `end =
end_samples[i]`, `start = sound_start_sample` and the recipe's `window_samples`; before the piece
begins there is silence.

```python
import webdataset

shards = [line.strip() for line in open("train.txt")]
for sample in webdataset.WebDataset(shards, shardshuffle=False):
    sample["__key__"], sample["json"], sample["flac"]  # and sample["000017.jpg"] for place 17
```

`soundreel prepare THIS_FOLDER --out dataset` makes a dataset folder of them again. The pictures
and the sound belong to their makers: check what you may do with them.
"""
