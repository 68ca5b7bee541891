"""Shifts of a stream against another of the same clip: the null that keeps a clip's own nature."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from soundreel.timeline import exact_seconds, frame_count


def far_shifts(
    count: int, rate_hz: Fraction | float, away_seconds: Fraction | float = 6
) -> np.ndarray:
    """Shifts of a clip's curve by at least that time either way, in samples: k means k or k - T.

    In a clip too short for the distance: the shifts nearest to half its length.

    Shape: -> S, int64, each from 1 to count - 1.

    Raises: ValueError if there are fewer than 2 samples.
    """
    if count < 2:
        raise ValueError(f"{count} samples cannot be shifted: at least 2 are needed")
    least = min(least_samples(rate_hz, away_seconds), count // 2)
    return np.arange(least, count - least + 1)


def least_samples(rate_hz: Fraction | float, away_seconds: Fraction | float) -> int:
    """The fewest samples that last at least that time; 1 or more."""
    return max(1, frame_count(exact_seconds(away_seconds), Fraction(rate_hz)))


def every_seconds(rate_hz: Fraction | float) -> float:
    """From one sample to the next.

    Raises: ValueError if the rate is not a positive number.
    """
    if not 0 < rate_hz < np.inf:
        raise ValueError(f"rate_hz = {rate_hz}: a positive number is needed")
    return float(1 / Fraction(rate_hz))
