"""From the columns of a sound image back to the amplitudes of the spectra they were made of.

Shapes: S pixels in a column, K columns, M segments a column, F frequencies.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from soundreel.recipe import Recipe
from soundreel.sound.griffin_lim import SegmentGrid
from soundreel.sound.spectra import mel_filters

#: Every sample lies under at least so many segments. At 5 the sound takes 1.7 times as long and
#: is no better.
_OVERLAP = 3
#: How much of its own amplitude a segment between two columns keeps in an iteration. What is
#: asked there is only guessed.
_OWN_SHARE = 0.5
#: Steps towards densities whose bands have the levels asked. More change nothing that is heard.
_MEL_STEPS = 8
#: A band reaches few frequencies: products of all with all would be mostly of zeros.
_BANDS_AT_A_TIME = 32
#: Far below every floor, so that silence can be divided by.
_LEAST_DENSITY = 1e-30


def grid_of(recipe: Recipe, device: torch.device) -> SegmentGrid:
    """The segments that sound is made from: the recipe's own, and some between them."""
    between = max(1, -(-_OVERLAP * recipe.hop_samples // recipe.segment_samples))
    return SegmentGrid(
        window_of(recipe).to(device),
        transform_samples(recipe),
        recipe.hop_samples,
        tuple(place * recipe.hop_samples // between for place in range(between)),
    )


def transform_samples(recipe: Recipe) -> int:
    """Length of the transform that sound is made with.

    Where the recipe's transform is a multiple of its segment, the segment's own: every second
    (third, ...) frequency of the padded one says all there is. Else the next length whose only
    factors are 2, 3 and 5: 512 takes half as long as 510 = 2 x 3 x 5 x 17.
    """
    if recipe.fft_samples % recipe.segment_samples == 0:
        return recipe.segment_samples
    length = recipe.fft_samples
    while not _is_fast(length):
        length += 1
    return length


def _is_fast(length: int) -> bool:
    for factor in (2, 3, 5):
        while length % factor == 0:
            length //= factor
    return length == 1


def window_of(recipe: Recipe) -> Tensor:
    """The window of the recipe's spectra: Tukey(0.25) for `psd`, else Hann."""
    position_L = np.arange(recipe.segment_samples) / recipe.segment_samples
    if recipe.representation == "psd":
        edge_L = np.minimum(np.minimum(position_L, 1 - position_L), 0.125)
        return torch.from_numpy(0.5 - 0.5 * np.cos(np.pi * edge_L / 0.125)).float()
    return torch.from_numpy(0.5 - 0.5 * np.cos(2 * np.pi * position_L)).float()


def density_of_columns(column_SK: Tensor, recipe: Recipe) -> Tensor:
    """What a column's pixels say: the density in 1/Hz at full scale 1, lowest first: K x S."""
    if recipe.representation == "psd":
        step_KS = (column_SK.T.clamp(-1, 1) + 1) * 127.5
        # The fraction was dropped: half a step is its mean. Nothing stays nothing.
        return (step_KS + step_KS.clamp(max=1) / 2) / 32_768**2
    level_KS = column_SK.T.flip(-1).clamp(-1, 1)
    span_db = recipe.ceiling_db - recipe.floor_db
    level_db_KS = (level_KS + 1) * (span_db / 2) + recipe.floor_db
    return torch.where(level_KS > -1, 10 ** (level_db_KS / 10), 0.0)


def amplitudes_of_columns(column_SK: Tensor, recipe: Recipe, grid: SegmentGrid) -> Tensor:
    """Amplitudes of the spectra of all segments of the grid: K x M x F."""
    density_KF = density_of_columns(column_SK, recipe)
    if recipe.representation == "mel":
        density_KF = _linear_from_mel(density_KF, recipe)
    scale = recipe.sample_rate_hz * float(grid.window_L.double().square().sum())
    power_KF = density_KF * (scale / _sides(recipe.fft_samples).to(density_KF))
    if recipe.fft_samples % grid.fft_samples == 0:
        power_KF = power_KF[:, :: recipe.fft_samples // grid.fft_samples]
    else:
        least = 10 ** (recipe.floor_db / 10) * scale
        power_KF = _at_other_frequencies(power_KF, recipe, grid.fft_samples, least)
    return between_columns(power_KF.sqrt(), grid)


def _at_other_frequencies(
    power_KF: Tensor, recipe: Recipe, fft_samples: int, least: float
) -> Tensor:
    """Powers at the frequencies of another transform, between those that are known.

    Cubic (Catmull and Rom, 1974) in dB, as a peak is rounder than it is wide; straight in power
    for `psd`, whose zeros and saturation make cliffs that a cubic would overshoot.
    """
    last = power_KF.shape[1] - 1
    place_F = torch.arange(fft_samples // 2 + 1, device=power_KF.device)
    place_F = (place_F * (recipe.fft_samples / fft_samples)).clamp(max=last)
    below_F = place_F.long()
    above_F = (below_F + 1).clamp(max=last)
    share_F = place_F - below_F
    if recipe.representation == "psd":
        return torch.lerp(power_KF[:, below_F], power_KF[:, above_F], share_F)
    level_KF = power_KF.clamp(min=least).log_()
    a, b = level_KF[:, (below_F - 1).abs()], level_KF[:, below_F]
    c, d = level_KF[:, above_F], level_KF[:, (below_F + 2).clamp(max=last)]
    slope, bend = c - a, 2 * a - 5 * b + 4 * c - d
    cubic_KF = b + share_F / 2 * (slope + share_F * (bend + share_F * (3 * (b - c) + d - a)))
    sounds_KF = (power_KF[:, below_F] > 0) | (power_KF[:, above_F] > 0)
    return torch.where(sounds_KF, cubic_KF.exp_(), 0.0)


def between_columns(amplitude_KF: Tensor, grid: SegmentGrid) -> Tensor:
    """Amplitudes at the grid's offsets, between those at the columns: K x F -> K x M x F.

    Even in power: the densities of noise leap up and down from column to column, and halfway
    between two in dB (their geometric mean) there is 2.5 dB less power on average. That is
    heard, as a buzz at the columns' rate.
    """
    if len(grid.offsets) == 1:
        return amplitude_KF.unsqueeze(1)
    power_KF = amplitude_KF.square()
    next_KF = torch.cat([power_KF[1:], power_KF[-1:]])
    share_M1 = torch.tensor(grid.offsets, device=power_KF.device)[:, None] / grid.hop_samples
    return torch.lerp(power_KF.unsqueeze(1), next_KF.unsqueeze(1), share_M1).sqrt_()


def own_shares(grid: SegmentGrid, recipe: Recipe) -> Tensor | None:
    """What `griffin_lim` should leave to the segments between columns: M, or None for nothing.

    None for `psd` too: where it is saturated its columns are no sound's, and sound that comes
    nearer to them than to what lies between them buzzes (measured: 14% deep, else 3%).
    """
    if len(grid.offsets) == 1 or recipe.representation == "psd":
        return None
    share_M = grid.window_L.new_full((len(grid.offsets),), _OWN_SHARE)
    share_M[0] = 0
    return share_M


def _sides(fft_samples: int) -> Tensor:
    """2 where a frequency stands for its negative as well, else 1."""
    sides_F = torch.full((fft_samples // 2 + 1,), 2.0)
    sides_F[0] = 1
    if fft_samples % 2 == 0:
        sides_F[-1] = 1
    return sides_F


def _linear_from_mel(band_KS: Tensor, recipe: Recipe) -> Tensor:
    """A density per frequency, none negative, whose mean in every band is the one given.

    Richardson's and Lucy's steps (1972, 1974), which keep what is positive positive, from the
    bands spread over their own frequencies.
    """
    parts = _filters(
        recipe.sample_rate_hz,
        recipe.fft_samples,
        recipe.sound_image_size,
        recipe.mel_low_hz,
        recipe.mel_high_hz,
    )
    frequencies = recipe.fft_samples // 2 + 1

    def spread(value_KS: Tensor) -> Tensor:
        value_KF = value_KS.new_zeros(len(value_KS), frequencies)
        for bands, reach, filter_SF in parts:
            value_KF[:, reach] += value_KS[:, bands] @ filter_SF.to(value_KS)
        return value_KF

    def heard(density_KF: Tensor) -> Tensor:
        return torch.cat(
            [density_KF[:, reach] @ filter_SF.T.to(density_KF) for _, reach, filter_SF in parts], 1
        )

    reach_1F = spread(torch.ones_like(band_KS[:1]))
    per_reach_1F = torch.where(reach_1F > 0, 1 / reach_1F.clamp(min=1e-12), 0.0)
    density_KF = spread(band_KS).mul_(per_reach_1F)
    for _ in range(_MEL_STEPS):
        asked_KS = band_KS / heard(density_KF).clamp_(min=_LEAST_DENSITY)
        density_KF *= spread(asked_KS).mul_(per_reach_1F)
    return density_KF


@lru_cache(maxsize=4)
def _filters(
    sample_rate_hz: int, fft_samples: int, bands: int, low_hz: float, high_hz: float
) -> list[tuple[slice, slice, Tensor]]:
    """Some bands at a time: which, the frequencies that they reach, and the filters over those."""
    filter_SF = mel_filters(sample_rate_hz, fft_samples, bands, low_hz, high_hz)
    parts = []
    for first in range(0, bands, _BANDS_AT_A_TIME):
        rows = slice(first, min(first + _BANDS_AT_A_TIME, bands))
        reached = np.flatnonzero(filter_SF[rows].any(0))
        reach = slice(int(reached[0]), int(reached[-1]) + 1)
        parts.append((rows, reach, torch.from_numpy(filter_SF[rows, reach]).float()))
    return parts
