"""Whether a song has a beat, and how fast a person would count it.

`beats.tempo_bpm` finds a period of the onsets, often twice or half the beat, and finds one in
rubato too. Bars need the beat that is counted, so here a period must hold for seconds on end, and
a bar of four (or three) of it must repeat as well.

Shapes: W windows, K lags in hops, L of them that may be a beat.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from soundreel.sound.rhythm import OnsetEnvelope

#: Onsets are compared with themselves within windows this long, which drift does not blur.
_WINDOW_SECONDS = 24.0
#: Too short to say.
_LEAST_SECONDS = 4.0
_SLOWEST_BPM, _FASTEST_BPM = 45.0, 200.0
#: What people count, and how widely (standard deviation in octaves).
_LIKELY_BPM, _SPREAD_OCTAVES = 101.0, 0.7
#: A bar of three must repeat this much better than one of four to be taken for one.
_TRUST_IN_THREES = 0.9
#: How much the drum and the bass say of it, which mark bars more than all onsets do.
_WEIGHT_OF_LOW = 0.5
#: What another tempo must gain over the old one, in sums of two repetitions (each up to 1.5) of
#: windows 12 s apart, and what drift by a hop costs.
_JUMP_COST, _DRIFT_COST = 2.0, 0.05
#: Below this the onsets repeat no better than random ones do (Poisson clicks reach 0.08 in a
#: minute; rubato 0.13; songs 0.21 and more, most of them 0.4 to 0.7).
_LEAST_CLARITY = 0.15
#: Rises of less than this (dB a hop, standard deviation) are no onsets: a held tone's ripple.
_LEAST_RISE_DB = 0.03


@dataclass(frozen=True)
class SteadyStretch:
    """A part of a song in which one tempo holds: hops [start_hop, stop_hop) of its onsets."""

    start_hop: int
    stop_hop: int
    tempo_bpm: float


def steady_stretches(onset: OnsetEnvelope, low_onset: OnsetEnvelope) -> tuple[SteadyStretch, ...]:
    """Where a song beats steadily, and how fast: one stretch for most songs, more for a medley.

    In each, the period is taken that is strongest together with four or three times it, in the
    autocorrelation of all onsets and of the low ones, weighted towards what people count. It may
    drift; another one is taken only where much speaks for it (Viterbi). What repeats no better
    than by chance, or is too short to say, is in no stretch.
    """
    rate_hz = onset.hops_per_second
    slowest, fastest = round(60 / _SLOWEST_BPM * rate_hz), round(60 / _FASTEST_BPM * rate_hz)
    last_lag = 4 * slowest + slowest // 10
    repeats_WK = _repeats(onset, last_lag)
    if len(repeats_WK) == 0:
        return ()
    both_WK = repeats_WK + _WEIGHT_OF_LOW * _repeats(low_onset, last_lag)
    lag_L = np.arange(fastest, slowest + 1)
    score_WL = _scores(both_WK, lag_L, rate_hz)
    path_W = lag_L[_likeliest_path(score_WL)]
    jumps = np.flatnonzero(np.abs(np.diff(path_W)) > 1) + 1
    edges = [0, *jumps.tolist(), len(path_W)]
    every = round(_WINDOW_SECONDS * rate_hz) // 2
    found = []
    for first, stop in pairwise(edges):
        # Where tempo changes is known to half of a window.
        start_hop = first * every + every // 2 if first else 0
        stop_hop = len(onset.strength_T)
        if stop < len(path_W):
            stop_hop = stop * every + every // 2
        near_L = (lag_L >= path_W[first:stop].min() - 1) & (lag_L <= path_W[first:stop].max() + 1)
        mean_L = np.where(near_L, score_WL[first:stop].mean(0), -np.inf)
        lag = int(lag_L[mean_L.argmax()])
        # By chance, little sound repeats more easily.
        seconds = (stop_hop - start_hop) / rate_hz
        least = _LEAST_CLARITY * max(1.0, np.sqrt(2 * _WINDOW_SECONDS / seconds))
        if repeats_WK[first:stop, lag - 2 : lag + 3].mean(0).max() >= least:
            period = _refined(both_WK[first:stop].mean(0), lag)
            found.append(SteadyStretch(start_hop, stop_hop, float(60 * rate_hz / period)))
    return tuple(found)


def _scores(both_WK: np.ndarray, lag_L: np.ndarray, rate_hz: float) -> np.ndarray:
    """How much each window of the song speaks for each period to be the beat's: W x L."""
    weight_L = np.exp(-0.5 * (np.log2(60 * rate_hz / lag_L / _LIKELY_BPM) / _SPREAD_OCTAVES) ** 2)
    in_fours_WL, in_threes_WL = _best_near(both_WK, 4 * lag_L), _best_near(both_WK, 3 * lag_L)
    in_bars_WL = np.maximum(in_fours_WL, _TRUST_IN_THREES * in_threes_WL)
    return weight_L * (both_WK[:, lag_L] + in_bars_WL).clip(0)


def _likeliest_path(score_WL: np.ndarray) -> np.ndarray:
    """The period in each window, as an index: one that drifts by a hop, or at a cost, jumps."""
    count, periods = score_WL.shape
    total_L = score_WL[0].copy()
    before_WL = np.zeros((count, periods), dtype=np.int64)
    index_L = np.arange(periods)
    for window in range(1, count):
        best = int(total_L.argmax())
        choices = [(total_L[best] - _JUMP_COST, np.full(periods, best))]
        for step in (-1, 1, 0):
            from_L = index_L + step
            inside_L = (from_L >= 0) & (from_L < periods)
            from_L = from_L.clip(0, periods - 1)
            value_L = np.where(inside_L, total_L[from_L] - _DRIFT_COST * abs(step), -np.inf)
            choices.append((value_L, from_L))
        value_CL = np.stack([np.broadcast_to(value, periods) for value, _ in choices])
        choice_L = value_CL.argmax(0)
        before_WL[window] = np.stack([from_L for _, from_L in choices])[choice_L, index_L]
        total_L = value_CL[choice_L, index_L] + score_WL[window]
    path_W = np.zeros(count, dtype=np.int64)
    path_W[-1] = int(total_L.argmax())
    for window in range(count - 1, 0, -1):
        path_W[window - 1] = before_WL[window, path_W[window]]
    return path_W


def _repeats(envelope: OnsetEnvelope, last_lag: int) -> np.ndarray:
    """How well a curve repeats after 0, 1, ... last_lag hops: 1 perfectly, 0 not at all.

    W x lags, for windows of the song that overlap by half; none where it is too short.
    """
    rate_hz, strength_T = envelope.hops_per_second, envelope.strength_T
    window = round(_WINDOW_SECONDS * rate_hz)
    padded = 2 ** int(np.ceil(np.log2(2 * window)))
    rows = []
    for start in range(0, max(1, len(strength_T) - window // 2), window // 2):
        part = strength_T[start : start + window]
        if len(part) < _LEAST_SECONDS * rate_hz:
            continue
        if part.std() < _LEAST_RISE_DB:
            rows.append(np.zeros(last_lag + 1))
            continue
        spectrum = np.fft.rfft(part - part.mean(), padded)
        correlation = np.fft.irfft(np.abs(spectrum) ** 2, padded)[: last_lag + 1]
        overlap = len(part) - np.arange(last_lag + 1)
        # A comparison of little sound with little sound says little.
        known = overlap > 0.3 * len(part)
        fair = correlation / correlation[0] * len(part) / np.where(known, overlap, 1)
        rows.append(np.where(known, fair, 0))
    return np.array(rows).reshape(-1, last_lag + 1)


def _best_near(both_WK: np.ndarray, lag_L: np.ndarray) -> np.ndarray:
    """The best within two hops of each lag: a bar is longer than whole hops say. W x L."""
    last = both_WK.shape[1] - 1
    near = [both_WK[:, (lag_L + step).clip(0, last)] for step in (-2, -1, 0, 1, 2)]
    return np.max(near, axis=0)


def _refined(curve: np.ndarray, lag: int) -> float:
    """The period to a fraction of a hop, from where four of it repeat best, else from itself."""
    for times in (4, 1):
        reach = 2 * times
        first = times * lag - reach
        near = curve[first : times * lag + reach + 1]
        place = int(near.argmax())
        if 0 < place < len(near) - 1 and near[place] > 0.5 * curve[lag]:
            before, at, after = near[place - 1 : place + 2]
            bend = before - 2 * at + after
            return (first + place + 0.5 * (before - after) / min(bend, -1e-12)) / times
    return float(lag)
