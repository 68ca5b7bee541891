"""Pictures for a stretch of song: sound in blocks, windows in batches, memory flat."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from torch import Tensor

from soundreel.media.sound import stream_sound
from soundreel.networks.bundle import Model
from soundreel.seeding import seed_for
from soundreel.sound.streaming import stream_images
from soundreel.timeline import frame_time, sample_time, samples_before

_BLOCK_SAMPLES = 441_000  # ten seconds: with two, transforms are short and half as fast


def film_pictures(
    model: Model,
    song: Path,
    start_seconds: Fraction,
    frames: int,
    fps: Fraction,
    seed: int,
    batch: int = 8,
) -> Iterator[np.ndarray]:
    """The model's picture for each frame of a film, as S x S x 3 uint8, in order.

    Frame n is what the model sees in the window before start_seconds + n / fps: sound before
    `start_seconds` counts where the song has some; before the song's beginning there is silence.
    The picture of a frame depends on the seed and on its place, not on `batch`.

    Raises: MediaError if the song cannot be read.
    """
    recipe = model.recipe
    if frames == 0:
        return

    def end(n: int) -> int:
        return samples_before(start_seconds + frame_time(n, fps), recipe.sample_rate_hz)

    first = max(0, end(0) - recipe.window_samples)
    blocks = stream_sound(
        song,
        recipe.sample_rate_hz,
        recipe.channel,
        sample_time(first, recipe.sample_rate_hz),
        sample_time(end(frames - 1), recipe.sample_rate_hz),
        _BLOCK_SAMPLES,
    )
    done = 0
    for x_B1SS in stream_images(blocks, (end(n) - first for n in range(frames)), recipe, batch):
        seeds = [seed_for(seed, "picture", done + place) for place in range(len(x_B1SS))]
        done += len(x_B1SS)
        yield from to_frames(model.pictures(x_B1SS, seeds))


def to_frames(y_B3HW: Tensor) -> np.ndarray:
    """A network's pictures, B x 3 x H x W in [-1, 1], as frames: B x H x W x 3 uint8."""
    bytes_B3HW = y_B3HW.float().add(1).mul(127.5).round().clamp(0, 255).byte()
    return bytes_B3HW.permute(0, 2, 3, 1).contiguous().cpu().numpy()
