"""The stretches of a song between its cuts, in frames of the film; each shows one piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.timeline import exact_seconds, frame_count, frame_shown_at, frame_time

#: What is shown for less than this is a flicker, not a shot.
_LEAST_SECONDS = Fraction(1, 5)
#: A stretch should find at least so many shots that are long enough for it, ...
_CHOICE = 4
#: ... but is not cut again into pieces shorter than this for it.
_LEAST_SPLIT_SECONDS = Fraction(4, 5)
#: A stretch is cut again on a beat if one lies this near its middle, as a share of its length.
_NEAR_MIDDLE = 0.25


@dataclass(frozen=True)
class Stretch:
    """Frames [first, stop) of the film, which begins at start_seconds of the song."""

    first: int
    stop: int
    start_seconds: Fraction
    fps: Fraction

    @property
    def from_seconds(self) -> Fraction:
        """When its first frame is shown, in seconds of the song."""
        return self.start_seconds + frame_time(self.first, self.fps)

    @property
    def to_seconds(self) -> Fraction:
        """When the next stretch begins, in seconds of the song."""
        return self.start_seconds + frame_time(self.stop, self.fps)

    @property
    def seconds(self) -> Fraction:
        """How long it is."""
        return frame_time(self.stop - self.first, self.fps)


def stretches_of(
    cut_seconds: np.ndarray, start_seconds: Fraction, frames: int, fps: Fraction
) -> list[Stretch]:
    """The stretches between cuts (seconds of the song), each cut at the frame nearest to it.

    Cuts outside the film, or nearer than a fifth of a second to the one before or to the end, are
    left out.
    """
    least = max(1, frame_count(_LEAST_SECONDS, fps))
    edges = [0]
    for cut in sorted(float(one) for one in cut_seconds):
        frame = _frame_at(cut, start_seconds, fps)
        if edges[-1] + least <= frame <= frames - least:
            edges.append(frame)
    stops = [*edges[1:], frames]
    return [Stretch(a, b, start_seconds, fps) for a, b in zip(edges, stops, strict=True)]


def cut_again(
    stretches: Sequence[Stretch], shot_seconds: Sequence[Fraction], beat_seconds: np.ndarray
) -> list[Stretch]:
    """The stretches, those that are longer than nearly all shots cut again.

    shot_seconds: how long the shots are that may be chosen.

    A shot that is too short for its stretch could be slowed down, repeated or played to and fro;
    another cut, on the beat nearest the middle, is the one thing of these that films do all the
    time. A lone shot has nothing to cut to, and very short ones would only flicker: there
    stretches stay as they are.
    """
    longest = sorted(shot_seconds, reverse=True)[:_CHOICE]
    while len(longest) > 1 and longest[-1] < _LEAST_SPLIT_SECONDS:
        longest.pop()
    if len(longest) < 2:
        return list(stretches)
    done: list[Stretch] = []
    waiting = list(reversed(stretches))
    while waiting:
        one = waiting.pop()
        if one.seconds <= longest[-1] or one.seconds < 2 * _LEAST_SPLIT_SECONDS:
            done.append(one)
            continue
        middle = _middle(one, beat_seconds)
        waiting.append(Stretch(middle, one.stop, one.start_seconds, one.fps))
        waiting.append(Stretch(one.first, middle, one.start_seconds, one.fps))
    return done


def _middle(one: Stretch, beat_seconds: np.ndarray) -> int:
    half = (one.first + one.stop) // 2
    at = float(one.start_seconds + frame_time(half, one.fps))
    if len(beat_seconds):
        beat = float(beat_seconds[np.abs(beat_seconds - at).argmin()])
        if abs(beat - at) <= _NEAR_MIDDLE * float(one.seconds):
            half = _frame_at(beat, one.start_seconds, one.fps)
    return min(max(half, one.first + 1), one.stop - 1)


def _frame_at(seconds: float, start_seconds: Fraction, fps: Fraction) -> int:
    """The frame of the film that begins nearest to a time of the song."""
    since = exact_seconds(max(0.0, seconds)) - start_seconds
    return frame_shown_at(since + 1 / (2 * fps), fps)
