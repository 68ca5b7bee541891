"""A song's beats as a scale to count on: from a time to its beat and back, everywhere in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Fewer are no steady beat.
_FEWEST_BEATS = 4
#: How many distances between beats around one tell what the beat is there.
_AROUND = 9
#: A bar begins on the beat that lies within this share of a beat.
_BAR_BEATS = 0.25


@dataclass(frozen=True)
class BeatCount:
    """Beats numbered 0, 1, ... from the first one that was heard, and carried on.

    seconds_B: float64, ascending, where each of them is. Where the song has none for a while
        (a break, two stretches of a medley), as many are counted as fit.
    heard_B: bool, whether the stretch from each beat to the next is one that was heard.
    Before the first and after the last one, counting goes on as fast as it does there.
    """

    seconds_B: np.ndarray
    heard_B: np.ndarray
    first_period_seconds: float
    last_period_seconds: float

    def number_at(self, time_seconds: np.ndarray | float) -> np.ndarray:
        """The beat at a time: 3.0 on beat 3, 3.5 half way to the next; any shape, float64."""
        time = np.asarray(time_seconds, np.float64)
        first, last = self.seconds_B[0], self.seconds_B[-1]
        before = np.searchsorted(self.seconds_B, time, "right") - 1
        before = np.clip(before, 0, len(self.seconds_B) - 2)
        start, stop = self.seconds_B[before], self.seconds_B[before + 1]
        number = before + ((time - start) / (stop - start)).clip(0, 1)
        number = number + np.minimum(time - first, 0) / self.first_period_seconds
        return number + np.maximum(time - last, 0) / self.last_period_seconds

    def seconds_at(self, number: np.ndarray | float) -> np.ndarray:
        """When a beat is, in seconds: the inverse of `number_at`."""
        number = np.asarray(number, np.float64)
        last = len(self.seconds_B) - 1
        before = np.floor(number).astype(np.int64).clip(0, last - 1)
        start, stop = self.seconds_B[before], self.seconds_B[before + 1]
        seconds = start + (number - before).clip(0, 1) * (stop - start)
        seconds = seconds + np.minimum(number, 0) * self.first_period_seconds
        return seconds + np.maximum(number - last, 0) * self.last_period_seconds

    def period_at(self, time_seconds: np.ndarray | float) -> np.ndarray:
        """How long the beat at a time lasts, in seconds."""
        whole = np.floor(self.number_at(time_seconds))
        return self.seconds_at(whole + 1) - self.seconds_at(whole)

    def is_heard(self, time_seconds: np.ndarray) -> np.ndarray:
        """Whether the times lie between two beats that were heard (or within half of one)."""
        number = self.number_at(time_seconds)
        last = len(self.heard_B) - 1
        inside = (number >= -0.5) & (number <= last + 1.5)
        return inside & self.heard_B[np.floor(number).astype(np.int64).clip(0, last)]

    def beats_of(self, bar_seconds: Sequence[float] | np.ndarray) -> np.ndarray:
        """The numbers of the beats that bars begin on, int64, ascending; other bars are left out.

        A bar may begin on a beat that is only carried on.
        """
        number = self.number_at(np.asarray(bar_seconds, np.float64))
        nearest = np.rint(number)
        return np.unique(nearest[np.abs(number - nearest) <= _BAR_BEATS].astype(np.int64))


def count_beats(beat_seconds: Sequence[float] | np.ndarray) -> BeatCount | None:
    """The beats of a song, numbered; None where there are too few (under 4) to count on.

    Raises: ValueError if they are not finite or do not ascend.
    """
    beats = np.asarray(beat_seconds, np.float64).ravel()
    if not np.isfinite(beats).all() or (np.diff(beats) <= 0).any():
        raise ValueError("beats must be finite times that ascend")
    if len(beats) < _FEWEST_BEATS:
        return None
    gap = np.diff(beats)
    reach = _AROUND // 2
    padded = np.pad(gap, reach, mode="edge")
    period = np.median(np.lib.stride_tricks.sliding_window_view(padded, _AROUND), axis=1)
    fits = np.maximum(1, np.rint(gap / period)).astype(np.int64)
    number = np.concatenate([[0], np.cumsum(fits)])
    return BeatCount(
        seconds_B=np.interp(np.arange(number[-1] + 1), number, beats),
        heard_B=np.repeat(fits == 1, fits),
        first_period_seconds=float(np.median(gap[:_AROUND])),
        last_period_seconds=float(np.median(gap[-_AROUND:])),
    )
