"""Does what a model makes of a song go with that song's own frames, beyond chance? (EVIDENCE D.2)

Two nulls, both required. Songs swapped between clips: what all songs share (a fade, how a film
begins) is no use. Shifts within a clip by at least 6 s: what a clip shows all along is no use.

Shapes: V clips, T moments, D numbers a moment (see `clip_moments`), B draws; u: the clip whose
song was heard, v: the clip whose frames are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soundreel.evidence.clip_moments import (
    AWAY_SECONDS,
    clip_moments,
    drawn_shifts,
    far_shifts,
)
from soundreel.evidence.nulls import (
    Z_90,
    Z_95,
    Z_POWER,
    permutation_p,
    uniform_permutations,
)
from soundreel.evidence.song_scores import own_scores_by_shift, score_matrices
from soundreel.seeding import numpy_generator_for

#: Normal quantile of .9: equivalence is found with a power of .8 where there is no effect at all
#: and the interval has delta on both sides of it.
_Z_EQUIVALENCE = 1.281552


@dataclass(frozen=True, eq=False)
class Usefulness:
    """How much better the outputs go with their own clips' frames than with others'.

    score_VV: [u, v], in [-1, 1]: what was made from song u, against the frames of clip v.
    effect: mean diagonal minus mean off-diagonal, in score units; 0 is chance.
    sd: standard deviation of the swap null.
    p_swap, p_shift: one-sided. p_shift is 1 where no clip is long enough to shift.
    swap_null_B: the effect under uniform permutations of the songs.
    shift_null_B: the effect with what was made moved within each clip by 6 s or more.
    shifted_clips: how many of the clips are long enough for that.
    effect_with_drift, p_swap_with_drift: exploratory: the same with slow drifts left in, where
    only the swap null means something.
    """

    score_VV: np.ndarray
    effect: float
    sd: float
    p_swap: float
    p_shift: float
    swap_null_B: np.ndarray
    shift_null_B: np.ndarray
    shifted_clips: int
    effect_with_drift: float
    p_swap_with_drift: float

    @property
    def clips(self) -> int:
        """How many clips, V."""
        return len(self.score_VV)

    @property
    def p(self) -> float:
        """The larger of the two: both nulls are required (intersection-union)."""
        return max(self.p_swap, self.p_shift)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% confidence interval of the effect."""
        return self.effect - Z_95 * self.sd, self.effect + Z_95 * self.sd

    @property
    def interval_90(self) -> tuple[float, float]:
        """The 90% confidence interval: within +-delta, there is no effect that matters (TOST)."""
        return self.effect - Z_90 * self.sd, self.effect + Z_90 * self.sd

    @property
    def mde80(self) -> float:
        """The smallest effect that would have been found four times out of five."""
        return Z_POWER * self.sd

    def clips_needed(self, delta: float) -> int:
        """About how many clips like these would tell an effect of delta from none, either way.

        So many that an effect of delta is found, and that none is shown to be within +-delta,
        each with a power of .8; the null's spread is taken to shrink with the root of V.

        Raises: ValueError unless delta is positive.
        """
        if delta <= 0:
            raise ValueError(f"delta {delta}: an effect above 0 is needed")
        return max(1, math.ceil(self.clips * ((Z_90 + _Z_EQUIVALENCE) * self.sd / delta) ** 2))


def usefulness(
    made_by_clip: Sequence[np.ndarray],
    truth_by_clip: Sequence[np.ndarray],
    rate_hz: float | None = None,
    *,
    times_by_clip: Sequence[np.ndarray] | None = None,
    each_column: bool = False,
    away_seconds: float = AWAY_SECONDS,
    draws: int = 1_999,
    seed: int = 0,
) -> Usefulness:
    """Whether what was made from each clip's song goes with the frames of that clip.

    made_by_clip, truth_by_clip, rate_hz, times_by_clip: as in `clip_moments`.
    each_column: False: one correlation over all pixels, so those that change most count most.
      True: the mean of the columns' own correlations, for curves of different units.
    away_seconds: how far outputs are moved within a clip at least.

    A score is the sum over moments of the inner products of the two, each without its clip's mean
    picture (a look alone does not count) and without its drift (periods over 30 s), over the
    product of their lengths. Another song's outputs are taken at the same relative time. What
    does not vary scores 0.

    Raises: ValueError as `clip_moments`; if there are fewer than two clips, or no draws.
    """
    clips = clip_moments(made_by_clip, truth_by_clip, rate_hz, times_by_clip)
    if len(clips) < 2 or draws < 1:
        raise ValueError(
            f"{len(clips)} clips and {draws} draws: at least 2 clips, whose songs can be swapped, "
            "and 1 draw are needed"
        )
    score_VV, drifting_VV = score_matrices(clips, each_column)
    permutation_BV = uniform_permutations(
        len(clips), draws, numpy_generator_for(seed, "usefulness swap")
    )
    own_1V = np.arange(len(clips))[None]
    effect = float(_effects(score_VV, own_1V)[0])
    swap_null_B = _effects(score_VV, permutation_BV)
    drifting = float(_effects(drifting_VV, own_1V)[0])

    shifts = [far_shifts(time_T, away_seconds) for time_T in clips.times]
    shift_BV = drawn_shifts(shifts, draws, numpy_generator_for(seed, "usefulness shift"))
    own_by_shift = [
        own_scores_by_shift(clips, clip, each_column) if len(shift_S) else score_VV[clip, [clip]]
        for clip, shift_S in enumerate(shifts)
    ]
    shifted_BV = np.stack([own_by_shift[v][shift_BV[:, v]] for v in range(len(clips))], axis=1)
    # What others' songs score is not touched by moving the own ones.
    others = float(np.diag(score_VV).mean()) - effect
    shift_null_B = shifted_BV.mean(axis=1) - others
    return Usefulness(
        score_VV=score_VV,
        effect=effect,
        sd=float(swap_null_B.std()),
        p_swap=permutation_p(effect, swap_null_B),
        p_shift=permutation_p(effect, shift_null_B),
        swap_null_B=swap_null_B,
        shift_null_B=shift_null_B,
        shifted_clips=sum(len(shift_S) > 0 for shift_S in shifts),
        effect_with_drift=drifting,
        p_swap_with_drift=permutation_p(drifting, _effects(drifting_VV, permutation_BV)),
    )


def _effects(score_VV: np.ndarray, permutation_BV: np.ndarray) -> np.ndarray:
    """Mean score of the paired minus that of all the others, for pairings of songs to clips; B."""
    count = len(score_VV)
    paired_B = score_VV[permutation_BV, np.arange(count)].sum(axis=1)
    others_B = score_VV.sum() - paired_B
    return paired_B / count - others_B / (count * (count - 1))
