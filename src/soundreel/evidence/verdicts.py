"""From an effect, its interval and its p-value to a word; and how much more would be needed.

Source: the protocol of docs/evidence.md; equivalence by two one-sided tests (Schuirmann 1987).
"""

from __future__ import annotations

import math
from typing import Literal

from soundreel.evidence.nulls import Z_90, Z_95, Z_POWER

Verdict = Literal["YES", "NEGLIGIBLE", "NO", "UNDECIDED", "INVALID"]


def interval(effect: float, null_sd: float) -> tuple[float, float]:
    """The 95% interval of an effect: effect -+ 1.96 standard deviations of its null."""
    return effect - Z_95 * null_sd, effect + Z_95 * null_sd


def is_equivalent(effect: float, null_sd: float, delta: float) -> bool:
    """Whether the effect is shown to be smaller than delta either way, at a level of .05.

    Two one-sided tests: the 90% interval lies inside -delta..delta.
    """
    return abs(effect) + Z_90 * null_sd < delta


def detectable(null_sd: float) -> float:
    """MDE80: the effect that a one-sided test at .05 finds four times out of five."""
    return Z_POWER * null_sd


def verdict_of(
    effect: float, null_sd: float, p_value: float, delta: float, alpha: float = 0.05
) -> Verdict:
    """YES, NEGLIGIBLE, NO or UNDECIDED; INVALID is for the caller, who knows of leaks.

    YES: p at most alpha and the 95% interval above 0; NEGLIGIBLE: that, and the effect is shown
    to be smaller than delta; NO: p above alpha, and shown to be smaller than delta; else
    UNDECIDED.
    """
    found = p_value <= alpha and interval(effect, null_sd)[0] > 0
    small = is_equivalent(effect, null_sd, delta)
    if found:
        return "NEGLIGIBLE" if small else "YES"
    return "NO" if small and p_value > alpha else "UNDECIDED"


def videos_needed(videos: int, null_sd: float, effect: float) -> int:
    """About how many videos like these would show this effect four times out of five.

    The null's spread falls with the square root of the number of videos; that more videos also
    teach the fit better is left out, so that it is rather too many than too few. At least 2.

    Raises: ValueError if the effect is not above 0.
    """
    if effect <= 0:
        raise ValueError(f"effect = {effect}: no number of videos shows an effect that is not > 0")
    return max(2, math.ceil(videos * (detectable(null_sd) / effect) ** 2))
