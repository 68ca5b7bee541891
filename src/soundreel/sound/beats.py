"""Tempo and beats by dynamic programming (D. Ellis, "Beat tracking by dynamic programming", 2007).

Beats are where onsets are strong and the distances to their neighbours are near the tempo's.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from soundreel.sound.rhythm import OnsetEnvelope, onset_envelope

#: What people tap to most readily, and how widely (standard deviation in octaves).
_LIKELY_BPM = 120.0
_SPREAD_OCTAVES = 0.9
_SLOWEST_BPM, _FASTEST_BPM = 40.0, 240.0
#: How much an uneven beat costs against a strong onset (Ellis's alpha, for a strength of unit
#: standard deviation).
_TIGHTNESS = 100.0


def beat_times(sound_N: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """When the beats of a sound are, in seconds, ascending.

    Shape: N, float in [-1, 1] -> the beats, float64; empty where nothing sounds or it is
    shorter than two beats. One tempo is taken for the whole sound; beats follow its drift.
    """
    envelope = onset_envelope(sound_N, sample_rate_hz)
    bpm = tempo_bpm(envelope)
    return np.empty(0) if bpm is None else beats_at_tempo(envelope, bpm)


def beats_at_tempo(
    envelope: OnsetEnvelope, bpm: float, start_hop: int = 0, stop_hop: int | None = None
) -> np.ndarray:
    """When the beats are of a sound whose tempo is known, in seconds, ascending: B, float64.

    Those of hops [start_hop, stop_hop) of the envelope, which else count for nothing.
    """
    part = replace(envelope, strength_T=envelope.strength_T[start_hop:stop_hop])
    end_sample = (_track(part, bpm) + start_hop + 1) * envelope.hop_samples
    # On a logarithmic scale an onset is noticed when it has come a quarter into the window,
    # where the taper lets half of it through (clicks: 1 ms off; taken at the centre, 13 ms).
    return (end_sample - envelope.window_samples / 4).clip(0) / envelope.sample_rate_hz


def tempo_bpm(envelope: OnsetEnvelope) -> float | None:
    """The tempo of the whole sound in beats a minute, or None where it has no onsets.

    The peak of the onsets' autocorrelation, weighted towards what people tap to; as all such
    estimates it may take half or double of what a person would.
    """
    strength_T = envelope.strength_T
    slowest_lag = round(60 / _SLOWEST_BPM * envelope.hops_per_second)
    fastest_lag = round(60 / _FASTEST_BPM * envelope.hops_per_second)
    if len(strength_T) <= 2 * fastest_lag or strength_T.max() <= 0:
        return None
    centred_T = strength_T - strength_T.mean()
    padded = 2 ** int(np.ceil(np.log2(2 * len(centred_T))))
    spectrum = np.fft.rfft(centred_T, padded)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, padded)
    lags = np.arange(fastest_lag, min(slowest_lag, len(centred_T) - 2) + 1)
    if len(lags) == 0 or correlation[0] <= 0:
        return None
    bpm = 60 * envelope.hops_per_second / lags
    weight = np.exp(-0.5 * (np.log2(bpm / _LIKELY_BPM) / _SPREAD_OCTAVES) ** 2)
    # A beat's bar is periodic too, in twos or in threes (Ellis, equations 7 and 8).
    correlation[padded // 2 :] = 0
    in_twos = correlation[lags] + 0.5 * _around(correlation, 2 * lags)
    in_threes = correlation[lags] + 0.33 * _around(correlation, 3 * lags)
    scored = weight * np.maximum(in_twos, in_threes)
    best = int(scored.argmax())
    if scored[best] <= 0:
        return None
    return float(60 * envelope.hops_per_second / _peak_between(correlation, int(lags[best])))


def _around(correlation: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """The best of each lag and its neighbours: a multiple of a rounded lag is less well known."""
    last = len(correlation) - 1
    return np.max([correlation[(lags + step).clip(0, last)] for step in (-1, 0, 1)], axis=0)


def _peak_between(curve: np.ndarray, place: int) -> float:
    """The top of the parabola through a peak and its two neighbours."""
    before, at, after = curve[place - 1 : place + 2]
    bend = before - 2 * at + after
    return place + (float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0)


def _track(envelope: OnsetEnvelope, bpm: float) -> np.ndarray:
    period = 60 * envelope.hops_per_second / bpm
    local_T = _local_score(envelope.strength_T, period)
    steps = np.arange(-round(2 * period), -round(period / 2) + 1)
    cost = -_TIGHTNESS * np.log(-steps / period) ** 2
    total_T = local_T.copy()
    before_T = np.full(len(local_T), -1)
    sounding = np.flatnonzero(~(local_T < 0.01 * local_T.max()))
    # Nothing is a beat before the first sound.
    first = int(sounding[0]) + 1 if len(sounding) else len(local_T)
    # So many hops at a time: none of them can be the beat before another.
    stride = max(1, int(-steps[-1]))
    for start in range(first, len(local_T), stride):
        hop_S = np.arange(start, min(start + stride, len(local_T)))
        places = hop_S[:, None] + steps
        candidates = np.where(places >= 0, total_T[places.clip(0)] + cost, cost)
        best_S = candidates.argmax(1)
        each_S = np.arange(len(hop_S))
        total_T[hop_S] += candidates[each_S, best_S]
        before_T[hop_S] = places[each_S, best_S].clip(-1)
    return _backtrack(local_T, total_T, before_T)


def _local_score(strength_T: np.ndarray, period: float) -> np.ndarray:
    reach = round(period)
    blur = np.exp(-0.5 * (np.arange(-reach, reach + 1) * 32 / period) ** 2)
    return np.convolve(strength_T / (strength_T.std() + 1e-12), blur, "same")[: len(strength_T)]


def _backtrack(local_T: np.ndarray, total_T: np.ndarray, before_T: np.ndarray) -> np.ndarray:
    peaks = np.flatnonzero((total_T[1:-1] > total_T[:-2]) & (total_T[1:-1] >= total_T[2:])) + 1
    if len(peaks) == 0:
        return np.empty(0, dtype=np.int64)
    last = peaks[total_T[peaks] >= 0.5 * np.median(total_T[peaks])][-1]
    beats = [int(last)]
    while before_T[beats[-1]] >= 0:
        beats.append(int(before_T[beats[-1]]))
    beat_B = np.array(beats[::-1], dtype=np.int64)
    # Beats before the music begins and after it has faded are the grid's, not the song's.
    heard_B = local_T[beat_B] >= 0.25 * np.sqrt(np.mean(local_T[beat_B] ** 2))
    heard = np.flatnonzero(heard_B)
    return beat_B[heard[0] : heard[-1] + 1] if len(heard) else beat_B[:0]
