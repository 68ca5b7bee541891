"""Everything a song's form is read from, as curves, in one pass over the sound.

A three-hour song is some 10 MB of curves and half a gigabyte of sound, so only they are kept.
Shapes: N samples, T hops (100 a second), G moments (10 a second), B mel bands, P = 12 pitches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.sound.rhythm import (
    ONSET_BANDS,
    SILENCE_DB,
    BandLevels,
    OnsetEnvelope,
    spectral_power,
    spectral_tables,
)
from soundreel.sound.sliding import SlidingWindows
from soundreel.timeline import nearest_sample, sample_time

_HOPS_A_MOMENT = 10
#: Up to here it is the drum and the bass that begin.
_LOW_HZ = 200.0
#: Long enough to tell the semitones of the octaves below apart.
_PITCH_WINDOW_SECONDS = Fraction(8_192, 44_100)
_LOWEST_NOTE, _HIGHEST_NOTE = 50, 96
_NOTE_WIDTH_SEMITONES = 0.4


@dataclass(frozen=True)
class SongCurves:
    """A song as curves over time.

    seconds: its length.
    onset: how suddenly it grows; low_onset: the same of what lies below 200 Hz.
    level_GB: float32, mean level of each mel band in a moment, dB above 80 dB below full scale.
    pitch_GP: float32, how much of C, C#, ... B there is, in all octaves; each row sums to 1, or
        to 0 in silence.
    moment_seconds: what lies between two moments; moment k is about k x moment_seconds.
    loudness_db_G: root mean square of each moment, in dB re full scale, at least `SILENCE_DB`.
    """

    seconds: Fraction
    onset: OnsetEnvelope
    low_onset: OnsetEnvelope
    level_GB: np.ndarray
    pitch_GP: np.ndarray
    loudness_db_G: np.ndarray
    moment_seconds: Fraction


def song_curves(blocks: Iterable[np.ndarray], sample_rate_hz: int) -> SongCurves:
    """The curves of a sound that comes in blocks; the same to the bit, however it is cut.

    Shape: blocks of N, float, full scale 1. Memory grows with the curves, not with the sound.
    """
    bands = _Bands(sample_rate_hz)
    hop = bands.levels.hop_samples * _HOPS_A_MOMENT
    pitches, loudness = _Pitches(sample_rate_hz, hop), _Loudness(hop)
    samples = 0
    for block_N in blocks:
        block_N = np.asarray(block_N, np.float32)
        if block_N.ndim != 1:
            raise ValueError(f"a block of shape {block_N.shape}: one channel, so N samples")
        samples += len(block_N)
        for curve in (bands, pitches, loudness):
            curve.feed(block_N)
    level_GB, onset, low_onset = bands.finish()
    return SongCurves(
        seconds=sample_time(samples, sample_rate_hz),
        onset=onset,
        low_onset=low_onset,
        level_GB=level_GB,
        pitch_GP=pitches.finish(),
        loudness_db_G=loudness.finish(),
        moment_seconds=sample_time(hop, sample_rate_hz),
    )


class _Bands:
    """Levels of mel bands: their rises from hop to hop, and their means over moments."""

    def __init__(self, sample_rate_hz: int) -> None:
        self.levels = BandLevels(sample_rate_hz)
        self._low_bands = max(1, int((self.levels.band_hz_B < _LOW_HZ).sum()))
        self._previous_1B = np.zeros((1, ONSET_BANDS))
        self._rises: list[np.ndarray] = []
        self._low_rises: list[np.ndarray] = []
        self._rest_TB = np.zeros((0, ONSET_BANDS))
        self._means: list[np.ndarray] = []

    def feed(self, block_N: np.ndarray) -> None:
        for level_TB in self.levels.feed(block_N):
            self._add(level_TB)

    def _add(self, level_TB: np.ndarray) -> None:
        rise_TB = np.diff(np.concatenate([self._previous_1B, level_TB]), axis=0).clip(0)
        self._previous_1B = level_TB[-1:]
        self._rises.append(rise_TB.mean(1))
        self._low_rises.append(rise_TB[:, : self._low_bands].mean(1))
        held_TB = np.concatenate([self._rest_TB, level_TB])
        whole = len(held_TB) // _HOPS_A_MOMENT * _HOPS_A_MOMENT
        moments = held_TB[:whole].reshape(-1, _HOPS_A_MOMENT, ONSET_BANDS)
        self._means.append(moments.mean(1).astype(np.float32))
        self._rest_TB = held_TB[whole:]

    def finish(self) -> tuple[np.ndarray, OnsetEnvelope, OnsetEnvelope]:
        for level_TB in self.levels.finish():
            self._add(level_TB)
        return (
            _joined(self._means, (0, ONSET_BANDS)),
            self.levels.envelope(_joined(self._rises, (0,))),
            self.levels.envelope(_joined(self._low_rises, (0,))),
        )


class _Pitches:
    """How much of each of the twelve pitches there is in each moment."""

    def __init__(self, sample_rate_hz: int, hop_samples: int) -> None:
        window = nearest_sample(_PITCH_WINDOW_SECONDS, sample_rate_hz)
        self._windows = SlidingWindows(hop_samples, window)
        self._taper_L, self._weight_F, frequency_hz_F = spectral_tables(window, sample_rate_hz)
        self._pitch_FP = _pitch_filters(frequency_hz_F)
        self._shares: list[np.ndarray] = []

    def feed(self, block_N: np.ndarray) -> None:
        for window_GL in self._windows.feed(block_N):
            self._add(window_GL)

    def _add(self, window_GL: np.ndarray) -> None:
        power_GF = spectral_power(window_GL, self._taper_L, self._weight_F)
        amount_GP = np.sqrt(power_GF) @ self._pitch_FP
        total_G1 = amount_GP.sum(1, keepdims=True)
        heard_G1 = total_G1 > 10 ** (-80 / 20)
        share_GP = np.where(heard_G1, amount_GP / np.where(heard_G1, total_G1, 1), 0)
        self._shares.append(share_GP.astype(np.float32))

    def finish(self) -> np.ndarray:
        for window_GL in self._windows.finish():
            self._add(window_GL)
        return _joined(self._shares, (0, 12))


def _pitch_filters(frequency_hz_F: np.ndarray) -> np.ndarray:
    """Bumps about the notes from 147 Hz to 2 kHz (A4 = 440 Hz), octaves together: F x 12."""
    with np.errstate(divide="ignore"):
        note_F = 69 + 12 * np.log2(frequency_hz_F / 440)
    pitch_FP = np.zeros((len(frequency_hz_F), 12))
    for note in range(_LOWEST_NOTE, _HIGHEST_NOTE + 1):
        pitch_FP[:, note % 12] += np.exp(-0.5 * ((note_F - note) / _NOTE_WIDTH_SEMITONES) ** 2)
    return pitch_FP


class _Loudness:
    """Mean square of each moment, in dB; of the last one what there is of it."""

    def __init__(self, hop_samples: int) -> None:
        self._hop = hop_samples
        self._rest_N = np.zeros(0, np.float32)
        self._decibels: list[np.ndarray] = []

    def feed(self, block_N: np.ndarray) -> None:
        held_N = np.concatenate([self._rest_N, block_N])
        whole = len(held_N) // self._hop * self._hop
        self._add(held_N[:whole].reshape(-1, self._hop))
        self._rest_N = held_N[whole:]

    def _add(self, moment_GN: np.ndarray) -> None:
        mean_G = np.square(moment_GN, dtype=np.float64).mean(1)
        self._decibels.append(10 * np.log10(mean_G.clip(10 ** (SILENCE_DB / 10))))

    def finish(self) -> np.ndarray:
        if len(self._rest_N):
            self._add(self._rest_N[None])
        return _joined(self._decibels, (0,))


def _joined(pieces: list[np.ndarray], empty: tuple[int, ...]) -> np.ndarray:
    return np.concatenate(pieces) if pieces else np.zeros(empty)


def means_between(
    curve_GF: np.ndarray,
    start_seconds_K: np.ndarray,
    stop_seconds_K: np.ndarray,
    moment_seconds: Fraction,
) -> np.ndarray:
    """A curve's mean over each stretch of time: K x F, float64.

    Moments count by the share of them that lies within; what lies outside the song is left out,
    and a stretch wholly outside takes the nearest moment.
    """
    sums_GF = np.concatenate([np.zeros((1, curve_GF.shape[1])), np.cumsum(curve_GF, 0, float)])
    last = len(curve_GF)
    step = float(moment_seconds)
    # No stretch is shorter than a thousandth of a moment.
    start_K = (np.asarray(start_seconds_K) / step).clip(0, last - 1e-3)
    stop_K = np.maximum((np.asarray(stop_seconds_K) / step).clip(0, last), start_K + 1e-3)

    def summed(place_K: np.ndarray) -> np.ndarray:
        below_K = np.floor(place_K).astype(np.int64).clip(0, last - 1)
        share_K1 = (place_K - below_K)[:, None]
        return sums_GF[below_K] + share_K1 * (sums_GF[below_K + 1] - sums_GF[below_K])

    return (summed(stop_K) - summed(start_K)) / (stop_K - start_K)[:, None]
