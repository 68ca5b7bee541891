"""Seconds, frames, samples and hops: the only place in the project that rounds.

Times are exact fractions of a second (`fractions.Fraction`), so nothing drifts:
frame 324,000 of a three-hour film at 30000/1001 fps is as exact as frame 0.

- Frame n of a film at `fps` is shown from n / fps until (n + 1) / fps (half open).
- Sample n of a sound at `sample_rate_hz` is taken at n / sample_rate_hz.
- "The samples before t" are those taken at a time strictly less than t.
"""

from __future__ import annotations

import math
from fractions import Fraction

from soundreel.errors import SettingsError

#: What people write for the NTSC rates, and what they mean (SMPTE: 1000/1001 of the whole rate).
_NTSC_WHOLE_RATES = (24, 30, 48, 60, 120)


def exact_seconds(value: Fraction | int | float | str) -> Fraction:
    """An exact time from what a person or a file may write.

    Accepts 90, 1.5, "1.5", "3/2", "1:30" and "0:01:30.5". A float is taken as its
    shortest decimal form (0.1 is 1/10), because that is what the person typed.

    Raises: SettingsError if it is not a finite time of at least 0.
    """
    seconds = _parse_seconds(value)
    if seconds is None or seconds < 0:
        raise SettingsError(f"{value!r} is not a time: write seconds (90, 1.5, 3/2) or 1:30")
    return seconds


def _parse_seconds(value: Fraction | int | float | str) -> Fraction | None:
    try:
        if isinstance(value, Fraction | int):
            return Fraction(value)
        if isinstance(value, float):
            return Fraction(repr(value))
        total = Fraction(0)
        for part in value.strip().split(":"):
            total = total * 60 + Fraction(part)
        return total
    except (ValueError, ZeroDivisionError):
        return None


def frame_rate(value: Fraction | int | float | str) -> Fraction:
    """An exact frame rate from what a person or a file may write, in frames a second.

    "24000/1001", 25 and "12.5" are taken as they are; decimals within 0.002 of an NTSC rate
    (23.976, 29.97, 59.94, 119.88) mean that rate exactly.

    Raises: SettingsError if it is not a rate from 1/10 to 1000.
    """
    rate = _parse_seconds(value) if not (isinstance(value, str) and ":" in value) else None
    if rate is None or not Fraction(1, 10) <= rate <= 1000:
        raise SettingsError(
            f"{value!r} is not a frame rate: write 25, 23.976 or 30000/1001 (0.1 to 1000)"
        )
    if rate.denominator != 1:
        for whole in _NTSC_WHOLE_RATES:
            ntsc = Fraction(whole * 1000, 1001)
            if abs(rate - ntsc) < Fraction(2, 1000):
                return ntsc
    return rate


def frame_time(index: int, fps: Fraction) -> Fraction:
    """When frame `index` of a film at `fps` begins to be shown, in seconds."""
    return index / fps


def frame_shown_at(time_seconds: Fraction, fps: Fraction) -> int:
    """The frame on the screen at a time: the last one whose own time is not after it."""
    return math.floor(time_seconds * fps)


def nearest_frame(time_seconds: Fraction, fps: Fraction) -> int:
    """The frame whose time is nearest: of a frame's time that was rounded to a float, itself."""
    return int(time_seconds * fps + Fraction(1, 2))


def frame_count(duration_seconds: Fraction, fps: Fraction) -> int:
    """How many frames begin within [0, duration): a film of them covers the duration.

    The film is then longer than the duration by less than one frame.
    """
    return math.ceil(duration_seconds * fps)


def samples_before(time_seconds: Fraction, sample_rate_hz: int) -> int:
    """How many samples are taken before a time: the exclusive end of the window at that time.

    The window at t is samples [samples_before(t) - window_samples, samples_before(t)): the
    last `window_samples` samples taken strictly before t.
    """
    return math.ceil(time_seconds * sample_rate_hz)


def sample_time(index: int, sample_rate_hz: int) -> Fraction:
    """When sample `index` is taken, in seconds."""
    return Fraction(index, sample_rate_hz)


def nearest_sample(time_seconds: Fraction, sample_rate_hz: int) -> int:
    """The sample taken nearest to a time (the later one of a tie)."""
    return math.floor(time_seconds * sample_rate_hz + Fraction(1, 2))


def grid_count(start_seconds: Fraction, stop_seconds: Fraction, every_seconds: Fraction) -> int:
    """How many grid times start + k * every (k = 0, 1, ...) lie in [start, stop).

    Raises: SettingsError if `every_seconds` is not positive.
    """
    if every_seconds <= 0:
        raise SettingsError(f"every = {every_seconds} s: the step must be more than 0 seconds")
    return max(0, math.ceil((stop_seconds - start_seconds) / every_seconds))


def grid_time(index: int, start_seconds: Fraction, every_seconds: Fraction) -> Fraction:
    """The grid's time number `index`, in seconds: exact, however large the index."""
    return start_seconds + index * every_seconds


def milliseconds(time_seconds: Fraction) -> int:
    """A time in whole milliseconds, rounded half up: for file names and people, not for sums."""
    return math.floor(time_seconds * 1000 + Fraction(1, 2))


def hops_per_step(step_seconds: Fraction, sample_rate_hz: int, hop_samples: int) -> int | None:
    """How many hops make one step of a grid, or None if it is not a whole number.

    Where it is whole, one STFT of the whole sound holds every window of the grid as a slice.
    """
    hops = step_seconds * sample_rate_hz / hop_samples
    return int(hops) if hops.denominator == 1 and hops >= 1 else None


def clock(time_seconds: Fraction | float) -> str:
    """A time for people: 0:07, 3:25, 1:02:03 (rounded down to the second)."""
    whole = math.floor(time_seconds)
    hours, minutes, seconds = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
