"""Fades and crossfades: exact blends of two pictures, or of one with black.

Blends are of the coded values, as editing programs do it: halfway looks half. In linear light
the brighter picture would win at once and a fade to black would hang until its last frames. The
share follows a smoothstep, 3 u^2 - 2 u^3, which starts and ends without a jerk.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from soundreel.timeline import frame_count

#: A blend's shares are whole multiples of 1/256, so that it is exact in 16 bits.
_SHARES = 256


def smoothstep(place: float) -> float:
    """0 at 0 and before, 1 at 1 and after, with no slope at either: 3 u^2 - 2 u^3."""
    u = min(max(float(place), 0.0), 1.0)
    return u * u * (3 - 2 * u)


def mix(a_HW3: np.ndarray, b_HW3: np.ndarray, share: float) -> np.ndarray:
    """A blend of two pictures: `a` at a share of 0, `b` at 1; both H x W x 3, uint8.

    The share is rounded to 1/256, the picture half up. At 0 and 1 it is the picture itself.

    Raises: ValueError if the sizes differ.
    """
    if a_HW3.shape != b_HW3.shape:
        raise ValueError(f"pictures of {a_HW3.shape} and {b_HW3.shape} cannot be mixed")
    of_b = _whole_share(share)
    if of_b in (0, _SHARES):
        return b_HW3 if of_b else a_HW3
    sum_HW3 = a_HW3 * np.uint16(_SHARES - of_b)
    sum_HW3 += b_HW3 * np.uint16(of_b)
    sum_HW3 += np.uint16(_SHARES // 2)
    return (sum_HW3 >> np.uint16(8)).astype(np.uint8)


def faded(frame_HW3: np.ndarray, gain: float) -> np.ndarray:
    """A picture between black (gain 0) and itself (1): H x W x 3, uint8."""
    of_frame = _whole_share(gain)
    if of_frame == _SHARES:
        return frame_HW3
    levels = (np.arange(256) * of_frame + _SHARES // 2) >> 8
    return np.take(levels.astype(np.uint8), frame_HW3)


def fade_gain(
    n: int,
    frames: int,
    fps: Fraction,
    in_seconds: Fraction = Fraction(0),
    out_seconds: Fraction = Fraction(0),
) -> float:
    """The gain of frame n of a film that fades in from black and out to it: 0 to 1.

    A fade in begins with a black frame, a fade out ends with one; 0 seconds is no fade. Where
    the two overlap in a short film the lower one counts.
    """
    fade_in, fade_out = frame_count(in_seconds, fps), frame_count(out_seconds, fps)
    gain_in = smoothstep(n / fade_in) if fade_in else 1.0
    gain_out = smoothstep((frames - 1 - n) / fade_out) if fade_out else 1.0
    return min(gain_in, gain_out)


def crossfade_share(n: int, first: int, stop: int) -> float:
    """The share of the second picture in frame n, where frames [first, stop) are blends.

    0 before `first`, 1 from `stop` on; with no frames between them a cut.
    """
    return smoothstep((n - first + 1) / (stop - first + 1))


def _whole_share(share: float) -> int:
    return int(min(max(float(share), 0.0), 1.0) * _SHARES + 0.5)
