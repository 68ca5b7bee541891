"""Sound from the amplitudes of its short-time spectra: fast Griffin-Lim.

Shapes: N samples, K columns (one a hop), M segments a column, L samples in a segment,
F frequencies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

#: Where the segments weigh less than this share of the most, at both ends of a stretch, a sample
#: is known badly and is not lifted further.
_LEAST_WEIGHT = 1e-3
#: A spectrum of less power has no phase.
_LEAST_POWER = 1e-30


@dataclass(frozen=True)
class SegmentGrid:
    """Where the segments of a stretch stand, and their transform.

    Column k holds M segments, which begin at samples k * hop_samples + offset.
    """

    window_L: Tensor
    fft_samples: int
    hop_samples: int
    offsets: tuple[int, ...] = (0,)

    def samples(self, columns: int) -> int:
        """Length of a stretch of so many columns: up to the end of the last segment."""
        return (columns - 1) * self.hop_samples + self.offsets[-1] + len(self.window_L)

    @cached_property
    def _turns(self) -> int:
        return -(-len(self.window_L) // self.hop_samples)

    def _room(self, columns: int) -> int:
        """Samples that overlap-add writes to: whole hops under every slice of a segment."""
        return (columns + self._turns) * self.hop_samples

    def analyse(self, sound_N: Tensor, columns: int) -> Tensor:
        """The spectra of the windowed segments of a stretch: K x M x F, complex64."""
        length, offsets = len(self.window_L), self.offsets
        segment_KML = sound_N.new_empty(columns, len(offsets), self.fft_samples)
        segment_KML[..., length:] = 0
        for place, offset in enumerate(offsets):
            segment_KL = sound_N[offset:].unfold(0, length, self.hop_samples)[:columns]
            torch.mul(segment_KL, self.window_L, out=segment_KML[:, place, :length])
        return torch.fft.rfft(segment_KML)

    def synthesise(self, spectrum_KMF: Tensor) -> Tensor:
        """The sound whose spectra are nearest to those given (least squares): N samples.

        Griffin and Lim (1984), eq. 6: windowed segments added, over the sum of squared windows.
        """
        return self.overlapped(spectrum_KMF).mul_(self.inverse_weight(len(spectrum_KMF)))

    def overlapped(self, spectrum_KMF: Tensor) -> Tensor:
        """The windowed segments of spectra, added where they stand: N samples."""
        segment_KML = torch.fft.irfft(spectrum_KMF, n=self.fft_samples)
        return self._added(segment_KML[..., : len(self.window_L)].mul_(self.window_L))

    def inverse_weight(self, columns: int) -> Tensor:
        """One over the sum of squared windows at every sample of a stretch."""
        square_L = self.window_L.square().expand(columns, len(self.offsets), -1)
        weight_N = self._added(square_L)
        return weight_N.clamp_(min=_LEAST_WEIGHT * float(weight_N.max())).reciprocal_()

    def _added(self, segment_KML: Tensor) -> Tensor:
        columns, _, length = segment_KML.shape
        hop = self.hop_samples
        sum_N = segment_KML.new_zeros(self._room(columns) + self.offsets[-1])
        for place, offset in enumerate(self.offsets):
            for turn in range(self._turns):
                begin = turn * hop
                width = min(hop, length - begin)
                rows_KH = sum_N[offset + begin :][: columns * hop].view(columns, hop)
                rows_KH[:, :width] += segment_KML[:, place, begin : begin + width]
        return sum_N[: self.samples(columns)]


def griffin_lim(
    amplitude_KMF: Tensor,
    grid: SegmentGrid,
    start_KMF: Tensor,
    *,
    iterations: int,
    momentum: float,
    own_share_M: Tensor | None = None,
    held_N: Tensor | None = None,
    hold_N: Tensor | None = None,
    threads: int = 1,
) -> Tensor:
    """A sound whose segments have, as nearly as they can, the amplitudes given.

    start_KMF: complex spectra of magnitude 1 whose phases are the first guess.
    own_share_M: how much of its own amplitude each of a column's segments keeps in an iteration
        (0, the default: it gets exactly those given).
    held_N, hold_N: samples that are known, and how firmly (1: as given, 0: free), from the
        stretch's first sample on.
    threads: with 2 or more, half of the columns are computed in a second one (on the CPU).

    Fast Griffin-Lim (Perraudin, Balazs and Soendergaard, 2013) with the phases of
    c_n + momentum * (c_n - c_(n-1)). As transforms are linear, that sum is taken of sounds
    instead of spectra: an iteration keeps no spectra of the one before.

    Shape: K x M x F -> samples(K) float32.
    """
    columns, hop = len(amplitude_KMF), grid.hop_samples
    inverse_weight_N = grid.inverse_weight(columns)
    sound_N = grid.overlapped(start_KMF * amplitude_KMF).mul_(inverse_weight_N)
    own_M1 = None if own_share_M is None else own_share_M[:, None]
    if own_M1 is not None:
        amplitude_KMF = amplitude_KMF * (1 - own_M1)

    def remade(first: int, asked_KMF: Tensor, ahead_N: Tensor) -> Tensor:
        spectrum_KMF = grid.analyse(ahead_N[first * hop :], len(asked_KMF))
        return grid.overlapped(_with_amplitude(spectrum_KMF, asked_KMF, own_M1))

    # Always halves, whoever computes them: sums are then the same on any number of threads.
    middle = columns // 2
    first_half, second_half = amplitude_KMF[:middle], amplitude_KMF[middle:]
    _hold(sound_N, held_N, hold_N)
    before_N = sound_N
    with _second_thread(threads > 1 and middle > 0 and not sound_N.is_cuda) as beside:
        for _ in range(iterations):
            ahead_N = torch.lerp(before_N, sound_N, 1 + momentum)
            second = beside(partial(remade, middle, second_half, ahead_N))
            before_N, sound_N = sound_N, torch.zeros_like(sound_N)
            if middle:
                first_N = remade(0, first_half, ahead_N)
                sound_N[: len(first_N)] = first_N
            sound_N[middle * hop :] += second()
            sound_N *= inverse_weight_N
            _hold(sound_N, held_N, hold_N)
    return sound_N


@contextmanager
def _second_thread(
    wanted: bool,
) -> Iterator[Callable[[Callable[[], Tensor]], Callable[[], Tensor]]]:
    """Hand a call over; what comes back waits for its result. Not wanted: it is called then."""
    if not wanted:
        yield lambda call: call
        return
    inference = torch.is_inference_mode_enabled()  # which a thread does not inherit

    def in_mode(call: Callable[[], Tensor]) -> Tensor:
        with torch.inference_mode(inference):
            return call()

    with ThreadPoolExecutor(1) as thread:
        yield lambda call: thread.submit(in_mode, call).result


def _with_amplitude(spectrum_KMF: Tensor, amplitude_KMF: Tensor, own_M1: Tensor | None) -> Tensor:
    """The same phases under other amplitudes (and a share of their own); written in place."""
    real_KMF, imaginary_KMF = torch.view_as_real(spectrum_KMF).unbind(-1)
    gain_KMF = (real_KMF * real_KMF).addcmul_(imaginary_KMF, imaginary_KMF)
    gain_KMF.clamp_(min=_LEAST_POWER).rsqrt_().mul_(amplitude_KMF)
    if own_M1 is not None:
        gain_KMF += own_M1
    return spectrum_KMF.mul_(gain_KMF)


def _hold(sound_N: Tensor, held_N: Tensor | None, hold_N: Tensor | None) -> None:
    if held_N is not None and hold_N is not None:
        sound_N[: len(held_N)].lerp_(held_N, hold_N)
