"""The dataset test: does the picture depend on the music of its own clip, beyond what chance,
the clip's look, slow trends and smoothness explain?

Confirmatory, after the protocol of docs/evidence.md, section B. Arrays only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from soundreel.evidence.nulls import permutation_p, uniform_permutations
from soundreel.evidence.refitting import Ridge, Scores, refitted_scores
from soundreel.evidence.streams import (
    Band,
    Clip,
    overlapping,
    shifted,
    standardised,
    swapped_absolute,
    swapped_relative,
)
from soundreel.evidence.verdicts import (
    Verdict,
    detectable,
    interval,
    verdict_of,
    videos_needed,
)
from soundreel.seeding import numpy_generator_for


@dataclass(frozen=True)
class Design:
    """Every number of the test, chosen before the data are looked at.

    every_seconds: from one sample of the curves to the next.
    slowest_seconds: longer periods are drift and belong to the slow band.
    least_shift_seconds, most_shift_seconds: how far shifts of a song are from its own place.
    sound_weights: what each curve heard weighs before components are taken; none: all alike.
    delta: the smallest effect of interest, in score units (`asking.plans.planted_score`
        translates couplings into them).
    """

    every_seconds: float
    delta: float
    slowest_seconds: float = 30.0
    least_shift_seconds: float = 6.0
    most_shift_seconds: float = 12.0
    folds: int = 10
    ridge: Ridge = field(default_factory=Ridge)
    sound_weights: tuple[float, ...] = ()
    draws: int = 1_999
    alpha: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class Dependence:
    """What the dataset test found.

    score: mean over videos of the held-out correlation of prediction and picture; effect: that
    less its mean over swapped songs; low, high: the effect's 95% interval.
    p_swap: against songs swapped between videos, at the same relative time and, where lengths
    differ, at the same seconds: the larger of the two. p_shift: against songs shifted within
    their own video. p_value: the larger of them: both nulls must be ruled out.
    null_sd: the larger standard deviation of the swap nulls. mde80: the effect that would be
    found four times out of five; videos_needed: how many videos like these would find `delta`.
    score_V: each video's score, with low_V and high_V: where 95% of swapped songs put it.
    swap_null_B, absolute_null_B (None where all videos are equally long), shift_null_B.
    matrix_UV: what song u scores on video v by the fit that predicts v.
    predicted: what the fit predicts of each video's curves, T x P, standardised.
    """

    verdict: Verdict
    score: float
    effect: float
    low: float
    high: float
    p_swap: float
    p_shift: float
    p_value: float
    null_sd: float
    mde80: float
    videos_needed: int
    score_V: np.ndarray
    low_V: np.ndarray
    high_V: np.ndarray
    swap_null_B: np.ndarray
    absolute_null_B: np.ndarray | None
    shift_null_B: np.ndarray
    matrix_UV: np.ndarray
    predicted: tuple[np.ndarray, ...]

    @property
    def deciding_swap_null(self) -> np.ndarray:
        """Of the two ways to swap songs, the null that leaves the larger p-value."""
        if self.absolute_null_B is None:
            return self.swap_null_B
        nulls = (self.swap_null_B, self.absolute_null_B)
        return max(nulls, key=lambda null_B: permutation_p(self.score, null_B))


@dataclass(frozen=True)
class SlowBand:
    """The same question of slow trends alone, by swaps only: exploratory, without a verdict."""

    score: float
    effect: float
    low: float
    high: float
    p_swap: float


def dependence(clips: Sequence[Clip], groups: Sequence[int], design: Design) -> Dependence:
    """Does the picture depend on its own clip's music?

    clips: one for each video under test, no two with the same song.
    groups: which clips are of one work: a group is never split between learning and testing.

    Raises: ValueError for fewer than two groups, or clips of fewer than 8 samples.
    """
    pictures = _pictures(clips, design, "quick")
    fold_V = folds_of(groups, design.folds, design.seed)
    swaps_BV = _with_observed(_swaps(len(clips), design, "swaps"), np.arange(len(clips)))
    relative = _swapped_scores(clips, pictures, swaps_BV, fold_V, design, "quick")
    absolute = None
    if len({len(clip) for clip in clips}) > 1:
        absolute = refitted_scores(
            lambda v: _heard(swapped_absolute(clips, v), design),
            pictures,
            swaps_BV,
            fold_V,
            design.ridge,
        ).score_BV[1:]
    shift_null_B = _shift_scores(clips, pictures, fold_V, design)
    score_V = relative.score_BV[0]
    score, swap_null_B = float(score_V.mean()), relative.score_BV[1:].mean(axis=1)
    absolute_null_B = None if absolute is None else absolute.mean(axis=1)
    swaps = [swap_null_B] if absolute_null_B is None else [swap_null_B, absolute_null_B]
    # Of two ways to swap songs the one that leaves less to the music counts.
    effect = score - max(float(null_B.mean()) for null_B in swaps)
    null_sd = max(float(null_B.std(ddof=1)) for null_B in swaps)
    p_swap = max(permutation_p(score, null_B) for null_B in swaps)
    p_shift = permutation_p(score, shift_null_B)
    low, high = interval(effect, null_sd)
    low_V, high_V = np.quantile(relative.score_BV[1:], (0.025, 0.975), axis=0)
    return Dependence(
        verdict=verdict_of(effect, null_sd, max(p_swap, p_shift), design.delta, design.alpha),
        score=score,
        effect=effect,
        low=low,
        high=high,
        p_swap=p_swap,
        p_shift=p_shift,
        p_value=max(p_swap, p_shift),
        null_sd=null_sd,
        mde80=detectable(null_sd),
        videos_needed=videos_needed(len(clips), null_sd, design.delta),
        score_V=score_V,
        low_V=low_V,
        high_V=high_V,
        swap_null_B=swap_null_B,
        absolute_null_B=absolute_null_B,
        shift_null_B=shift_null_B,
        matrix_UV=relative.own_NV,
        predicted=relative.predicted,
    )


def slow_band(clips: Sequence[Clip], groups: Sequence[int], design: Design) -> SlowBand | None:
    """Whether slow trends of sound and picture go together; None where clips are too short.

    Shifts cannot test this (a trend has no second place to go to), so it is no verdict's ground.
    """
    if min(len(clip) for clip in clips) * design.every_seconds < design.slowest_seconds:
        return None
    pictures = _pictures(clips, design, "slow")
    fold_V = folds_of(groups, design.folds, design.seed)
    swaps_BV = _with_observed(_swaps(len(clips), design, "swaps"), np.arange(len(clips)))
    score_B = _swapped_scores(clips, pictures, swaps_BV, fold_V, design, "slow").score_BV.mean(1)
    effect = float(score_B[0] - score_B[1:].mean())
    low, high = interval(effect, float(score_B[1:].std(ddof=1)))
    return SlowBand(float(score_B[0]), effect, low, high, permutation_p(score_B[0], score_B[1:]))


def observed_score(clips: Sequence[Clip], groups: Sequence[int], design: Design) -> float:
    """The score alone, without nulls: in no time, for translating couplings into scores."""
    once_BV = np.arange(len(clips))[None]
    pictures = _pictures(clips, design, "quick")
    fold_V = folds_of(groups, design.folds, design.seed)
    made = _swapped_scores(clips, pictures, once_BV, fold_V, design, "quick")
    return float(made.score_BV.mean())


def halves_predicted(
    clips: Sequence[Clip], groups: Sequence[int], design: Design
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Each half of the videos predicted by one rule that was learnt on the other half.

    Returns the half of each video, 0 or 1, and the predictions T x P, standardised.
    """
    half_V = folds_of(groups, 2, design.seed)
    once_BV = np.arange(len(clips))[None]
    pictures = _pictures(clips, design, "quick")
    made = _swapped_scores(clips, pictures, once_BV, half_V, design, "quick")
    return half_V, made.predicted


def folds_of(groups: Sequence[int], folds: int, seed: int) -> np.ndarray:
    """The fold of each video, 0 to F - 1: whole groups, drawn by the seed, the largest first.

    Raises: ValueError for fewer than two groups.
    """
    names, place_V, size_G = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise ValueError(f"{len(names)} group of clips: at least two are needed")
    drawn_G = numpy_generator_for(seed, "ask/folds").permutation(len(names))
    order_G = drawn_G[np.argsort(-size_G[drawn_G], kind="stable")]
    fold_G = np.empty(len(names), np.int64)
    held_F = np.zeros(min(folds, len(names)))
    for group in order_G:
        fold_G[group] = held_F.argmin()
        held_F[fold_G[group]] += size_G[group]
    return fold_G[place_V]


def _pictures(clips: Sequence[Clip], design: Design, band: Band) -> list[np.ndarray]:
    for clip in clips:
        if len(clip) < 8:
            raise ValueError(f"a clip of {len(clip)} samples: at least 8 are needed")
    return [_ready(clip.picture_TP[None], design, band)[0] for clip in clips]


def _ready(x_NTD: np.ndarray, design: Design, band: Band = "quick") -> np.ndarray:
    return standardised(x_NTD, design.every_seconds, design.slowest_seconds, band)


def _heard(x_NTA: np.ndarray, design: Design, band: Band = "quick") -> np.ndarray:
    ready_NTA = _ready(x_NTA, design, band)
    return ready_NTA * np.array(design.sound_weights) if design.sound_weights else ready_NTA


def _swaps(videos: int, design: Design, stream: str) -> np.ndarray:
    rng = numpy_generator_for(design.seed, f"ask/{stream}")
    return uniform_permutations(videos, design.draws, rng)


def _with_observed(null_BV: np.ndarray, observed_V: np.ndarray) -> np.ndarray:
    return np.concatenate([observed_V[None], null_BV])


def _swapped_scores(
    clips: Sequence[Clip],
    pictures: Sequence[np.ndarray],
    swaps_BV: np.ndarray,
    fold_V: np.ndarray,
    design: Design,
    band: Band,
) -> Scores:
    return refitted_scores(
        lambda v: _heard(swapped_relative(clips, v), design, band),
        pictures,
        swaps_BV,
        fold_V,
        design.ridge,
    )


def _shift_scores(
    clips: Sequence[Clip], pictures: Sequence[np.ndarray], fold_V: np.ndarray, design: Design
) -> np.ndarray:
    """Mean scores with every song shifted within its own video, all at once: B."""
    share_VN = [_shifted(clip, design)[1] for clip in clips]
    rng = numpy_generator_for(design.seed, "ask/shifts")
    null_BV = np.stack(
        [rng.integers(1, len(share_N), design.draws) for share_N in share_VN], axis=1
    )
    shifts_BV = _with_observed(null_BV, np.zeros(len(clips), np.int64))
    made = refitted_scores(
        lambda v: _shifted(clips[v], design)[0], pictures, shifts_BV, fold_V, design.ridge
    )
    share_BV = np.stack(
        [share_N[null_B] for share_N, null_B in zip(share_VN, null_BV.T, strict=True)], axis=1
    )
    # A score is over the norm of the whole picture, of which only a share has sound beside it.
    return (made.score_BV[1:] / np.sqrt(share_BV)).mean(axis=1)


def _shifted(clip: Clip, design: Design) -> tuple[np.ndarray, np.ndarray]:
    """A clip's song and its shifts, N x T x A, made ready; the share of the times they last."""
    least = max(1, round(design.least_shift_seconds / design.every_seconds))
    most = max(least, round(design.most_shift_seconds / design.every_seconds))
    plain_NTA = shifted(clip, least, most)
    if plain_NTA is not None:
        return _heard(plain_NTA, design), np.ones(len(plain_NTA))
    return overlapping(_heard(clip.own_sound[None], design)[0], least, most)
