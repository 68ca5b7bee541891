"""Which beats begin a bar, the bars of a whole song, and from a time to its bar and back.

Shapes: B beats, H half beats, P places in a bar, F features, G moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soundreel.errors import SettingsError
from soundreel.sound.rhythm import OnsetEnvelope
from soundreel.sound.song_curves import SongCurves, means_between

#: What is heard before a beat is compared with what is heard after it over so many half beats.
_REACH_HALVES = 3
#: What marks a downbeat: strength of low onsets, of all onsets, change of harmony and of timbre.
_EVIDENCE_F = np.array([1.0, 0.5, 1.0, 0.35])
#: The share of its weight that an accent keeps which does not repeat with the bar at all.
_LEAST_TRUST = 0.1
_EVIDENCE_DEVIATION = 1.3
#: How much more evidence it takes to begin bars between the beats that were tracked.
_ON_THE_BEAT = 0.7
#: How much more of the beats' differences bars of three must explain to be taken for bars.
_CLEARLY_BETTER = 0.06
#: What it costs to count a bar of another length than the song's: the evidence of some 4 bars.
_MISCOUNT_COST = 8.0
#: Sound of at least this level is heard (dB re full scale).
_HEARD_DB = -60.0
#: Bar 1 may begin this share of a beat before the sound does.
_EARLY_BEATS = 0.25


@dataclass(frozen=True)
class Bars:
    """The beats of a song as they are counted.

    beat_seconds_B: float64, ascending.
    bar_seconds: when the bars begin, float64, ascending. Bar 1 begins at the first downbeat that
        is heard (a pickup before it lies in bar 0), the beats being carried on to both ends of
        the song. The last value is where the last bar ends, at or after the song's end.
    beats_per_bar: 4, or 3 where that explains the song clearly better.
    """

    beat_seconds_B: np.ndarray
    bar_seconds: np.ndarray
    beats_per_bar: int


def count_bars(tracked: Sequence[np.ndarray], curves: SongCurves) -> Bars:
    """Which of the beats tracked begin a bar.

    tracked: for each stretch of the song that beats steadily its beats in seconds, ascending;
        a stretch of fewer than two beats is left out. No stretch: no bars.

    A bar begins where the drum and the bass come in and where harmony and timbre change, again
    and again at the same distance. Trackers like to follow what is played off the beat, so bars
    may begin half way between two beats too; then the beats returned are those half ways. Where
    the song drops a beat the count may start anew. Between stretches bars go on as before.
    """
    halves = [_with_halves(beat_B) for beat_B in tracked if len(beat_B) >= 2]
    if not halves:
        return Bars(np.empty(0), np.empty(0), 4)
    accents = [_accents(half_H, curves) for half_H in halves]
    explained = {
        beats: [_explained(accents_HF, 2 * beats) for accents_HF in accents] for beats in (3, 4)
    }
    gain_S = [(t - f).mean() for t, f in zip(explained[3], explained[4], strict=True)]
    in_threes = np.average(gain_S, weights=[len(half_H) for half_H in halves]) > _CLEARLY_BETTER
    beats_per_bar = 3 if in_threes else 4
    beats, downbeats = [], []
    for half_H, accents_HF, explained_F in zip(
        halves, accents, explained[beats_per_bar], strict=True
    ):
        # What does not repeat with the bar says nothing of it.
        evidence_H = accents_HF @ (_EVIDENCE_F * (_LEAST_TRUST + explained_F))
        evidence_H *= _EVIDENCE_DEVIATION / (evidence_H.std() + 1e-9)
        evidence_H[::2] += _ON_THE_BEAT
        place_H = _count(evidence_H - evidence_H.mean(), 2 * beats_per_bar)
        if not (place_H == 0).any() or (place_H % 2 == 0).sum() < 2:
            place_H = np.arange(len(half_H)) % (2 * beats_per_bar)
        beats.append(half_H[place_H % 2 == 0])
        downbeats.append(half_H[place_H == 0])
    bar_seconds = _over_the_song(downbeats, beats, beats_per_bar, curves)
    return Bars(np.concatenate(beats), bar_seconds, beats_per_bar)


def _with_halves(beat_seconds_B: np.ndarray) -> np.ndarray:
    half_H = np.empty(2 * len(beat_seconds_B) - 1)
    half_H[::2] = beat_seconds_B
    half_H[1::2] = (beat_seconds_B[1:] + beat_seconds_B[:-1]) / 2
    return half_H


def bar_at(bar_seconds: np.ndarray, time_seconds: float) -> float:
    """The bar at a time: 1.0 where bar 1 begins, 9.5 half way through bar 9.

    Before the first and after the last bar it is counted on in bars of the same length.

    Raises: SettingsError if there are no bars.
    """
    _check(bar_seconds)
    before = int(np.searchsorted(bar_seconds, time_seconds, "right")) - 1
    before = min(max(before, 0), len(bar_seconds) - 2)
    start, stop = bar_seconds[before], bar_seconds[before + 1]
    return float(1 + before + (time_seconds - start) / (stop - start))


def seconds_of_bar(bar_seconds: np.ndarray, bar: float) -> float:
    """When a bar begins, in seconds: the inverse of `bar_at`; 9.5 is half way through bar 9.

    Raises: SettingsError if there are no bars.
    """
    _check(bar_seconds)
    before = min(max(int(np.floor(bar)) - 1, 0), len(bar_seconds) - 2)
    start, stop = bar_seconds[before], bar_seconds[before + 1]
    return float(start + (bar - 1 - before) * (stop - start))


def _check(bar_seconds: np.ndarray) -> None:
    if len(bar_seconds) < 2:
        raise SettingsError("the song has no steady beat, so no bars: give times in seconds")


def _accents(half_H: np.ndarray, curves: SongCurves) -> np.ndarray:
    """What marks some half beats more than others, each of mean 0 and deviation 1: H x 4.

    What all beats have before half beats, or these before beats, is taken off.
    """
    columns = [
        _strength_at(half_H, curves.low_onset),
        _strength_at(half_H, curves.onset),
        _change(half_H, curves.pitch_GP, curves),
        _change(half_H, curves.level_GB, curves),
    ]
    accents_HF = np.stack(columns, axis=1)
    for first in (0, 1):
        accents_HF[first::2] -= accents_HF[first::2].mean(0)
    return accents_HF / (accents_HF.std(0) + 1e-9)


def _strength_at(half_H: np.ndarray, envelope: OnsetEnvelope) -> np.ndarray:
    sample_H = half_H * envelope.sample_rate_hz + envelope.window_samples / 4
    hop_H = np.round(sample_H / envelope.hop_samples).astype(np.int64) - 1
    last = len(envelope.strength_T) - 1
    near = [envelope.strength_T[(hop_H + step).clip(0, last)] for step in range(-3, 4)]
    return np.sqrt(np.max(near, axis=0))


def _change(half_H: np.ndarray, curve_GF: np.ndarray, curves: SongCurves) -> np.ndarray:
    """How far a curve's mean after each half beat is from that before it."""
    gap, reach, count = float(np.median(np.diff(half_H))), _REACH_HALVES, len(half_H)
    around = gap * np.arange(1, reach + 1)
    edges = np.concatenate([half_H[0] - around[::-1], half_H, half_H[-1] + around])
    before_HF = means_between(curve_GF, edges[:count], half_H, curves.moment_seconds)
    after_HF = means_between(curve_GF, half_H, edges[2 * reach :], curves.moment_seconds)
    return np.sqrt(np.square(after_HF - before_HF).sum(1))


def _explained(accents_HF: np.ndarray, halves_per_bar: int) -> np.ndarray:
    """How much of each accent's variance the place in such a bar explains, from 0 to 1: F.

    Of what being on or off the beat leaves, adjusted for chance, and within stretches of 48 beats,
    since the count may slip between them.
    """
    shares = []
    for start in range(0, max(1, len(accents_HF) - 47), 96):
        part_HF = accents_HF[start : start + 96]
        whole_F = _left_over(part_HF, 2) / max(1, len(part_HF) - 2)
        rest_F = _left_over(part_HF, halves_per_bar) / max(1, len(part_HF) - halves_per_bar)
        shares.append(1 - (rest_F + 1e-9) / (whole_F + 1e-9))
    return np.mean(shares, axis=0).clip(0)


def _left_over(accents_HF: np.ndarray, places: int) -> np.ndarray:
    """The sum of squares about the means of so many places, taken in turn: F."""
    left_F = np.zeros(accents_HF.shape[1])
    for place in range(min(places, len(accents_HF))):
        there_HF = accents_HF[place::places]
        left_F += np.square(there_HF - there_HF.mean(0)).sum(0)
    return left_F


def _count(evidence_H: np.ndarray, halves_per_bar: int) -> np.ndarray:
    """The place of each half beat in its bar, 0 for a downbeat: the best count of all (Viterbi)."""
    evidence_H = evidence_H.clip(-3, 3)
    places = np.arange(halves_per_bar)
    score_P = np.where(places == 0, evidence_H[0], 0.0)
    before_HP = np.zeros((len(evidence_H), halves_per_bar), dtype=np.int64)
    for half in range(1, len(evidence_H)):
        best = int(score_P.argmax())
        counted_P = np.roll(score_P, 1)
        anew = score_P[best] - _MISCOUNT_COST
        before_HP[half] = np.where(counted_P >= anew, np.roll(places, 1), best)
        score_P = np.maximum(counted_P, anew)
        score_P[0] += evidence_H[half]
    place_H = np.zeros(len(evidence_H), dtype=np.int64)
    place_H[-1] = int(score_P.argmax())
    for half in range(len(evidence_H) - 1, 0, -1):
        place_H[half - 1] = before_HP[half, place_H[half]]
    return place_H


def _over_the_song(
    downbeats: list[np.ndarray],
    beats: list[np.ndarray],
    beats_per_bar: int,
    curves: SongCurves,
) -> np.ndarray:
    """The downbeats of the stretches joined, and carried on to both ends of the song."""
    first_bar = beats_per_bar * float(np.median(np.diff(beats[0])[:16]))
    heard = np.flatnonzero(curves.loudness_db_G > _HEARD_DB)
    sound_start = float(heard[0] * curves.moment_seconds) if len(heard) else 0.0
    earliest = sound_start - _EARLY_BEATS * first_bar / beats_per_bar
    before = max(0, int(np.floor((downbeats[0][0] - earliest) / first_bar)))
    bars = [downbeats[0][0] - k * first_bar for k in range(before, 0, -1)]
    bar = first_bar
    for downbeat_D, beat_B in zip(downbeats, beats, strict=True):
        if bars and downbeat_D[0] - bars[-1] > 1.5 * bar:
            gap = downbeat_D[0] - bars[-1]
            steps = max(1, round(gap / bar))
            bars += [bars[-1] + gap * k / steps for k in range(1, steps)]
        # Two stretches meet somewhere within a bar.
        bars += [t for t in downbeat_D.tolist() if not bars or t - bars[-1] > 0.25 * bar]
        bar = beats_per_bar * float(np.median(np.diff(beat_B)[-16:]))
    after = max(0, int(np.ceil((float(curves.seconds) - bars[-1]) / bar)))
    last = bars[-1]
    bars += [last + k * bar for k in range(1, after + 1)]
    return np.maximum(np.array(bars), 0.0)
