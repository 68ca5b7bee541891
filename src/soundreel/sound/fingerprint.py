"""A sound's fingerprint: landmarks that stay where they are when a song is encoded anew or cut.

After A. Wang, "An industrial-strength audio search algorithm", ISMIR 2003: the peaks of a
spectrogram stand out of noise and of lossy coding; pairs of them, each written as one number
(frequency, frequency, time between), are the hashes of which two recordings of the same song
share many, all at one offset in time. What survives what: docs/sameness.md.

Shapes: N samples, T hops, F frequencies, P peaks, H hashes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

#: Sound is looked at below 4 kHz: what every codec keeps.
_RATE_HZ = 8_000
#: 128 ms tell semitones apart from 130 Hz up; windows of 64 and of 256 ms find fewer of the
#: same hashes. Hops of 16 ms because a cut seldom falls on one: where it falls halfway between
#: two, four in five hashes stay the same (of hops of 32 ms, half).
_WINDOW_SAMPLES = 1_024
_HOP_SAMPLES = 128
#: From one hop to the next: the unit of `Fingerprint.time_H`.
HOP_SECONDS = _HOP_SAMPLES / _RATE_HZ

#: Half the width of the sinc that resamples, in its own zero crossings.
_SINC_CROSSINGS = 12
#: Where it begins to fall, as a share of half the lower rate.
_PASS_SHARE = 0.92
#: Odd ratios of rates are taken as the nearest with no larger numbers than this: off by a few in
#: 10,000 at the most (none of the usual rates is).
_LARGEST_OF_RATIO = 2_000

#: From 80 Hz up to 3.8 kHz, in bins.
_LOW_BIN, _HIGH_BIN = 10, 487
#: No bin is taken to be fainter than this (dB re a full-scale sine) ...
_FLOOR_DB = -120.0
#: ... and a peak must be louder than this: the dither of 16-bit silence is not.
_AUDIBLE_DB = -100.0
#: A peak rises by this much above the mean level of its own bin within `_AROUND_HOPS` (4 s) to
#: both sides. So a steady tone has none; noise, whose levels scatter, has none either (at 12 dB
#: it would have 5 hashes a second); and an equaliser lifts peak and mean together.
_RISE_DB = 15.0
_AROUND_HOPS = 250
#: And it rises as high as anything within this many hops and bins to every side.
_REACH_HOPS, _REACH_BINS = 20, 24
#: The partners of a peak: the next ones after it, within so many hops and bins.
_FAN_OUT = 3
_LEAST_HOPS_APART, _MOST_HOPS_APART, _MOST_BINS_APART = 2, 125, 127
#: How far they are apart is written in steps of so many hops, since it is known no better.
_STEP_HOPS = 3
#: How many hops are looked at together: what bounds memory, whatever the length of the sound.
_TILE_HOPS = 4_096
_IN_CACHE_HOPS = 256


@dataclass(frozen=True)
class Fingerprint:
    """The landmarks of a sound, ascending in time and, within a hop, in hash.

    hash_H: uint32; the bin of the first peak (9 bits), of the second relative to it (8 bits),
        and the time between them in steps of 48 ms (6 bits).
    time_H: int32; the hop of the first peak (`HOP_SECONDS` each).
    """

    hash_H: np.ndarray
    time_H: np.ndarray


def fingerprint(sound_N: np.ndarray, sample_rate_hz: int) -> Fingerprint:
    """The fingerprint of a sound: some 20 to 40 hashes a second of music.

    sound_N: float, full scale 1, at any rate. Silence, steady tones and noise have none.
    """
    sound_N = resampled(np.asarray(sound_N, np.float32), sample_rate_hz)
    hops = max(0, (len(sound_N) - _WINDOW_SAMPLES) // _HOP_SAMPLES + 1)
    reach = _AROUND_HOPS + _REACH_HOPS
    tiles = [(np.empty(0), np.empty(0, np.int64))]
    for first in range(0, hops, _TILE_HOPS):
        stop = min(first + _TILE_HOPS, hops)
        start = max(0, first - reach)
        level_TF = _levels(sound_N, start, min(stop + reach, hops))
        tiles.append(_peaks(level_TF, start, first, stop))
    return _pairs(*(np.concatenate(parts) for parts in zip(*tiles, strict=True)))


def resampled(sound_N: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """The sound at 8 kHz, float32, band-limited and without delay: sample n is at n / 8000 s."""
    ratio = Fraction(_RATE_HZ, sample_rate_hz).limit_denominator(_LARGEST_OF_RATIO)
    if ratio == 1:
        return sound_N
    makes, takes = ratio.numerator, ratio.denominator
    filter_WM = _resampling_filter(makes, takes)
    before = (len(filter_WM) - takes) // 2
    blocks = -(-len(sound_N) // takes)
    padded_N = np.zeros(blocks * takes + len(filter_WM), np.float32)
    padded_N[before : before + len(sound_N)] = sound_N
    stretch_BW = np.lib.stride_tricks.sliding_window_view(padded_N, len(filter_WM))[::takes]
    made_N = (stretch_BW[:blocks] @ filter_WM).reshape(-1)
    return made_N[: -(-len(sound_N) * makes // takes)]


@lru_cache(maxsize=8)
def _resampling_filter(makes: int, takes: int) -> np.ndarray:
    """What makes `makes` samples of `takes` and their neighbours on both sides: W x `makes`.

    A sinc under a squared cosine; each column sums to 1.
    """
    cutoff = _PASS_SHARE * min(1.0, makes / takes)
    reach = math.ceil(_SINC_CROSSINGS / cutoff)
    at_W = np.arange(-reach, takes + reach)[:, None]
    away_WM = at_W - np.arange(makes) * takes / makes
    taper_WM = np.where(np.abs(away_WM) < reach, np.cos(np.pi * away_WM / (2 * reach)) ** 2, 0)
    filter_WM = np.sinc(cutoff * away_WM) * taper_WM
    return (filter_WM / filter_WM.sum(0)).astype(np.float32)


def _levels(sound_N: np.ndarray, start: int, stop: int) -> np.ndarray:
    """T x F, float32: each bin's level in dB at hops start to stop, no lower than the floor."""
    stretch_N = sound_N[start * _HOP_SAMPLES : (stop - 1) * _HOP_SAMPLES + _WINDOW_SAMPLES]
    window_TN = np.lib.stride_tricks.sliding_window_view(stretch_N, _WINDOW_SAMPLES)[::_HOP_SAMPLES]
    taper_N = np.hanning(_WINDOW_SAMPLES + 1)[:-1]
    taper_N = (taper_N * (2 / taper_N.sum())).astype(np.float32)
    level_TF = np.empty((stop - start, _HIGH_BIN - _LOW_BIN), np.float32)
    # A few windows at a time stay in a core's cache: twice as fast as all at once.
    for at in range(0, stop - start, _IN_CACHE_HOPS):
        spectrum_TF = np.fft.rfft(window_TN[at : at + _IN_CACHE_HOPS] * taper_N)
        part_TF = spectrum_TF[:, _LOW_BIN:_HIGH_BIN]
        power_TF = np.square(part_TF.real) + np.square(part_TF.imag)
        np.maximum(power_TF, 10 ** (_FLOOR_DB / 10), out=power_TF)
        level_TF[at : at + _IN_CACHE_HOPS] = 10 * np.log10(power_TF)
    return level_TF


def _peaks(
    level_TF: np.ndarray, start: int, first: int, stop: int
) -> tuple[np.ndarray, np.ndarray]:
    """Places in hops (fractions of them) and bins of the peaks at hops first to stop.

    level_TF begins at hop `start`. Ascending in hop, then in bin.
    """
    rise_TF = level_TF - _mean_around(level_TF, _AROUND_HOPS)
    highest_TF = _highest_around(_highest_around(rise_TF, _REACH_HOPS).T, _REACH_BINS).T
    is_peak_TF = (rise_TF >= highest_TF) & (rise_TF > _RISE_DB) & (level_TF > _AUDIBLE_DB)
    hop_P, bin_P = np.nonzero(is_peak_TF[first - start : stop - start])
    hop_P += first - start
    # The top of the parabola through a peak and what is before and after it.
    last = len(rise_TF) - 1
    before_P = rise_TF[(hop_P - 1).clip(0), bin_P].astype(np.float64)
    after_P = rise_TF[(hop_P + 1).clip(max=last), bin_P].astype(np.float64)
    bend_P = np.minimum(before_P + after_P - 2 * rise_TF[hop_P, bin_P], -1e-6)
    place_P = hop_P + (0.5 * (before_P - after_P) / bend_P).clip(-0.5, 0.5)
    return place_P + start, bin_P


def _mean_around(level_TF: np.ndarray, reach: int) -> np.ndarray:
    """The mean over `reach` hops to both sides, fewer at the ends."""
    hops = len(level_TF)
    # Sums up to each hop, with `reach` hops of nothing before and after.
    sum_TF = np.zeros((hops + 2 * reach + 1, level_TF.shape[1]))
    np.cumsum(level_TF, axis=0, dtype=np.float64, out=sum_TF[reach + 1 : reach + 1 + hops])
    sum_TF[reach + 1 + hops :] = sum_TF[reach + hops]
    hop_T = np.arange(hops)
    count_T = (hop_T + reach + 1).clip(max=hops) - (hop_T - reach).clip(0)
    mean_TF = sum_TF[2 * reach + 1 :] - sum_TF[: -2 * reach - 1]
    mean_TF /= count_T[:, None]
    return mean_TF.astype(np.float32)


def _highest_around(value_TF: np.ndarray, reach: int) -> np.ndarray:
    """The highest over `reach` rows to both sides, by maxima over twice as many each time."""
    width = 2 * reach + 1
    padded_TF = np.pad(value_TF, ((reach, reach), (0, 0)), constant_values=-np.inf)
    covered = 1
    while covered < width:
        step = min(covered, width - covered)
        padded_TF = np.maximum(padded_TF[:-step], padded_TF[step:])
        covered += step
    return padded_TF


def _pairs(place_P: np.ndarray, bin_P: np.ndarray) -> Fingerprint:
    """Each peak with the next `_FAN_OUT` that lie near enough."""
    order_P = np.lexsort((bin_P, place_P))
    place_P, bin_P = place_P[order_P], bin_P[order_P]
    partners_P = np.zeros(len(place_P), np.int64)
    hashes, times = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for step in range(1, len(place_P)):
        apart_P = place_P[step:] - place_P[:-step]
        if apart_P.min() > _MOST_HOPS_APART:
            break
        higher_P = bin_P[step:] - bin_P[:-step]
        is_pair_P = (
            (apart_P >= _LEAST_HOPS_APART)
            & (apart_P <= _MOST_HOPS_APART)
            & (np.abs(higher_P) <= _MOST_BINS_APART)
            & (partners_P[:-step] < _FAN_OUT)
        )
        first_H = np.flatnonzero(is_pair_P)
        partners_P[first_H] += 1
        second_relative_H = higher_P[first_H] + _MOST_BINS_APART + 1
        steps_H = (apart_P[first_H] / _STEP_HOPS).astype(np.int64)
        hashes.append((bin_P[first_H] << 14) | (second_relative_H << 6) | steps_H)
        times.append(np.rint(place_P[first_H]).astype(np.int64))
    hash_H, time_H = np.concatenate(hashes), np.concatenate(times)
    order_H = np.lexsort((hash_H, time_H))
    return Fingerprint(hash_H[order_H].astype(np.uint32), time_H[order_H].astype(np.int32))
