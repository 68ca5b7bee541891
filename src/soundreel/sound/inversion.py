"""Sound images back into sound.

Columns -> amplitudes (`amplitudes.py`) -> sound (`griffin_lim.py`), in blocks of a few seconds
that are counted from the first column: memory is flat, and the sound does not depend on how
the columns were handed over.

Shapes: S pixels in a column, K columns, N samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from soundreel.errors import SettingsError
from soundreel.recipe import Recipe
from soundreel.seeding import generator_for
from soundreel.sound.amplitudes import amplitudes_of_columns, grid_of, own_shares
from soundreel.sound.griffin_lim import SegmentGrid, griffin_lim
from soundreel.sound.phases import middle_phases, phases_along_time

#: New samples in a block, 6 s: few enough for memory to be flat, many enough that neither what is
#: computed twice at joins nor the calls count (blocks of 1.5 s take up to half as long again).
_BLOCK_SAMPLES = 2**18


class Inversion:
    """Columns of a sound image in, sound out, in flat memory.

    The first column's segment begins at sample 0. A block sees columns on both sides of its own:
    those before it stand over samples that are known and held, those after it are made again
    with the next block, into which what was guessed of them fades. So there is no seam.

    A pixel at -1 is silence. What columns do not say is lost: in `psd` all above 255 (most of
    the level of a loud song), all below 1, the fraction, and each segment's mean (the bass
    below about 100 Hz); in `log` and `mel` what lies outside the floor and the ceiling, and in
    `mel` outside its lowest and highest frequency.
    """

    def __init__(
        self, recipe: Recipe, *, iterations: int = 32, momentum: float = 0.99, seed: int = 0
    ) -> None:
        """More iterations come nearer to the columns; the seed draws the phases to start from.

        Raises: SettingsError for `waveform`; ValueError for fewer than 1 iteration, or a momentum
        outside [0, 1].
        """
        if recipe.representation == "waveform":
            raise SettingsError("a sound image of `waveform` has no columns: it is sound already")
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1, not {iterations}")
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be in [0, 1], not {momentum}")
        self._recipe, self._iterations = recipe, iterations
        self._momentum, self._seed = momentum, seed
        hop, segment = recipe.hop_samples, recipe.segment_samples
        # So many columns share samples with one column, on each side.
        self._reach = -(-segment // hop)
        self._block = max(2 * self._reach, _BLOCK_SAMPLES // hop)
        self._context = self._reach + 1
        self._ahead = 3 * self._reach + 1
        self._waiting: list[Tensor] = []
        self._waiting_columns = 0
        self._columns = 0
        self._blocks = 0
        self._known_N: Tensor | None = None
        self._skip = self._reach * hop
        self._made = 0
        self._finished = False

    def push(self, column_SK: Tensor) -> Tensor:
        """Take columns; hand out the samples that are final now (maybe none).

        Shape: S x K float in [-1, 1], pixel 0 at the top of the picture -> N float32.

        Raises: ValueError for another shape, for pixels that are no numbers, or after `finish`.
        """
        if self._finished:
            raise ValueError("finish() has been called: make another Inversion")
        size = self._recipe.sound_image_size
        if column_SK.ndim != 2 or column_SK.shape[0] != size:
            raise ValueError(f"columns must be {size} x K, not {tuple(column_SK.shape)}")
        if column_SK.shape[1] == 0:
            return column_SK.new_empty(0, dtype=torch.float32)
        column_SK = column_SK.detach().float()
        if not bool(column_SK.isfinite().all()):
            raise ValueError("columns must be finite: there is a NaN or an infinity in them")
        if self._columns == 0:
            # The first column stands before the sound as well, so that the sound's beginning
            # lies under as many segments as any other stretch.
            self._take(column_SK[:, :1].expand(-1, self._reach))
        self._columns += column_SK.shape[1]
        made = []
        for piece_SK in column_SK.split(self._block, 1):
            self._take(piece_SK.clone())  # the caller may write into it again
            made.append(self._ready(piece_SK))
        return torch.cat(made)

    def finish(self) -> Tensor:
        """The rest of the sound; nothing may be pushed after it.

        All that was handed out is then (K - 1) * hop + segment samples; none for no columns.
        """
        self._finished = True
        if self._columns == 0:
            return torch.empty(0)
        total = (self._columns - 1) * self._recipe.hop_samples + self._recipe.segment_samples
        rest = total - self._made
        # The last column stands after the sound as well, as the first one before it.
        last_S1 = self._waiting[-1][:, -1:]
        self._take(last_S1.expand(-1, self._reach + self._ahead))
        ready_N = self._ready(last_S1)
        if len(ready_N) < rest:
            ready_N = torch.cat([ready_N, self._sound_of_block(self._joined())])
        self._waiting, self._known_N = [], None
        return ready_N[:rest]

    def _take(self, column_SK: Tensor) -> None:
        self._waiting.append(column_SK)
        self._waiting_columns += column_SK.shape[1]

    def _joined(self) -> Tensor:
        if len(self._waiting) > 1:
            self._waiting = [torch.cat(self._waiting, 1)]
        return self._waiting[0]

    def _ready(self, like: Tensor) -> Tensor:
        made = []
        while True:
            context = self._context if self._blocks else 0
            need = context + self._block + self._ahead
            if self._waiting_columns < need:
                break
            column_SK = self._joined()
            made.append(self._sound_of_block(column_SK[:, :need]))
            self._made += len(made[-1])
            used = context + self._block - self._context
            self._waiting = [column_SK[:, used:].clone()]
            self._waiting_columns -= used
        return torch.cat(made) if made else like.new_empty(0, dtype=torch.float32)

    def _sound_of_block(self, column_SK: Tensor) -> Tensor:
        """The samples of a block's own columns, its context and what lies ahead cut off."""
        with _threads_of_one() as threads:
            return self._computed(column_SK, threads)

    def _computed(self, column_SK: Tensor, threads: int) -> Tensor:
        recipe, hop = self._recipe, self._recipe.hop_samples
        grid = grid_of(recipe, column_SK.device)
        amplitude_KMF = amplitudes_of_columns(column_SK, recipe, grid)
        context = self._context * hop if self._blocks else 0
        held_N = hold_N = None
        if self._known_N is not None:
            held_N = self._known_N
            hold_N = torch.ones_like(held_N)
            fade = len(held_N) - context
            # A known sample is kept; beyond the last one the earlier block's guess fades out.
            hold_N[context:] = torch.linspace(torch.pi, 0, fade).cos_().mul_(-0.5).add_(0.5)
        sound_N = griffin_lim(
            amplitude_KMF,
            grid,
            self._start(amplitude_KMF, grid),
            iterations=self._iterations,
            momentum=self._momentum,
            own_share_M=own_shares(grid, recipe),
            held_N=held_N,
            hold_N=hold_N,
            threads=threads,
        )
        stop = context + self._block * hop
        begin = context if self._blocks else self._skip
        known = sound_N[stop - self._context * hop : stop + self._reach * hop]
        self._known_N = known.clone()
        self._blocks += 1
        if column_SK.shape[1] * hop < stop:
            return sound_N[begin:]
        return sound_N[begin:stop]

    def _start(self, amplitude_KMF: Tensor, grid: SegmentGrid) -> Tensor:
        """The phases that a block starts from, as spectra of magnitude 1: K x M x F."""
        generator = generator_for(self._seed, "phases", self._blocks)
        if self._recipe.representation == "psd":
            # Where everything is 255 there are no slopes to read: every frequency would turn at
            # its own rate, and the sound repeat itself with each transform's length. It buzzes.
            angle_KMF = torch.rand(amplitude_KMF.shape, generator=generator).mul_(2 * torch.pi)
            return torch.polar(torch.ones_like(angle_KMF), angle_KMF).to(amplitude_KMF.device)
        if self._known_N is not None:
            first_F = middle_phases(grid.analyse(self._known_N, 1)[0, 0], grid)
        else:
            first_F = torch.rand(amplitude_KMF.shape[-1], generator=generator).mul_(2 * torch.pi)
        return phases_along_time(amplitude_KMF, grid, first_F.to(amplitude_KMF.device))


@contextmanager
def _threads_of_one() -> Iterator[int]:
    """Threads compute side by side, each alone; says how many there may be.

    A block is hundreds of short steps. Several threads that share each wait for the slowest at
    the end of each: beside other programs two took 1.9 times as long as one. Two that share a
    block wait once an iteration.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)


def sound_of_columns(
    column_SK: Tensor,
    recipe: Recipe,
    *,
    iterations: int = 32,
    momentum: float = 0.99,
    seed: int = 0,
) -> Tensor:
    """The sound of a run of columns: (K - 1) * hop + segment samples; empty for none."""
    inversion = Inversion(recipe, iterations=iterations, momentum=momentum, seed=seed)
    return torch.cat([inversion.push(column_SK), inversion.finish()])


def waveform_of_image(image_1SS: Tensor) -> Tensor:
    """The window of a `waveform` image, row by row: exact up to its level, which was dropped."""
    if image_1SS.ndim != 3 or image_1SS.shape[0] != 1 or image_1SS.shape[1] != image_1SS.shape[2]:
        raise ValueError(f"a sound image must be 1 x S x S, not {tuple(image_1SS.shape)}")
    return image_1SS.detach().float().reshape(-1).clone()
