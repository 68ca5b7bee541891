"""From segments of sound to the columns of a sound image: `psd`, `log` and `mel`.

A column depends on its own segment and on nothing else, and comes out equal to the bit
wherever the segment stands in a batch: so columns that windows share need be computed only
once. That is why nothing here is a matrix product (whose sums are ordered by the batch).

Shapes: K segments, N samples in each, F frequencies, S pixels in a column.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from soundreel.recipe import Recipe

#: Far below any floor, so that the logarithm of silence is finite.
_SMALLEST_DENSITY = 1e-30


def columns_of(segments_KN: Tensor, recipe: Recipe) -> Tensor:
    """The columns that segments of sound make in a sound image.

    Shape: K x segment_samples, float in [-1, 1] -> K x S, float32 in [-1, 1]. Pixel 0 is the
    top of the picture: the highest frequency, and for `psd` the lowest.
    """
    if recipe.representation == "psd":
        density_KF = psd_density(segments_KN, recipe)
        # SciPy hands the density of 16-bit sound back in single precision, and the paper's
        # `astype(uint8)` then drops the fraction.
        byte_KF = density_KF.float().clamp_(0, 255).floor_()
        return byte_KF.div_(127.5).sub_(1)
    density_KF = log_density(segments_KN, recipe)
    if recipe.representation == "mel":
        density_KF = mel_density(density_KF, recipe)
    span_db = recipe.ceiling_db - recipe.floor_db
    level_KF = density_KF.clamp_(min=_SMALLEST_DENSITY).log10_().mul_(20 / span_db)
    return level_KF.sub_(1 + 2 * recipe.floor_db / span_db).clamp_(-1, 1).flip(-1)


def psd_density(segments_KN: Tensor, recipe: Recipe) -> Tensor:
    """Power spectral density of 16-bit sound, as `scipy.signal.spectrogram` has it.

    Shape: K x N, float in [-1, 1] -> K x F, float64, in 16-bit steps squared a hertz; frequency
    0 first. Tukey(0.25) window, each segment's mean removed, zero-padded, one-sided.

    In double precision, because the paper drops the fraction of the density: a rounding error
    at a whole number would be a pixel's full step.
    """
    window_N, scale_F = _psd_tables(
        recipe.sample_rate_hz, recipe.segment_samples, recipe.fft_samples, segments_KN.device
    )
    steps_KN = segments_KN.double().mul_(32_768).round_().clamp_(-32_768, 32_767)
    steps_KN -= steps_KN.mean(-1, keepdim=True)
    return _power(steps_KN.mul_(window_N), recipe.fft_samples).mul_(scale_F)


def log_density(segments_KN: Tensor, recipe: Recipe) -> Tensor:
    """Power spectral density of sound whose full scale is 1.

    Shape: K x N, float in [-1, 1] -> K x F, float32, in 1/Hz; frequency 0 first. Hann window,
    zero-padded, one-sided.

    Two things differ from the paper. Hann, where it has Tukey(0.25): Tukey's side lobes start
    at -15 dB, and in a picture that shows 90 dB each bass note would smear over its whole
    column. And the mean stays in: a segment is a third of a 50 Hz wave long, so its mean *is*
    the bass (the lowest five rows predict the loudness below 120 Hz with R = .66 to .94 on
    eight songs, with the means removed .55 to .89), and removing it also leaks a little of
    every tone into the bottom rows.
    """
    window_N, scale_F = _log_tables(
        recipe.sample_rate_hz, recipe.segment_samples, recipe.fft_samples, segments_KN.device
    )
    return _power(segments_KN * window_N, recipe.fft_samples).mul_(scale_F)


def mel_density(density_KF: Tensor, recipe: Recipe) -> Tensor:
    """The mean density in each of S bands that are equally wide on the mel scale.

    Shape: K x F -> K x S, in the unit of the input; lowest band first.
    """
    index_SW, weight_SW = _mel_tables(
        recipe.sample_rate_hz,
        recipe.fft_samples,
        recipe.sound_image_size,
        recipe.mel_low_hz,
        recipe.mel_high_hz,
        density_KF.device,
    )
    # A sum over each band's own frequencies, in their order, whatever the batch.
    return density_KF[:, index_SW].mul_(weight_SW).sum(-1)


def mel_filters(
    sample_rate_hz: int, fft_samples: int, bands: int, low_hz: float, high_hz: float
) -> np.ndarray:
    """Triangles over the frequencies, bands x F float64, that turn densities into mean densities.

    Slaney's mel scale (linear to 1 kHz, logarithmic above) and his area normalisation (Auditory
    Toolbox, 1998), times the distance of two frequencies, so each row sums to about 1.
    """
    bin_hz = sample_rate_hz / fft_samples
    frequency_hz_F = np.arange(fft_samples // 2 + 1) * bin_hz
    low, high = _mel_from_hz(np.array([low_hz, high_hz]))
    edge_hz = _hz_from_mel(np.linspace(low, high, bands + 2))
    left, centre, right = edge_hz[:-2, None], edge_hz[1:-1, None], edge_hz[2:, None]
    rising = (frequency_hz_F - left) / (centre - left)
    falling = (right - frequency_hz_F) / (right - centre)
    triangle_BF = np.maximum(0, np.minimum(rising, falling))
    return triangle_BF * (2 * bin_hz / (right - left))


def _power(segments_KN: Tensor, fft_samples: int) -> Tensor:
    spectrum_KF = torch.fft.rfft(segments_KN, n=fft_samples)
    return spectrum_KF.real.square().add_(spectrum_KF.imag.square())


def _one_sided(scale: float, fft_samples: int) -> np.ndarray:
    scale_F = np.full(fft_samples // 2 + 1, 2 * scale)
    scale_F[0] = scale
    if fft_samples % 2 == 0:
        scale_F[-1] = scale
    return scale_F


@lru_cache(maxsize=16)
def _psd_tables(
    sample_rate_hz: int, count: int, fft_samples: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    # Tukey(0.25) over a period of `count` samples, the way scipy makes it for spectra.
    position = np.arange(count) / count
    edge = np.minimum(position, 1 - position)
    window_N = np.where(edge < 0.125, 0.5 * (1 - np.cos(np.pi * edge / 0.125)), 1.0)
    # For 16-bit sound scipy rounds the window, and the scale made from it, to single precision.
    rounded_N = window_N.astype(np.complex64)
    scale = complex(1.0 / (sample_rate_hz * (rounded_N * rounded_N).sum())).real
    return (
        torch.from_numpy(rounded_N.real.astype(np.float64)).to(device),
        torch.from_numpy(_one_sided(scale, fft_samples)).to(device),
    )


@lru_cache(maxsize=16)
def _log_tables(
    sample_rate_hz: int, count: int, fft_samples: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    window_N = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(count) / count)
    scale = 1 / (sample_rate_hz * float(window_N @ window_N))
    return (
        torch.from_numpy(window_N).float().to(device),
        torch.from_numpy(_one_sided(scale, fft_samples)).float().to(device),
    )


@lru_cache(maxsize=16)
def _mel_tables(
    sample_rate_hz: int,
    fft_samples: int,
    bands: int,
    low_hz: float,
    high_hz: float,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """For each band the W frequencies under its triangle and their weights (0 where fewer)."""
    filters_SF = mel_filters(sample_rate_hz, fft_samples, bands, low_hz, high_hz)
    width = int((filters_SF > 0).sum(1).max())
    last_first = filters_SF.shape[1] - width
    first_S = np.minimum((filters_SF > 0).argmax(1), last_first)
    index_SW = first_S[:, None] + np.arange(width)
    weight_SW = np.take_along_axis(filters_SF, index_SW, axis=1)
    return (
        torch.from_numpy(index_SW).to(device),
        torch.from_numpy(weight_SW).float().to(device),
    )


# Slaney's scale: 200/3 Hz a mel up to 1 kHz (15 mel), then 27 mel for each factor of 6.4.
_LINEAR_HZ = 200 / 3
_LOG_STEP = np.log(6.4) / 27


def _mel_from_hz(hz: np.ndarray) -> np.ndarray:
    return np.where(
        hz < 1000, hz / _LINEAR_HZ, 15 + np.log(np.maximum(hz, 1000) / 1000) / _LOG_STEP
    )


def _hz_from_mel(mel: np.ndarray) -> np.ndarray:
    return np.where(
        mel < 15, mel * _LINEAR_HZ, 1000 * np.exp(_LOG_STEP * (np.maximum(mel, 15) - 15))
    )
