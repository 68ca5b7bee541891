"""Phases to start from, read off the amplitudes alone.

Shapes: K columns, M segments a column, F frequencies, L samples in a segment.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from soundreel.sound.griffin_lim import SegmentGrid

#: The Gaussian nearest to a Hann window of L samples, exp(-pi t^2 / (shape * L^2)) (Prusa,
#: Balazs and Soendergaard, 2017, table I).
_HANN_SHAPE = 0.25645
#: Amplitudes below this share of full scale say nothing about where a frequency lies.
_LEAST_AMPLITUDE = 1e-7


def phases_along_time(amplitude_KMF: Tensor, grid: SegmentGrid, first_phase_F: Tensor) -> Tensor:
    """Spectra of magnitude 1 whose phases turn as fast as the amplitudes say.

    first_phase_F: the phases at the middle of the first segment, in radians.

    For a Gaussian window the slope of the logarithm of the amplitude over frequency says how far
    the tone that lights a frequency lies from it (phase-gradient integration: Prusa, Balazs and
    Soendergaard, 2017, eq. 24; Prusa and Soendergaard, 2016, in real time). Here it is summed
    along time only, for all frequencies at once and without a heap: what is left between
    neighbouring frequencies is Griffin-Lim's to mend.

    Shape: K x M x F -> K x M x F, complex64.
    """
    segment_samples = len(grid.window_L)
    flat_F = amplitude_KMF.shape[-1]
    radians_F = torch.arange(flat_F, device=amplitude_KMF.device) * (2 * math.pi / grid.fft_samples)
    log_PF = amplitude_KMF.clamp(min=_LEAST_AMPLITUDE).log_().flatten(0, 1)
    away_PF = torch.zeros_like(log_PF)
    torch.sub(log_PF[:, 2:], log_PF[:, :-2], out=away_PF[:, 1:-1])
    # d log / d omega, times 2 pi / gamma, at most as far as a Hann window's light reaches.
    away_PF *= grid.fft_samples / (2 * _HANN_SHAPE * segment_samples**2)
    widest = 8 * math.pi / segment_samples
    turn_PF = away_PF.clamp_(-widest, widest).add_(radians_F)
    steps_M = torch.tensor(
        [*grid.offsets, grid.hop_samples], dtype=torch.float32, device=turn_PF.device
    ).diff()
    steps_P1 = steps_M.repeat(len(amplitude_KMF))[:-1, None]
    # Whole turns are dropped before they are summed: single precision is then enough.
    advance_PF = (turn_PF[1:] + turn_PF[:-1]).mul_(steps_P1 / 2).remainder_(2 * math.pi)
    angle_PF = torch.cat([first_phase_F[None], advance_PF]).cumsum_(0)
    angle_PF -= radians_F * (segment_samples / 2)
    return torch.polar(torch.ones_like(angle_PF), angle_PF).view(amplitude_KMF.shape)


def middle_phases(spectrum_F: Tensor, grid: SegmentGrid) -> Tensor:
    """Phases of a spectrum as seen from the middle of its segment, in radians: F."""
    radians_F = torch.arange(len(spectrum_F), device=spectrum_F.device) * (
        2 * math.pi / grid.fft_samples
    )
    return spectrum_F.angle() + radians_F * (len(grid.window_L) / 2)
