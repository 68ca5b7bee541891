"""Sound images of a sound that arrives in blocks, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from soundreel.recipe import Recipe
from soundreel.sound.representation import columns_from, images_from_columns, sound_images

#: How many grids of columns are kept at once. A film at 30 frames a second needs one, at 24
#: two, at 25 five; where more are needed than this, one transform a window is less work.
_MOST_PHASES = 32


def stream_images(
    blocks: Iterable[np.ndarray],
    end_samples: Iterable[int],
    recipe: Recipe,
    batch: int,
    device: torch.device | str = "cpu",
) -> Iterator[Tensor]:
    """The sound images of ascending ends, `batch` at a time, from a sound given in blocks.

    blocks: one-dimensional float32 arrays that make the sound when joined.
    end_samples: the exclusive end of each window, never descending; may be endless.

    Yields b x 1 x S x S, float32 in [-1, 1], b = `batch` but for the last one; equal to the bit
    to `sound_images` of the whole sound. Read them before the next one is asked for and do not
    write into them: neighbouring pictures may share memory.

    Raises: ValueError if an end is before the one before it, or `batch` is less than 1.
    """
    if batch < 1:
        raise ValueError(f"batch = {batch}: at least 1 picture at a time")
    sliding = SlidingSoundImages(recipe, device)
    arriving = iter(blocks)
    ends = iter(end_samples)
    while of_batch := list(islice(ends, batch)):
        while sliding.samples_fed < of_batch[-1] and not sliding.finished:
            block = next(arriving, None)
            if block is None:
                sliding.finish()
            else:
                sliding.feed(block)
        yield sliding.images(of_batch)


class SlidingSoundImages:
    """Takes a sound block by block and gives the pictures of windows that slide over it.

    Keeps the last window's samples and, for each way the windows lie on the grid of hops, the
    columns that the next windows may share with the last ones.
    """

    def __init__(self, recipe: Recipe, device: torch.device | str = "cpu") -> None:
        self._recipe = recipe
        self._device = torch.device(device)
        # The buffer begins one window before the song: the silence that the first windows hold.
        self._first_sample = -recipe.window_samples
        self._sound_N = torch.zeros(recipe.window_samples, device=self._device)
        self._waiting: list[Tensor] = []
        self._last_end: int | None = None
        self._grids: dict[int, _ColumnGrid] = {}
        self.samples_fed = 0
        self.finished = False

    def feed(self, block: np.ndarray) -> None:
        """Append a block of the sound: one-dimensional, float32 in [-1, 1]."""
        if self.finished:
            raise ValueError("the sound was finished: no block can follow")
        self._waiting.append(torch.from_numpy(np.array(block, np.float32)).to(self._device))
        self.samples_fed += len(block)

    def finish(self) -> None:
        """Say that the sound has ended: from here on there is silence."""
        self.finished = True

    def images(self, end_samples: list[int]) -> Tensor:
        """The pictures of the windows with these ends: B x 1 x S x S, float32, perhaps a view.

        Raises: ValueError if an end descends, or lies beyond what has been fed of an
        unfinished sound.
        """
        recipe = self._recipe
        if not end_samples:
            size = recipe.sound_image_size
            return torch.empty(0, 1, size, size, device=self._device)
        self._check(end_samples)
        self._last_end = end_samples[-1]
        self._let_go(end_samples[0] - recipe.window_samples)
        end_B = torch.tensor(end_samples, dtype=torch.int64)
        if recipe.representation == "waveform":
            return sound_images(self._sound_N, end_B - self._first_sample, recipe)
        phase_B = end_B % recipe.hop_samples
        phases = phase_B.unique().tolist()
        if len(phases) == 1:
            return self._of_phase(phases[0], end_B)
        size = recipe.sound_image_size
        image_B1SS = torch.empty(len(end_samples), 1, size, size, device=self._device)
        for phase in phases:
            of_phase = torch.nonzero(phase_B == phase).squeeze(1)
            image_B1SS[of_phase.to(self._device)] = self._of_phase(phase, end_B[of_phase])
        return image_B1SS

    def _check(self, end_samples: list[int]) -> None:
        last = self._last_end
        for end in end_samples:
            if last is not None and end < last:
                raise ValueError(f"window ends must ascend: {end} came after {last}")
            last = end
        if not self.finished and end_samples[-1] > self.samples_fed:
            raise ValueError(
                f"the window that ends at {end_samples[-1]} needs more than the "
                f"{self.samples_fed} samples fed so far"
            )

    def _let_go(self, first_needed: int) -> None:
        """Let go of samples and columns before `first_needed`, and join what was fed since."""
        gone = min(max(0, first_needed - self._first_sample), len(self._sound_N))
        self._sound_N = self._sound_N[gone:]
        self._first_sample += gone
        if self._waiting:
            self._sound_N = torch.cat([self._sound_N, *self._waiting])
            self._waiting.clear()
        self._grids = {
            phase: grid for phase, grid in self._grids.items() if grid.stop_sample > first_needed
        }

    def _of_phase(self, phase: int, end_B: Tensor) -> Tensor:
        grid = self._grids.get(phase)
        if grid is None:
            if len(self._grids) >= _MOST_PHASES:
                return sound_images(self._sound_N, end_B - self._first_sample, self._recipe)
            grid = self._grids[phase] = _ColumnGrid(self._recipe)
        return grid.images(self._sound_N, self._first_sample, end_B)


class _ColumnGrid:
    """The columns, one a hop, that windows whose ends are whole hops apart are slices of."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._column_SK: Tensor | None = None
        self._start_sample = 0
        """Where the segment of the first column held begins."""

    @property
    def stop_sample(self) -> int:
        """Where the column after the last one held would begin."""
        held = 0 if self._column_SK is None else self._column_SK.shape[1]
        return self._start_sample + held * self._recipe.hop_samples

    def images(self, sound_N: Tensor, first_sample: int, end_B: Tensor) -> Tensor:
        recipe = self._recipe
        start_B = end_B - recipe.window_samples
        start, hop = int(start_B[0]), recipe.hop_samples
        held_SK = self._column_SK
        held = 0 if held_SK is None else held_SK.shape[1]
        gone = (start - self._start_sample) // hop
        if held_SK is None or gone >= held:
            held_SK = sound_N.new_empty(recipe.sound_image_size, 0)
            self._start_sample = start
        else:
            held_SK = held_SK[:, gone:]
            self._start_sample += gone * hop
        needed = (int(start_B[-1]) - start) // hop + recipe.sound_image_size
        missing = needed - held_SK.shape[1]
        if missing > 0:
            # Every column that the sound so far allows, so that small batches do not make
            # small transforms.
            next_start = self._start_sample + held_SK.shape[1] * hop
            allowed = (first_sample + len(sound_N) - recipe.segment_samples - next_start) // hop + 1
            more_SK = columns_from(
                sound_N, next_start - first_sample, max(missing, allowed), recipe
            )
            held_SK = torch.cat([held_SK, more_SK], dim=1)
        self._column_SK = held_SK
        return images_from_columns(held_SK, (start_B - start) // hop)
