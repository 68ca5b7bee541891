"""Moments of a clip to look at: frames beside their sound images, in colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from soundreel.dataset.store import ClipRow, Dataset, read_frame, read_sound_image
from soundreel.errors import DatasetError, MediaError
from soundreel.media.sound import read_sound
from soundreel.sound.picture import colour_image
from soundreel.timeline import samples_before


@dataclass(frozen=True)
class Moment:
    """One pair to look at.

    k: its place in the recipe's grid. time_seconds: t.
    frame_HW3: the frame as it is stored (square), uint8.
    sound_HW3: its sound image in colour, low frequencies at the bottom, uint8.
    """

    k: int
    time_seconds: Fraction
    frame_HW3: np.ndarray
    sound_HW3: np.ndarray


def moments_of(
    dataset: Dataset,
    row: ClipRow,
    frames: Sequence[tuple[int, Path]],
    sound_N: np.ndarray,
    count: int,
) -> list[Moment]:
    """At most `count` of these frames, evenly spread, each with its sound image.

    frames: (k, path) as `Dataset.frames` gives them.
    sound_N: the clip's sound as `clip_sound` gives it (not used where sound images are stored).

    Raises: DatasetError for a damaged frame or stored sound image.
    """
    import torch

    from soundreel.sound.representation import sound_images

    recipe = dataset.recipe
    chosen = [frames[place] for place in spread(len(frames), count)]
    times = [dataset.time_of(row, k) for k, _ in chosen]
    size = recipe.sound_image_size
    if recipe.sound_images == "stored":
        stored = dict(dataset.sound_images(row.id))
        level_B = [read_sound_image(stored[k], size) / 127.5 - 1 for k, _ in chosen]
    else:
        ends = torch.tensor([samples_before(time, recipe.sample_rate_hz) for time in times])
        level_B = sound_images(torch.from_numpy(sound_N), ends.long(), recipe)[:, 0].numpy()
    # The paper's density has its low frequencies in row 0.
    upright = slice(None, None, -1 if recipe.representation == "psd" else 1)
    return [
        Moment(k, time, read_frame(path, recipe.picture_size), colour_image(level_HW[upright]))
        for (k, path), time, level_HW in zip(chosen, times, level_B, strict=True)
    ]


def clip_sound(dataset: Dataset, row: ClipRow) -> np.ndarray:
    """The sound of a clip, float32 (n,), full scale 1; none where sound images are stored.

    Raises: DatasetError if the file is damaged.
    """
    if dataset.recipe.sound_images == "stored":
        return np.zeros(0, np.float32)
    try:
        return read_sound(dataset.sound_path(row.id), dataset.recipe.sample_rate_hz, "left")
    except MediaError as error:
        raise DatasetError(f"{error} (delete the clip's folder, or prepare anew)") from error


def spread(length: int, count: int) -> list[int]:
    """At most `count` of the places 0 .. length - 1, in the middle of equal stretches."""
    if length <= count:
        return list(range(length))
    return [(2 * place + 1) * length // (2 * count) for place in range(count)]
