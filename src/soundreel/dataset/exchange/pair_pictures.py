"""Side-by-side pairs: the frame left, its sound image right, in one picture twice as wide as high.

The form of the 2019 original and of both well-known pix2pix codes (their A is the left half, the
frame; B is the sound image, so sound to picture is their BtoA):

    train/<clip>_<k>_<milliseconds>.jpg   val/...   test/...      of the splits that hold a clip
    recipe.json   clips.jsonl   README.md                         ours; other people's lack them
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
from PIL import Image

from soundreel.atomic import write_json, write_text
from soundreel.dataset.loading import load_pairs
from soundreel.dataset.store import Dataset, Split, sound_image_bytes, write_rows
from soundreel.progress import Listener, Step, silent
from soundreel.recipe import Recipe

_AT_ONCE = 32


def write_pair(path: Path, frame_HW3: np.ndarray, sound_image_SS: np.ndarray, quality: int) -> None:
    """Write a pair as one 2S x S JPEG, colour at full resolution (4:4:4).

    frame_HW3: uint8; of another size than the sound image's, it is resized to that.
    sound_image_SS: S x S uint8; it becomes three equal channels.
    """
    size = len(sound_image_SS)
    frame = Image.fromarray(np.ascontiguousarray(frame_HW3))
    if frame.size != (size, size):
        frame = frame.resize((size, size), Image.Resampling.LANCZOS)
    pair = Image.new("RGB", (2 * size, size))
    pair.paste(frame, (0, 0))
    pair.paste(Image.fromarray(sound_image_SS).convert("RGB"), (size, 0))
    pair.save(path, quality=quality, subsampling=0)


def export_pairs(dataset: Dataset, folder: Path, progress: Listener = silent) -> int:
    """Write a dataset as side-by-side pairs into a folder; how many.

    Raises: DatasetError for a damaged frame or sound; StorageError.
    """
    recipe = dataset.recipe
    total = sum(len(dataset.frames(row.id)) for row in dataset.clips())
    done = 0
    for split in get_args(Split):
        names = [
            f"{row.id}_{path.stem}.jpg"
            for row in dataset.clips(split)
            for _, path in dataset.frames(row.id)
        ]
        if not names:
            continue
        (folder / split).mkdir()
        pairs = load_pairs(dataset, split, progress)
        for first in range(0, len(names), _AT_ONCE):
            places = range(first, min(first + _AT_ONCE, len(names)))
            x_BSS = sound_image_bytes(pairs.sound_images(places)[:, 0].numpy())
            for place, x_SS in zip(places, x_BSS, strict=True):
                frame_HW3 = pairs.frames_N3HW[place].transpose(1, 2, 0)
                write_pair(folder / split / names[place], frame_HW3, x_SS, recipe.jpeg_quality)
            done += len(places)
            progress(Step("export", done, total, "pairs"))
    write_json(folder / "recipe.json", recipe.model_dump(mode="json"))
    write_rows(folder, dataset.rows)
    write_text(folder / "README.md", _readme(recipe))
    return total


def _readme(recipe: Recipe) -> str:
    size = recipe.sound_image_size
    resized = (
        ""
        if recipe.picture_size == size
        else f" The frames, {recipe.picture_size}x{recipe.picture_size} in the dataset, were "
        f"resized to the sound images' {size}x{size}."
    )
    return f"""\
# Side-by-side pairs from Soundreel

Each picture is {2 * size}x{size}: the frame left, its sound image right, grey in three equal
channels. `<clip>_<k>_<milliseconds>.jpg` is the pair at grid place k. A clip lies in one of
`train`, `val` and `test` only. `recipe.json` says what a window, a sound image and a frame are,
`clips.jsonl` what the clips are and where they came from.{resized}

Both well-known pix2pix codes read this folder; from sound to picture is their BtoA:

```
python train.py --model pix2pix --direction BtoA --dataroot THIS_FOLDER --name NAME \\
    --preprocess none --no_flip
python pix2pix.py --mode train --which_direction BtoA --input_dir THIS_FOLDER/train \\
    --output_dir OUT --max_epochs 200 --scale_size {size} --no_flip
```

The last options of each leave out scaling, cropping and mirroring: cropping moves a sound image's
frequencies, mirroring reverses its time. The second code works at 256x256 only, and the first one
wants `--netG unet_128` for 128x128.

`soundreel prepare THIS_FOLDER --out dataset` makes a dataset folder of them again. The pictures
belong to their makers: check what you may do with them.
"""
