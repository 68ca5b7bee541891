"""Is what was made for a moment nearer to its own frame than to one of another moment? (EVIDENCE D)

Two-alternative forced choice, over all pairs of moments of a clip that lie far enough apart.

Shapes: V clips, T moments, D numbers a moment (see `clip_moments`), B draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soundreel.evidence.clip_moments import (
    AWAY_SECONDS,
    clip_moments,
    drawn_shifts,
    far_shifts,
)
from soundreel.evidence.following import without_drift
from soundreel.evidence.nulls import permutation_p, uniform_permutations
from soundreel.seeding import numpy_generator_for

_ROUNDING_SECONDS = 1e-6
#: Distances are kept to this many decimals of the largest, so that frames that are the same
#: (a picture that stands still) tie whatever the rounding.
_DECIMALS = 10
#: Moved by no more than so many times the distance of moments that lie far apart.
_FARTHEST = 4
#: Distances that are held at once: about 32 MB of them.
_NUMBERS_AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False)
class TwoAfc:
    """How often what was made is nearer to its own frame; .5 is chance, and 1 always.

    rate: the mean over clips of the rate over all pairs of moments of a clip.
    low, high: 95% interval, percentiles over samples of the clips (0 and 1 of a single clip).
    rate_VV: [u, v]: with what was made from song u for clip v; without clips that are too short.
    p_swap, p_shift: one-sided; p_swap is 1 of a single clip, p_shift where none can be shifted.
    swap_null_B: the rate under uniform permutations of the songs.
    shift_null_B: the rate with what was made moved within each clip, by as much as moments must lie
      apart to four times that, over the moments that then have both.
    """

    rate: float
    low: float
    high: float
    rate_VV: np.ndarray
    p_swap: float
    p_shift: float
    swap_null_B: np.ndarray
    shift_null_B: np.ndarray

    @property
    def p(self) -> float:
        """The larger of the two: both nulls are required (intersection-union)."""
        return max(self.p_swap, self.p_shift)


def two_afc(
    made_by_clip: Sequence[np.ndarray],
    truth_by_clip: Sequence[np.ndarray],
    rate_hz: float | None = None,
    away_seconds: float = AWAY_SECONDS,
    *,
    times_by_clip: Sequence[np.ndarray] | None = None,
    draws: int = 1_999,
    seed: int = 0,
) -> TwoAfc | None:
    """How often made(t) is nearer to true(t) than to true(t'), over all |t - t'| >= away_seconds.

    made_by_clip, truth_by_clip, rate_hz, times_by_clip: as in `clip_moments`. Nearer: the smaller
    root-mean-square difference, once each has lost its clip's mean picture and its drift (periods
    over 30 s): nobody can know the look of a clip that was never seen, and being off by it would
    drown the rest. A tie counts one half, so outputs that do not vary score .5.

    Shifts alone do not do as a null: in 200 simulated corpora without coupling each, p <= .05 came
    out in .59 where all clips share a fade, and in .15 of AR(1) curves (phi .8). So both nulls are
    required: .06 at most then. Of 400 corpora that pulse at their song's tempo, each clip at a
    phase of its own, .08 were significant: swaps are no help there (.29).

    None where no clip holds two moments so far apart; such clips are left out.

    Raises: ValueError as `clip_moments`; if there are no draws.
    """
    clips = clip_moments(made_by_clip, truth_by_clip, rate_hz, times_by_clip)
    if draws < 1:
        raise ValueError(f"{draws} draws: at least 1 is needed")
    used = [
        clip
        for clip, time_T in enumerate(clips.times)
        if time_T[-1] - time_T[0] >= away_seconds - _ROUNDING_SECONDS
    ]
    if not used:
        return None
    count = len(used)
    rate_VV, by_shift = np.empty((count, count)), []
    for column, v in enumerate(used):
        truth_TD, time_T = without_drift(clips.truth[v], clips.slow_terms(v)), clips.times[v]
        for row, u in enumerate(used):
            made_TD = without_drift(clips.made_for(u, v), clips.slow_terms(v))
            if u == v:
                by_shift.append(rates_by_shift(made_TD, truth_TD, time_T, away_seconds))
                rate_VV[row, column] = by_shift[-1][0]
            else:
                rate_VV[row, column] = rate_of(made_TD, truth_TD, time_T, away_seconds)
    own_V = np.arange(count)
    rate = float(np.diag(rate_VV).mean())
    permutation_BV = uniform_permutations(count, draws, numpy_generator_for(seed, "2AFC swap"))
    swap_null_B = rate_VV[permutation_BV, own_V].mean(axis=1)
    shifts = [_shifts(clips.times[clip], away_seconds) for clip in used]
    shift_BV = drawn_shifts(shifts, draws, numpy_generator_for(seed, "2AFC shift"))
    shift_null_B = np.mean([by_shift[n][shift_BV[:, n]] for n in range(count)], axis=0)
    low, high = 0.0, 1.0
    if count > 1:
        rng = numpy_generator_for(seed, "2AFC bootstrap")
        sample_BV = rng.integers(count, size=(draws, count))
        low, high = map(float, np.quantile(np.diag(rate_VV)[sample_BV].mean(1), (0.025, 0.975)))
    return TwoAfc(
        rate=rate,
        low=low,
        high=high,
        rate_VV=rate_VV,
        p_swap=permutation_p(rate, swap_null_B),
        p_shift=permutation_p(rate, shift_null_B),
        swap_null_B=swap_null_B,
        shift_null_B=shift_null_B,
    )


def rate_of(
    made_TD: np.ndarray, truth_TD: np.ndarray, time_T: np.ndarray, away_seconds: float
) -> float:
    """The rate of one clip: over all far pairs, how often the right moment is the nearer one."""
    distance_TT = _distances(made_TD, truth_TD, _largest(made_TD, truth_TD))
    own_T1 = np.diag(distance_TT)[:, None]
    first_T, stop_T = _near_spans(time_T, away_seconds)
    place_T = np.arange(len(time_T))
    far_TT = (place_T < first_T[:, None]) | (place_T >= stop_T[:, None])
    won_TT = (own_T1 < distance_TT) + 0.5 * (own_T1 == distance_TT)
    return float(won_TT[far_TT].mean())


def rates_by_shift(
    made_TD: np.ndarray, truth_TD: np.ndarray, time_T: np.ndarray, away_seconds: float
) -> np.ndarray:
    """The rate of one clip with its outputs moved by k = 0..T - 1 moments; T.

    At k up to T / 2, the outputs of moment t + k are held against frames t and t'; beyond, those
    of t + k - T: at the moments t that have both, t' being any far one. Not round the clip's end:
    two phases of the beat in one clip would make the null too narrow where pictures pulse at
    their song's tempo.
    """
    count = len(truth_TD)
    largest = _largest(made_TD, truth_TD)
    won_K, rows = np.zeros(2 * count - 1), max(1, _NUMBERS_AT_ONCE // count)
    near = _near_spans(time_T, away_seconds)
    for first in range(0, count, rows):
        wins_RT = _won(_distances(made_TD[first : first + rows], truth_TD, largest), near)
        for row, wins_T in enumerate(wins_RT, first):
            won_K[row : row + count] += wins_T[::-1]  # at row - t, from -(T - 1)
    by_T = np.arange(count)
    by_T = np.where(by_T <= count // 2, by_T, by_T - count)
    # Far pairs before each moment: of those from -by, or from 0, to T - by, or T.
    pairs_T = np.concatenate([[0], np.cumsum(count - (near[1] - near[0]))])
    pairs_T = pairs_T[count - by_T.clip(0)] - pairs_T[-by_T.clip(None, 0)]
    return won_K[by_T + count - 1] / pairs_T


def _shifts(time_T: np.ndarray, away_seconds: float) -> np.ndarray:
    """Shifts that take every moment far away, up to `_FARTHEST` times as far; for `rates_by_shift`.

    Not farther: music and pictures that pulse together have a tempo that wanders, and lose it. Nor
    only a little: the few places there are agree with each other, and the null is too narrow too.
    """
    shift_S = far_shifts(time_T, away_seconds)
    by_S = np.minimum(shift_S, len(time_T) - shift_S)
    return shift_S[by_S <= _FARTHEST * by_S.min(initial=len(time_T))]


def _distances(made_RD: np.ndarray, truth_TD: np.ndarray, largest: float) -> np.ndarray:
    """Squared distances but for the square of what was made, which is the same for all t; R x T."""
    distance_RT = np.einsum("td,td->t", truth_TD, truth_TD) - 2 * made_RD @ truth_TD.T
    return np.round(distance_RT / (largest or 1), _DECIMALS)


def _largest(made_TD: np.ndarray, truth_TD: np.ndarray) -> float:
    return float(sum(np.einsum("td,td->t", x, x).max() for x in (made_TD, truth_TD)))


def _near_spans(time_T: np.ndarray, away_seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """For each moment the places [first, stop) of those that lie too near; T each."""
    away = away_seconds - _ROUNDING_SECONDS
    return (
        np.searchsorted(time_T, time_T - away, side="right"),
        np.searchsorted(time_T, time_T + away, side="left"),
    )


def _won(far_RT: np.ndarray, near: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Against how many of the far moments each moment wins, ties one half; R x T.

    Wins against all, by rank, less those against the near ones, offset by offset.
    """
    count = far_RT.shape[1]
    won_RT = np.empty(far_RT.shape)
    for far_T, won_T in zip(far_RT, won_RT, strict=True):
        ordered_T = np.sort(far_T)
        below_T = np.searchsorted(ordered_T, far_T, side="left")
        above_T = count - np.searchsorted(ordered_T, far_T, side="right")
        won_T[:] = above_T + (count - above_T - below_T) / 2
    place_T = np.arange(count)
    won_RT -= 0.5  # the tie with itself
    for offset in range(1, int((near[1] - place_T).max())):
        # Each pair once: the earlier of the two wins, or the later one.
        earlier_RP, later_RP = far_RT[:, :-offset], far_RT[:, offset:]
        wins_RP = (earlier_RP < later_RP) + np.float32(0.5) * (earlier_RP == later_RP)
        apart_P = place_T[offset:] >= near[1][:-offset]
        won_RT[:, :-offset] -= np.where(apart_P, 0, wins_RP)
        won_RT[:, offset:] -= np.where(apart_P, 0, 1 - wins_RP)
    return won_RT
