"""Do cuts fall on beats more often than chance, and how early or late do they come?

Shapes: V clips, N cuts of all clips, B draws of the null, L bins of offsets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soundreel.evidence.nulls import permutation_p
from soundreel.seeding import numpy_generator_for

#: A cut so near a beat is on it: what beat trackers are judged by (Davies, Degara and Plumbley
#: 2009, "Evaluation methods for musical audio beat tracking algorithms"), and about two frames.
TOLERANCE_SECONDS = 0.07
#: Offsets are counted in bins of about a frame, one of them centred on 0.
_BIN_SECONDS, _BINS_A_SIDE = 0.04, 10
_VALUES_AT_A_TIME = 2_000_000


@dataclass(frozen=True)
class CutBeats:
    """How often cuts are on beats, against cuts moved along the beats by chance.

    hit_rate: share of the cuts that lie within `tolerance_seconds` of a beat, 0 to 1.
    null_mean, effect: its mean by chance, and how far it lies above that.
    p_value: one-sided, more hits than by chance. null_B: the hit rate of each draw.
    cuts, clips: how many were used. tolerance_seconds: as it was asked for.
    signed_lags_N: each cut less its nearest beat in seconds: below 0 the cut comes first.
    lag_edges, lag_counts_L: a histogram of them (edges in seconds, one more than bins; what lies
        beyond the last is not counted).
    lag_null_mean_L, lag_null_low_L, lag_null_high_L: the mean count of each bin by chance, and
        the middle 95% of the draws, bin by bin.
    """

    hit_rate: float
    null_mean: float
    effect: float
    p_value: float
    null_B: np.ndarray
    cuts: int
    clips: int
    tolerance_seconds: float
    signed_lags_N: np.ndarray
    lag_edges: np.ndarray
    lag_counts_L: np.ndarray
    lag_null_mean_L: np.ndarray
    lag_null_low_L: np.ndarray
    lag_null_high_L: np.ndarray


@dataclass(frozen=True)
class _Phases:
    """All cuts in beats of their clip, and the beats' lengths one clip after the other.

    phase_N: from 0 to the clip's beats; clip_N: whose; first_V: where its lengths start in
    `length_seconds`; beats_V: how many lengths it has.
    """

    phase_N: np.ndarray
    clip_N: np.ndarray
    first_V: np.ndarray
    beats_V: np.ndarray
    length_seconds: np.ndarray

    def lags(self, offset_BV: np.ndarray) -> np.ndarray:
        """Signed seconds from the nearest beat, cuts moved by so many beats: B x N."""
        beats_N = self.beats_V[self.clip_N]
        place_BN = (self.phase_N + offset_BV[:, self.clip_N]) % beats_N
        # A remainder can round to the whole.
        whole_BN = np.minimum(place_BN.astype(np.int64), beats_N - 1)
        part_BN = place_BN - whole_BN
        nearest_BN = np.where(part_BN > 0.5, part_BN - 1, part_BN)
        return nearest_BN * self.length_seconds[self.first_V[self.clip_N] + whole_BN]


def cuts_on_beats(
    cut_seconds_by_clip: Sequence[np.ndarray],
    beat_seconds_by_clip: Sequence[np.ndarray],
    tolerance_seconds: float = TOLERANCE_SECONDS,
    draws: int = 1_999,
    seed: int = 0,
) -> CutBeats:
    """The share of cuts on beats, against the same cuts moved along the clip's own beats.

    cut_seconds_by_clip: of each clip, in any order; beat_seconds_by_clip: ascending.

    By chance: all cuts of a clip move by one random offset, uniform over all of the clip's
    beats (so over one beat's length and any number of whole beats), a new one for each clip and
    draw. The offset is counted in beats, not in seconds: where the tempo drifts, a cut a third
    into its beat goes a third, or whatever the offset makes of it, into another. What leaves the
    last beat comes in at the first. So distances between cuts (in beats) are kept, a director
    who cuts every fourth beat whatever the song included: that counts only if the phase is
    right in more clips than chance allows. Cuts before the first beat or after the last are left
    out, as are clips without cuts or with fewer than three beats.

    Raises: ValueError if the numbers of clips differ, a time is not finite, beats do not ascend,
    the tolerance or the draws are not positive, or no clip can be used.
    """
    if not 0 < tolerance_seconds < np.inf or draws < 1:
        raise ValueError(
            f"a tolerance of {tolerance_seconds} s and {draws} draws: both must be more than 0"
        )
    phases = _phases(cut_seconds_by_clip, beat_seconds_by_clip)
    clips, cuts = len(phases.beats_V), len(phases.phase_N)
    lag_edges = (np.arange(2 * _BINS_A_SIDE + 2) - _BINS_A_SIDE - 0.5) * _BIN_SECONDS
    lags_N = phases.lags(np.zeros((1, clips)))[0]
    # The same comparison for the observed and the drawn, a hair wider than asked for.
    within = tolerance_seconds * (1 + 1e-9) + 1e-12
    hit_rate = float(np.mean(np.abs(lags_N) <= within))
    rng = numpy_generator_for(seed, "cuts-on-beats")
    offset_BV = rng.uniform(0, phases.beats_V, (draws, clips))
    null_B, counts_BL = np.empty(draws), np.empty((draws, len(lag_edges) - 1), np.int64)
    at_a_time = max(1, _VALUES_AT_A_TIME // cuts)
    for start in range(0, draws, at_a_time):
        part = slice(start, min(start + at_a_time, draws))
        lags_BN = phases.lags(offset_BV[part])
        null_B[part] = np.mean(np.abs(lags_BN) <= within, axis=1)
        counts_BL[part] = _histograms(lags_BN, lag_edges)
    low_L, high_L = np.quantile(counts_BL, (0.025, 0.975), axis=0)
    null_mean = float(null_B.mean())
    return CutBeats(
        hit_rate=hit_rate,
        null_mean=null_mean,
        effect=hit_rate - null_mean,
        p_value=permutation_p(hit_rate, null_B),
        null_B=null_B,
        cuts=cuts,
        clips=clips,
        tolerance_seconds=tolerance_seconds,
        signed_lags_N=lags_N,
        lag_edges=lag_edges,
        lag_counts_L=_histograms(lags_N[None], lag_edges)[0],
        lag_null_mean_L=counts_BL.mean(axis=0),
        lag_null_low_L=low_L,
        lag_null_high_L=high_L,
    )


def _phases(cuts_V: Sequence[np.ndarray], beats_V: Sequence[np.ndarray]) -> _Phases:
    if len(cuts_V) != len(beats_V):
        raise ValueError(f"cuts of {len(cuts_V)} clips and beats of {len(beats_V)}: equally many")
    phases, lengths = [], []
    for clip, (cuts, beats) in enumerate(zip(cuts_V, beats_V, strict=True)):
        cuts, beats = np.asarray(cuts, np.float64).ravel(), np.asarray(beats, np.float64).ravel()
        if not (np.isfinite(cuts).all() and np.isfinite(beats).all()):
            raise ValueError(f"clip {clip}: a cut or a beat is not a finite time")
        if (np.diff(beats) <= 0).any():
            raise ValueError(f"clip {clip}: its beats must ascend")
        if len(beats) < 3:
            continue
        # The last beat itself is out: on the circle it is the first.
        inside = cuts[(cuts >= beats[0]) & (cuts < beats[-1])]
        if len(inside):
            phases.append(np.interp(inside, beats, np.arange(len(beats))))
            lengths.append(np.diff(beats))
    if not phases:
        raise ValueError(f"none of {len(cuts_V)} clips has three beats and a cut between them")
    count_V = np.array([len(length) for length in lengths])
    return _Phases(
        phase_N=np.concatenate(phases),
        clip_N=np.repeat(np.arange(len(phases)), [len(phase) for phase in phases]),
        first_V=np.cumsum(count_V) - count_V,
        beats_V=count_V,
        length_seconds=np.concatenate(lengths),
    )


def _histograms(lags_BN: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How many of each row lie in each bin, edges evenly spaced: B x L."""
    rows, bins = len(lags_BN), len(edges) - 1
    bin_BN = np.floor((lags_BN - edges[0]) / _BIN_SECONDS).astype(np.int64)
    inside_BN = (bin_BN >= 0) & (bin_BN < bins)
    flat_BN = bin_BN + np.arange(rows)[:, None] * bins
    return np.bincount(flat_BN[inside_BN], minlength=rows * bins).reshape(rows, bins)
