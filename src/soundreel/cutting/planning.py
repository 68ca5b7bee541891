"""A plan of cuts for a new song, as a director with learnt habits would cut it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soundreel.cutting.counting import BeatCount, count_beats
from soundreel.cutting.habits import CuttingHabits
from soundreel.evidence.cuts import SHORTEST_SHOT_SECONDS
from soundreel.seeding import numpy_generator_for

_SHORTEST = float(SHORTEST_SHOT_SECONDS)
#: A cut put on a beat goes to a section's beginning that is so near.
_NEAR_SECTION_BEATS = 1.0


def plan_cuts(
    habits: CuttingHabits,
    beat_seconds: Sequence[float] | np.ndarray,
    bar_seconds: Sequence[float] | np.ndarray,
    start_seconds: float,
    stop_seconds: float,
    seed: int,
    section_seconds: Sequence[float] | np.ndarray = (),
) -> np.ndarray:
    """When to cut: seconds of the song, float64, ascending, all within (start, stop).

    beat_seconds, bar_seconds, section_seconds: of the whole song, ascending; any may be empty.

    A shot is drawn after the other from the song's beginning, so the plan of a span is that of
    the whole song, cut to it. Lengths follow the learnt ones, in beats where song and habits have
    beats, else in seconds. The learnt share of cuts is put on the beat that is nearest to where
    the drawn shot ends, at a learnt lag from it, and on the nearest bar's as often as it takes to
    have the learnt share of downbeats (a beat begins a bar by chance, too; a share below that is
    taken for chance). The others fall anywhere in the beat: after a cut on a beat, at a random
    place in it nearest to where the shot ends, so that lengths of whole beats do not keep them on
    it. A cut put on a beat that is within one beat of where a section begins goes there.

    Shots last at least 0.1 s; where that, or the next beat to cut on, makes a shot longer than
    it was drawn, the next ones are so much shorter.

    Raises: ValueError if times are not finite or do not ascend, or the span is none.
    """
    if not 0 <= start_seconds <= stop_seconds < np.inf:
        raise ValueError(f"from {start_seconds} to {stop_seconds} s: a span is from 0 on, forwards")
    for name, times in (("bars", bar_seconds), ("sections", section_seconds)):
        times = np.asarray(times, np.float64).ravel()
        if not np.isfinite(times).all() or (np.diff(times) < 0).any():
            raise ValueError(f"{name} must be finite times that ascend")
    beats = count_beats(beat_seconds)
    if not habits.shot_seconds:
        return np.empty(0)
    rng = numpy_generator_for(seed, "cuts")
    if beats is None or habits.shot_beats is None:
        cuts = _in_seconds(habits, stop_seconds, rng)
    else:
        score = _score(habits, beats, bar_seconds, section_seconds)
        cuts = _in_beats(habits, score, stop_seconds, rng)
    cuts = np.array(cuts, np.float64)
    return cuts[(cuts > start_seconds) & (cuts < stop_seconds)]


def _in_seconds(habits: CuttingHabits, stop: float, rng: np.random.Generator) -> list[float]:
    cuts, seconds = [], 0.0
    while True:
        seconds += max(_SHORTEST, _drawn(habits.shot_seconds, rng.random()))
        if seconds >= stop:
            return cuts
        cuts.append(seconds)


def _drawn(quantiles: Sequence[float], share: float) -> float:
    """One value of a distribution given by quantiles that are even from 0 to 1."""
    place = share * (len(quantiles) - 1)
    below = min(int(place), len(quantiles) - 2)
    if below < 0:
        return quantiles[0]
    return quantiles[below] + (place - below) * (quantiles[below + 1] - quantiles[below])


@dataclass(frozen=True)
class _Score:
    """The song to cut to: its beats, the numbers of those that begin bars and sections.

    to_bars: how often a cut put on a beat takes the nearest bar's instead of the nearest one.
    """

    beats: BeatCount
    bar_beats: np.ndarray
    section_beats: np.ndarray
    to_bars: float


def _score(
    habits: CuttingHabits,
    beats: BeatCount,
    bar_seconds: Sequence[float] | np.ndarray,
    section_seconds: Sequence[float] | np.ndarray,
) -> _Score:
    bar_beats = beats.beats_of(bar_seconds)
    sections = np.asarray(section_seconds, np.float64).ravel()
    to_bars = 0.0
    if habits.downbeat_share is not None and len(bar_beats) > 1:
        by_chance = min(1.0, 1 / float(np.median(np.diff(bar_beats))))
        if by_chance < 1:
            to_bars = max(0.0, (habits.downbeat_share - by_chance) / (1 - by_chance))
    # The first section begins with the film.
    section_beats = np.unique(np.rint(beats.number_at(sections[sections > 0])).astype(np.int64))
    return _Score(beats, bar_beats, section_beats, to_bars)


def _in_beats(
    habits: CuttingHabits, score: _Score, stop: float, rng: np.random.Generator
) -> list[float]:
    assert habits.shot_beats is not None
    beats = score.beats
    cuts: list[float] = []
    seconds, number = 0.0, float(beats.number_at(0.0))
    on_beat, owed = True, 0.0
    while True:
        # As many draws for each cut, whatever becomes of it.
        of_length, of_share, of_place, of_lag, of_bar = rng.random(5).tolist()
        length = _drawn(habits.shot_beats, of_length)
        repaid = min(owed, length)
        owed -= repaid
        target = number + length - repaid
        earliest = float(beats.number_at(seconds + _SHORTEST))
        put_on_beat = of_share < (habits.on_beat_share or 0.0)
        if put_on_beat:
            lag = _drawn(habits.lag_seconds, of_lag) if habits.lag_seconds else 0.0
            period = float(beats.period_at(float(beats.seconds_at(target))))
            beat, wanted = _beat_for(
                score, target - lag / period, earliest - lag / period, of_bar < score.to_bars
            )
            while float(beats.seconds_at(beat)) + lag < seconds + _SHORTEST:  # where tempo drifts
                beat += 1
            owed += beat - wanted
            next_seconds = float(beats.seconds_at(beat)) + lag
        else:
            wanted = of_place + round(target - of_place) if on_beat else target
            later = math.ceil(max(0.0, earliest - wanted)) if on_beat else earliest - wanted
            owed += max(0.0, later)
            next_seconds = float(beats.seconds_at(wanted + max(0.0, later)))
        if next_seconds >= stop:
            return cuts
        cuts.append(next_seconds)
        seconds, number, on_beat = next_seconds, float(beats.number_at(next_seconds)), put_on_beat


def _beat_for(score: _Score, aim: float, earliest: float, on_bar: bool) -> tuple[int, int]:
    """The beat to cut on, not before `earliest`, and the one nearest to the aim if it is another.

    All in beats of the song's count. They differ where the nearest is too early.
    """
    nearest = round(aim)
    if on_bar:
        bars = score.bar_beats
        possible = bars[bars >= earliest]
        if len(possible):
            beat = int(possible[np.abs(possible - aim).argmin()])
            return beat, int(bars[np.abs(bars - aim).argmin()])
    beat = max(nearest, math.ceil(earliest))
    begins = score.section_beats[np.abs(score.section_beats - beat) <= _NEAR_SECTION_BEATS]
    begins = begins[begins >= earliest]
    if len(begins):
        section = int(begins[np.abs(begins - beat).argmin()])
        return section, section - max(0, beat - nearest)
    return beat, nearest
