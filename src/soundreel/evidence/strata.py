"""Groups of clips that are alike in tempo, loudness and smoothness, to swap songs within.

Arrays only. Shapes: V clips, T times of a clip, D curves, K variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from soundreel.evidence.nulls import uniform_permutations
from soundreel.evidence.shifts import every_seconds
from soundreel.evidence.streams import standardised


def smoothness(
    curves: Sequence[np.ndarray],
    rate_hz: Fraction | float,
    slowest_period_seconds: float = 30.0,
) -> np.ndarray:
    """How alike neighbouring times of each clip are: lag-1 autocorrelation, mean over its curves.

    curves: T x D a clip, `rate_hz` times a second; without mean and drift, as tests see them.

    Shape: -> V, -1 to 1; curves that do not vary count as 0.
    """
    every = every_seconds(rate_hz)
    ready = [standardised(x_TD[None], every, slowest_period_seconds)[0] for x_TD in curves]
    return np.array([(x_TD[1:] * x_TD[:-1]).sum(axis=0).mean() / len(x_TD) for x_TD in ready])


def strata_of(
    tempo_V: np.ndarray, loudness_V: np.ndarray, smoothness_VK: np.ndarray, fewest: int = 3
) -> np.ndarray:
    """The stratum of each clip, 0, 1, ...: clips of one stratum are alike in all variables.

    tempo_V: in any unit; loudness_V: in any unit; smoothness_VK: V or V x K, lag-1
    autocorrelations (`smoothness`) of each stream.

    The smoothness is stretched by Fisher's arctanh (what chance gives grows fastest near 1), every
    variable is brought to unit variance, and the clips are split at the median of the variable
    that spreads most, halves likewise, as long as both halves keep `fewest` clips.

    Shape: -> V, int64.

    Raises: ValueError if lengths differ, a value is not finite, or `fewest` is below 2.
    """
    smooth_VK = np.asarray(smoothness_VK, np.float64).reshape(len(smoothness_VK), -1)
    if fewest < 2 or not len(tempo_V) == len(loudness_V) == len(smooth_VK):
        raise ValueError(
            f"{len(tempo_V)} tempos, {len(loudness_V)} loudnesses, {len(smooth_VK)} smoothnesses "
            f"and strata of at least {fewest}: as many of each, and strata of 2, are needed"
        )
    stretched_VK = np.arctanh(smooth_VK.clip(-0.999, 0.999))
    x_VK = np.column_stack([tempo_V, loudness_V, stretched_VK]).astype(np.float64)
    if not np.isfinite(x_VK).all():
        raise ValueError("clips are matched by finite numbers only: some are not")
    spread_K = x_VK.std(axis=0)
    x_VK = (x_VK - x_VK.mean(axis=0)) / np.where(spread_K > 0, spread_K, 1)
    stratum_V = np.zeros(len(x_VK), np.int64)
    waiting, made = [np.arange(len(x_VK))], 0
    while waiting:
        member_M = waiting.pop()
        widest = x_VK[member_M].std(axis=0).argmax() if len(member_M) else 0
        if len(member_M) < 2 * fewest or x_VK[member_M, widest].std() == 0:
            stratum_V[member_M] = made
            made += 1
            continue
        ordered_M = member_M[np.argsort(x_VK[member_M, widest], kind="stable")]
        half = len(ordered_M) // 2
        waiting += [ordered_M[half:], ordered_M[:half]]
    return stratum_V


def permutations_within(
    strata_V: Sequence[int] | np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Permutations of 0..V - 1 that leave every clip's stratum as it is, drawn uniformly.

    Shape: -> draws x V, int64.

    Raises: ValueError if no stratum has two clips.
    """
    strata_V = np.asarray(strata_V)
    names = np.unique(strata_V)
    if len(names) == len(strata_V):
        raise ValueError("every clip is a stratum by itself: there is no song to swap with")
    song_BV = np.tile(np.arange(len(strata_V)), (draws, 1))
    for name in names:
        member_M = np.flatnonzero(strata_V == name)
        song_BV[:, member_M] = member_M[uniform_permutations(len(member_M), draws, rng)]
    return song_BV
