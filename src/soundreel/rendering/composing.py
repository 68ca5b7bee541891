"""Composing: the frames of a film become its sound. No files, only arrays; memory is flat.

    frames -> windows (a sound image each, by the model) -> one long row of columns (every window
    that lies over a column has a say in it) -> sound

A window ends at its time t and is made from the frames at and before t, so windows go on after
the film's end, over its last frame, until all of its sound lies under as many as the rest.
Before the film's start its first frame is seen. A `waveform` model has no columns: its windows
are sound already, and are cross-faded.

Shapes: B windows, F frames of a window, S pixels a side, R rows (S; 1 for `waveform`), K columns
(samples for `waveform`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor

from soundreel.networks.resample import fit_to
from soundreel.networks.score_voices import SoundCue
from soundreel.recipe import Recipe
from soundreel.rendering.column_blend import ColumnBlend, Way
from soundreel.seeding import seed_for
from soundreel.sound.inversion import Inversion, waveform_of_image
from soundreel.timeline import (
    frame_shown_at,
    frame_time,
    nearest_sample,
    sample_time,
    samples_before,
)

#: Windows a second: a column of the default recipe then lies under some 21 of them.
WINDOWS_PER_SECOND = Fraction(15)
#: Griffin-Lim's rounds.
ITERATIONS = 32
#: Windows that are made at once. A window's place in its batch depends on its number alone, so
#: that it is the same to the bit wherever a stretch begins.
_BATCH = 8
# Whole windows a sound lies under, at least: where one fades out another has faded in.
_LEAST_OVERLAP = 2
# Where times have no common step, a frame may be the one before by less than this.
_MOST_FPS = Fraction(120)


class Composer(Protocol):
    """What composing needs of a model (see `networks.bundle.Model`)."""

    @property
    def recipe(self) -> Recipe: ...

    @property
    def picture_shape(self) -> tuple[int, int]: ...

    @property
    def seen_before_seconds(self) -> tuple[Fraction, ...]: ...

    def sound_images(self, y_BF3HW: Tensor, seeds: Sequence[int], /) -> Tensor: ...


#: What the windows that end at these times are composed with; None: as the model does by itself.
Cueing = Callable[[Sequence[Fraction]], SoundCue | None]


def uncued(end_seconds: Sequence[Fraction]) -> None:
    """No cue for any window."""


@dataclass(frozen=True)
class WindowGrid:
    """Which windows a film's sound is made of: number n (from 1 on) ends at time n / rate.

    A window covers `width` columns from `place(n)` on; column k begins at sample k * `step`. Of a
    `waveform` a column is a sample.

    Raises: ValueError if the windows lie too far apart for all sound to be covered twice.
    """

    recipe: Recipe
    per_second: Fraction

    def __post_init__(self) -> None:
        overlap = self.per_second * sample_time(
            self.recipe.window_samples, self.recipe.sample_rate_hz
        )
        if overlap < _LEAST_OVERLAP:
            raise ValueError(
                f"{self.per_second} windows a second: less than {_LEAST_OVERLAP} over each moment"
            )

    @property
    def is_waveform(self) -> bool:
        """Whether windows are sound already."""
        return self.recipe.representation == "waveform"

    @property
    def step(self) -> int:
        """Samples from one column to the next."""
        return 1 if self.is_waveform else self.recipe.hop_samples

    @property
    def rows(self) -> int:
        """R, numbers in a column."""
        return 1 if self.is_waveform else self.recipe.sound_image_size

    @property
    def width(self) -> int:
        """Columns of a window."""
        return self.recipe.window_samples if self.is_waveform else self.recipe.sound_image_size

    def time_seconds(self, n: int) -> Fraction:
        """When window n ends."""
        return n / self.per_second

    def place(self, n: int) -> int:
        """The column nearest to where window n begins; before the film's start it is negative."""
        end = samples_before(self.time_seconds(n), self.recipe.sample_rate_hz)
        return nearest_sample(Fraction(end - self.recipe.window_samples, self.step), 1)

    def columns(self, seconds: Fraction) -> int:
        """How many columns a sound of this length has: all its samples lie under one."""
        samples = samples_before(seconds, self.recipe.sample_rate_hz)
        if self.is_waveform or samples == 0:
            return samples
        beyond = max(0, samples - self.recipe.segment_samples)
        return samples_before(Fraction(beyond, self.step), 1) + 1

    def first_over(self, column: int) -> int:
        """The first window that lies over a column."""
        end = sample_time((column - self.width) * self.step, self.recipe.sample_rate_hz)
        end += sample_time(self.recipe.window_samples, self.recipe.sample_rate_hz)
        n = max(1, frame_shown_at(end, self.per_second) - 2)  # rounding moves a window by one
        while self.place(n) + self.width <= column:
            n += 1
        return n

    def stop_after(self, columns: int) -> int:
        """The first window that begins after so many columns: from here on none is needed."""
        end = sample_time(columns * self.step, self.recipe.sample_rate_hz)
        end += sample_time(self.recipe.window_samples, self.recipe.sample_rate_hz)
        n = max(1, frame_shown_at(end, self.per_second) - 2)
        while self.place(n) < columns:
            n += 1
        return n


def window_grid(recipe: Recipe, windows_per_second: Fraction | int) -> WindowGrid:
    """The windows of a recipe's sound: as many a second as asked for, or as four over each moment.

    The windows of a `waveform` are two over each moment, however many are asked for: they were
    made apart from one another, so that the more of them are added, the more they cancel out.
    """
    window_seconds = sample_time(recipe.window_samples, recipe.sample_rate_hz)
    if recipe.representation == "waveform":
        return WindowGrid(recipe, 2 / window_seconds)
    return WindowGrid(recipe, max(Fraction(windows_per_second), 4 / window_seconds))


class Watching:
    """The frames of a film as a model sees them, a few at a time.

    frames: H x W x 3 uint8, at `fps`; the first one is the film's frame number `first`.
    shape: rows and columns that the model sees.
    """

    def __init__(
        self, frames: Iterable[np.ndarray], fps: Fraction, shape: tuple[int, int], first: int = 0
    ) -> None:
        self._frames, self._fps, self._shape = iter(frames), fps, shape
        self._kept: deque[Tensor] = deque()
        self._first = first
        self.ended = False

    @property
    def seconds(self) -> Fraction:
        """How long the film is; known once it has ended."""
        return frame_time(self._first + len(self._kept), self._fps)

    def at(self, time_seconds: Fraction) -> Tensor | None:
        """The frame on the screen at a time: 3 x H x W in [-1, 1]; None if there is no frame.

        After the film's end its last one, before its start the first. Times may not go back
        behind what was forgotten.
        """
        number = frame_shown_at(max(time_seconds, Fraction(0)), self._fps)
        while not self.ended and number >= self._first + len(self._kept):
            self._take()
        if not self._kept:
            return None
        return self._kept[max(0, min(number - self._first, len(self._kept) - 1))]

    def forget_before(self, time_seconds: Fraction) -> None:
        """Drop the frames that were gone from the screen at a time; the last one stays."""
        number = frame_shown_at(max(time_seconds, Fraction(0)), self._fps)
        while self._first < number and len(self._kept) > 1:
            self._kept.popleft()
            self._first += 1

    def _take(self) -> None:
        frame_HW3 = next(self._frames, None)
        if frame_HW3 is None:
            self.ended = True
            return
        byte_13HW = torch.tensor(frame_HW3).permute(2, 0, 1)[None]
        self._kept.append(fit_to(byte_13HW.float().div_(127.5).sub_(1), self._shape)[0])


def composed_sound(
    model: Composer,
    frames: Iterable[np.ndarray],
    fps: Fraction,
    *,
    seed: int = 0,
    windows_per_second: Fraction | int = WINDOWS_PER_SECOND,
    iterations: int = ITERATIONS,
    cueing: Cueing = uncued,
) -> Iterator[np.ndarray]:
    """The sound that a picture-to-sound model hears in the frames of a film.

    frames: H x W x 3 uint8, of any size, from the film's beginning.
    seed: for a model that draws noise, and the phases that Griffin-Lim begins with.
    windows_per_second: how often a sound image is made (see `window_grid`).
    cueing: the voice, for a model with voices (see `voicing`).

    Yields float32 (n,), mono at the recipe's rate, in pieces; together they are as long as the
    film. The sound of no frames is none. Same seed, same sound.

    Raises: ModelError if the model goes from sound to picture.
    """
    grid = window_grid(model.recipe, windows_per_second)
    watching = Watching(frames, fps, model.picture_shape)
    columns = composed_columns(model, watching, grid, seed, cueing=cueing)
    yield from sound_of(columns, grid, lambda: watching.seconds, seed=seed, iterations=iterations)


def sound_of(
    columns: Iterable[Tensor],
    grid: WindowGrid,
    seconds: Callable[[], Fraction],
    *,
    seed: int = 0,
    iterations: int = ITERATIONS,
) -> Iterator[np.ndarray]:
    """The sound of a film's columns from the first on, in pieces: float32 (n,).

    seconds: the film's length, asked for after the last column.
    """
    made = 0
    inversion = None
    if not grid.is_waveform:
        inversion = Inversion(grid.recipe, iterations=iterations, seed=seed)
    for column_RK in columns:
        sound_N = column_RK[0] if inversion is None else inversion.push(column_RK)
        if len(sound_N):
            made += len(sound_N)
            yield sound_N.numpy()
    if inversion is not None:
        rest = samples_before(seconds(), grid.recipe.sample_rate_hz) - made
        yield inversion.finish()[: max(0, rest)].numpy()


def composed_columns(
    model: Composer,
    watching: Watching,
    grid: WindowGrid,
    seed: int,
    *,
    first: int = 0,
    seconds: Fraction | None = None,
    way: Way = "median",
    cueing: Cueing = uncued,
) -> Iterator[Tensor]:
    """The columns of a film's sound from number `first` on, in pieces: R x K, float32.

    watching: frames from `frames_from(model, grid, fps, first)` on.
    seconds: the film's length; None: that of its frames.

    Columns of spectra are rounded to half precision (0.02 dB), as they are kept on disk. Those
    from `first` on are the same to the bit as the same columns of the whole.

    Raises: ModelError if the model goes from sound to picture.
    """
    # Of two samples there is no middle one: sound is cross-faded.
    way = "mean" if grid.is_waveform else way
    blend = ColumnBlend(grid.rows, grid.width, first=first, way=way)
    windows = _windows(model, watching, grid, seed, grid.first_over(first), seconds, cueing)
    for place, window_RW in windows:
        yield _kept_precision(blend.add(place, window_RW), grid)
    if watching.at(Fraction(0)) is not None:
        yield _kept_precision(blend.finish(grid.columns(seconds or watching.seconds)), grid)


def frames_from(model: Composer, grid: WindowGrid, fps: Fraction, first_column: int) -> int:
    """The first frame that the columns from `first_column` on are made from."""
    n = _batch_begin(grid.first_over(first_column))
    before = max(model.seen_before_seconds)
    return frame_shown_at(max(Fraction(0), grid.time_seconds(n) - before), fps)


def seeing_rate(model: Composer, grid: WindowGrid) -> Fraction:
    """The lowest frame rate at which every frame that is seen is the film's at that very time."""
    step = 1 / grid.per_second
    for before in model.seen_before_seconds:
        step = Fraction(
            math.gcd(step.numerator * before.denominator, before.numerator * step.denominator),
            step.denominator * before.denominator,
        )
    return min(1 / step, _MOST_FPS)


def _kept_precision(column_RK: Tensor, grid: WindowGrid) -> Tensor:
    return column_RK if grid.is_waveform else column_RK.half().float()


def _batch_begin(n: int) -> int:
    return max(1, n // _BATCH * _BATCH)


def _windows(
    model: Composer,
    watching: Watching,
    grid: WindowGrid,
    seed: int,
    first: int,
    seconds: Fraction | None,
    cueing: Cueing,
) -> Iterator[tuple[int, Tensor]]:
    """(place, R x W) of the windows from number `first` on, to the last one that is needed."""
    before = model.seen_before_seconds
    begin = _batch_begin(first)
    stop: int | None = None if seconds is None else grid.stop_after(grid.columns(seconds))
    while stop is None or begin < stop:
        numbers: list[int] = []
        seen: list[Tensor] = []
        for n in range(begin, (begin // _BATCH + 1) * _BATCH):
            time = grid.time_seconds(n)
            frames = [watching.at(time - earlier) for earlier in before]
            if stop is None and watching.ended:
                stop = grid.stop_after(grid.columns(watching.seconds))
            if stop is not None and n >= stop:
                break
            if any(frame is None for frame in frames):
                return
            numbers.append(n)
            seen.append(torch.stack([frame for frame in frames if frame is not None]))
            watching.forget_before(time - max(before))
        if numbers:
            # Always as many at once: of other numbers a sound image may have other last bits.
            filled = numbers + numbers[-1:] * (_BATCH - len(numbers))
            seen += seen[-1:] * (_BATCH - len(numbers))
            seeds = [seed_for(seed, "window", n) for n in filled]
            cue = cueing([grid.time_seconds(n) for n in filled])
            # A cue is for a model with voices alone, which takes it.
            compose = cast(Callable[..., Tensor], model.sound_images)
            made_B1SS = compose(torch.stack(seen), seeds, *([cue] if cue else []))
            image_B1SS = made_B1SS[: len(numbers)].float().cpu()
            for n, image_1SS in zip(numbers, image_B1SS, strict=True):
                if n >= first:
                    yield grid.place(n), _window_of(image_1SS, grid)
        begin = (begin // _BATCH + 1) * _BATCH


def _window_of(image_1SS: Tensor, grid: WindowGrid) -> Tensor:
    return waveform_of_image(image_1SS)[None] if grid.is_waveform else image_1SS[0]
