"""Pictures for a stretch of song: sound in blocks, windows in batches, memory flat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from torch import Tensor

from soundreel.media.sound import stream_sound
from soundreel.networks.bundle import Model
from soundreel.recipe import Recipe
from soundreel.rendering.engines.engine import Batch, Engine, computed, filled_up, to_frames
from soundreel.rendering.staging import staged
from soundreel.seeding import seed_for
from soundreel.sound.streaming import stream_images
from soundreel.timeline import frame_time, sample_time, samples_before

_BLOCK_SAMPLES = 441_000  # ten seconds: with two, transforms are short and half as fast
_WINDOWS_AHEAD = 3  # batches
_BATCH = 8


def song_windows(
    recipe: Recipe,
    song: Path,
    start_seconds: Fraction,
    fps: Fraction,
    first: int,
    stop: int,
    batch: int,
) -> Iterator[Tensor]:
    """The sound images of frames first to stop (exclusive) of a film, `batch` at a time.

    Frame n sees the window before start_seconds + n / fps: sound before `start_seconds` counts
    where the song has some; before the song's beginning there is silence.

    Yields b x 1 x S x S, float32 in [-1, 1], b = `batch` but for the last one.

    Raises: MediaError if the song cannot be read.
    """
    if first >= stop:
        return

    def end(n: int) -> int:
        return samples_before(start_seconds + frame_time(n, fps), recipe.sample_rate_hz)

    origin = max(0, end(first) - recipe.window_samples)
    blocks = stream_sound(
        song,
        recipe.sample_rate_hz,
        recipe.channel,
        sample_time(origin, recipe.sample_rate_hz),
        sample_time(end(stop - 1), recipe.sample_rate_hz),
        _BLOCK_SAMPLES,
    )
    ends = (end(n) - origin for n in range(first, stop))
    # A copy: neighbouring pictures may share memory, which the next ones write into.
    yield from (x_B1SS.clone() for x_B1SS in stream_images(blocks, ends, recipe, batch))


def generated(
    engine: Engine,
    recipe: Recipe,
    song: Path,
    start_seconds: Fraction,
    fps: Fraction,
    first: int,
    stop: int,
    seed: int,
    cues: Callable[[Sequence[int]], Tensor] | None = None,
) -> Iterator[np.ndarray]:
    """What an engine makes of frames first to stop (exclusive) of a film, H x W x 3 uint8.

    A frame depends on the seed and on its place in the film, not on where the stretch begins.
    The sound is decoded and transformed in a thread of its own. Arguments as in `song_windows`.

    cues: for a `reel`, the cues of frames, T x K.

    Raises: MediaError if the song cannot be read.
    """
    windows = song_windows(recipe, song, start_seconds, fps, first, stop, engine.batch)
    with staged(windows, _WINDOWS_AHEAD) as arriving:
        for frames_BHW3 in computed(engine, _batches(arriving, seed, first, cues)):
            yield from frames_BHW3


def _batches(
    windows: Iterable[Tensor],
    seed: int,
    first: int,
    cues: Callable[[Sequence[int]], Tensor] | None,
) -> Iterator[Batch]:
    n = first
    for x_B1SS in windows:
        frames = range(n, n + len(x_B1SS))
        seeds = [seed_for(seed, "picture", frame) for frame in frames]
        yield (x_B1SS, seeds) if cues is None else (x_B1SS, seeds, cues(frames))
        n += len(x_B1SS)


def film_pictures(
    model: Model,
    song: Path,
    start_seconds: Fraction,
    frames: int,
    fps: Fraction,
    seed: int,
    batch: int = _BATCH,
    cues: Callable[[Sequence[int]], Tensor] | None = None,
) -> Iterator[np.ndarray]:
    """The model's picture for each frame of a film, as H x W x 3 uint8, in order, as they are.

    cues: of frames, for a `reel` (see `casting_cues.film_cues`); None: by the nearest sounds.

    Raises: MediaError if the song cannot be read.
    """
    engine = engine_of(model, batch)
    return generated(engine, model.recipe, song, start_seconds, fps, 0, frames, seed, cues)


def engine_of(model: Model, batch: int = _BATCH) -> Engine:
    """A loaded model as an engine, which computes as it does: in one lane."""

    def run(x_B1SS: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None) -> Tensor:
        # Always as many at once: of other numbers a picture may have other last bits.
        x_B1SS, all_seeds, all_BK = filled_up(x_B1SS, seeds, batch, cue_BK)
        return model.pictures(x_B1SS, all_seeds, all_BK)[: len(seeds)]

    def frames(x_B1SS: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None) -> np.ndarray:
        return to_frames(run(x_B1SS, seeds, cue_BK))

    name = "torch-bf16" if model.precision == "bf16" else "torch-fp32"
    return Engine(name, batch, run, frames)
