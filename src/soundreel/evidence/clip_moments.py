"""What was made and what was true at the same moments of several clips, and when these are.

Shapes: V clips, T moments of a clip (T may differ from clip to clip), D numbers a moment: the
pixels of a small picture (32 x 32 x 3 in [-1, 1] makes D = 3072), or a few descriptors. S shifts,
B draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soundreel.evidence.following import slow_terms_for

#: Fewer moments of a clip say nothing about time: whoever calls leaves such clips out.
FEWEST_MOMENTS = 8
#: Moments at least so far apart count as unrelated (EVIDENCE B.3).
AWAY_SECONDS = 6.0
_ROUNDING_SECONDS = 1e-6


@dataclass(frozen=True, eq=False)
class ClipMoments:
    """V clips: what was made, what was true (T x D each), and when (T seconds, ascending)."""

    made: tuple[np.ndarray, ...]
    truth: tuple[np.ndarray, ...]
    times: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.truth)

    def slow_terms(self, clip: int) -> int:
        """How many cosines of a clip have periods of more than 30 s; gaps in time do not count."""
        time_T = self.times[clip]
        return slow_terms_for(len(time_T) * float(np.median(np.diff(time_T))))

    def made_for(self, other: int, clip: int) -> np.ndarray:
        """What was made from another clip's song at the same relative time: T x D of `clip`."""
        if other == clip:
            return self.made[other]
        count, of_other = len(self.truth[clip]), len(self.made[other])
        return self.made[other][np.arange(count) * of_other // count]


def clip_moments(
    made_by_clip: Sequence[np.ndarray],
    truth_by_clip: Sequence[np.ndarray],
    rate_hz: float | None = None,
    times_by_clip: Sequence[np.ndarray] | None = None,
) -> ClipMoments:
    """Arrays of V clips, checked.

    made_by_clip, truth_by_clip: T x D (or T) real numbers for each clip.
    rate_hz: moments a second, where they come without gaps; else times_by_clip: T seconds each.

    Raises: ValueError if the clips, moments or columns of the two differ, a clip has fewer than
    `FEWEST_MOMENTS`, a number is not finite, times do not ascend, or not just one of rate_hz and
    times_by_clip is given.
    """
    if (rate_hz is None) == (times_by_clip is None) or (rate_hz is not None and rate_hz <= 0):
        raise ValueError(f"rate_hz {rate_hz}: give a rate above 0 Hz, or the times of each clip")
    if len(made_by_clip) != len(truth_by_clip) or len(truth_by_clip) == 0:
        raise ValueError(
            f"{len(made_by_clip)} clips made and {len(truth_by_clip)} true: equally many, and at "
            "least one, are needed"
        )
    made, truth = (tuple(flat(x) for x in by_clip) for by_clip in (made_by_clip, truth_by_clip))
    for made_TD, truth_TD in zip(made, truth, strict=True):
        if made_TD.shape != truth_TD.shape or made_TD.shape[1] != made[0].shape[1]:
            raise ValueError(
                f"made {made_TD.shape}, true {truth_TD.shape}, the first clip's columns "
                f"{made[0].shape[1]}: the same shape, and as many columns in all clips, are needed"
            )
        if len(truth_TD) < FEWEST_MOMENTS:
            raise ValueError(f"a clip of {len(truth_TD)} moments: at least {FEWEST_MOMENTS}")
        if not (np.isfinite(made_TD).all() and np.isfinite(truth_TD).all()):
            raise ValueError("a clip holds values that are no numbers")
    if times_by_clip is None:
        assert rate_hz is not None
        times = tuple(np.arange(len(truth_TD)) / rate_hz for truth_TD in truth)
    else:
        times = tuple(np.asarray(time_T, np.float64) for time_T in times_by_clip)
    if [len(time_T) for time_T in times] != [len(truth_TD) for truth_TD in truth]:
        raise ValueError("each clip needs as many times as moments")
    if any((np.diff(time_T) <= 0).any() for time_T in times):
        raise ValueError("the times of a clip must ascend")
    return ClipMoments(made, truth, times)


def flat(x: np.ndarray) -> np.ndarray:
    """Pictures or curves as rows of numbers: T, T x D or T x H x W x 3 -> T x D."""
    x = np.asarray(x)
    return x.reshape(len(x), math.prod(x.shape[1:]))


def far_shifts(time_T: np.ndarray, away_seconds: float = AWAY_SECONDS) -> np.ndarray:
    """The shifts (in moments, k or k - T) that take every moment at least that far from itself.

    Moment i comes to lie where moment i - k was (mod T). None where a clip is shorter than about
    twice `away_seconds`.

    Shape: T seconds, ascending -> S, int64, ascending, within 1..T - 1.
    """
    count = len(time_T)
    first_far_T = np.searchsorted(time_T, time_T + away_seconds - _ROUNDING_SECONDS)
    # So many places on, everything is far enough; and as many are left to those that come round.
    enough = int((first_far_T - np.arange(count)).max())
    return np.arange(enough, count - enough + 1, dtype=np.int64)


def drawn_shifts(
    shifts_by_clip: Sequence[np.ndarray], draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Shifts for each clip, drawn uniformly and for each clip anew; 0 for a clip that has none.

    A clip without far shifts so stays as it was observed: that makes a p-value larger, never
    smaller.

    Shape: V arrays of S -> B x V, int64.
    """
    drawn_BV = np.zeros((draws, len(shifts_by_clip)), np.int64)
    for clip, shift_S in enumerate(shifts_by_clip):
        if len(shift_S):
            drawn_BV[:, clip] = shift_S[rng.integers(len(shift_S), size=draws)]
    return drawn_BV
