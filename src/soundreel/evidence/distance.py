"""Dependence of any shape, not only along lines: distance correlation and HSIC. Exploratory.

Both are positive by chance, and more so the smoother the curves: they mean something only less
what shifts give, and beside other songs on clips alike in tempo, loudness and smoothness.

Arrays only. Shapes: V clips, U songs, T times of a clip, D curves, B draws of a null.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from soundreel.evidence.nulls import permutation_p
from soundreel.evidence.shifts import every_seconds
from soundreel.evidence.strata import permutations_within
from soundreel.evidence.streams import standardised
from soundreel.seeding import numpy_generator_for

Kind = Literal["dcor", "hsic"]
_CHUNK_BYTES = 100_000_000


@dataclass(frozen=True)
class StratifiedDependence:
    """Whether clips go with their own songs more than with songs of clips like theirs.

    score: mean over clips of the statistic with their own song; effect: that less its mean over
        the draws. matrix_UV: the statistic of song u and video v (all pairs): squared distance
        correlation, or HSIC, less its mean over circular shifts; by chance about 0.
    p_value: how often songs swapped within strata score as much; null_B: the score of each draw.
    free_clips: how many clips are in strata of at least two.
    """

    kind: Kind
    score: float
    effect: float
    p_value: float
    matrix_UV: np.ndarray
    null_B: np.ndarray
    free_clips: int


def distance_correlation(x_TD: np.ndarray, y_TD: np.ndarray) -> float:
    """Distance correlation of two streams, 0 to 1; 0 where either does not vary.

    x_TD: T x D; y_TD: T x any other number of curves; both as given, nothing is standardised.

    The biased (V-statistic) form. Source: Szekely, Rizzo and Bakirov 2007, "Measuring and testing
    dependence by correlation of distances".

    Raises: ValueError if the streams differ in length or have fewer than 2 times.
    """
    return _one_pair(x_TD, y_TD, "dcor")


def hsic(x_TD: np.ndarray, y_TD: np.ndarray) -> float:
    """Hilbert-Schmidt independence criterion, tr(K H L H) / T^2: 0 or more.

    Gaussian kernels exp(-d^2 / (2 m^2)), m the median distance between two times of the stream.
    x_TD: T x D; y_TD: T x any other number of curves; both as given, nothing is standardised.

    Source: Gretton, Bousquet, Smola and Schoelkopf 2005, "Measuring statistical dependence with
    Hilbert-Schmidt norms"; scaled as in Gretton et al. 2008, "A kernel statistical test of
    independence".

    Raises: ValueError if the streams differ in length or have fewer than 2 times.
    """
    return _one_pair(x_TD, y_TD, "hsic")


def stratified_dependence(
    sounds: Sequence[np.ndarray],
    pictures: Sequence[np.ndarray],
    strata: Sequence[int] | np.ndarray,
    rate_hz: Fraction | float,
    kind: Kind = "dcor",
    slowest_period_seconds: float = 30.0,
    draws: int = 1_999,
    seed: int = 0,
) -> StratifiedDependence:
    """Whether dependence of any shape is stronger with a clip's own song than with songs alike.

    sounds: T x A a clip; pictures: T x P a clip, at the same times, `rate_hz` of them a second
    (a Fraction where it is no whole number); clips may differ in length. strata: which stratum
    each clip is in (`strata_of`).

    The statistic is the squared distance correlation, or HSIC, less its mean over all shifts of
    the song in a circle: what the smoothness of both alone gives, pair by pair. Without that,
    calm songs with calm videos pass for dependence, strata or no strata.

    Null: songs swapped at the same relative time, uniformly, within strata only. All curves
    without their clip's mean, scale and drift.

    Raises: ValueError for curves that do not match, an unknown kind, or no stratum of two clips.
    """
    every = every_seconds(rate_hz)
    strata_V = np.asarray(strata)
    _check(sounds, pictures, strata_V, kind)
    videos = len(sounds)
    matrix_UV = np.empty((videos, videos))
    length_V = np.array([len(y_TP) for y_TP in pictures])
    for count in np.unique(length_V):
        place_T = np.arange(count)
        heard_UTA = np.stack([x_TA[place_T * len(x_TA) // count] for x_TA in sounds])
        of_this_length = np.flatnonzero(length_V == count)
        seen_CTP = np.stack([pictures[v] for v in of_this_length.tolist()])
        matrix_UV[:, of_this_length] = _all_pairs(
            standardised(heard_UTA, every, slowest_period_seconds),
            standardised(seen_CTP, every, slowest_period_seconds),
            kind,
            beyond_shifts=True,
        )
    rng = numpy_generator_for(seed, "ask/distance")
    song_BV = permutations_within(strata_V, draws, rng)
    null_B = matrix_UV[song_BV, np.arange(videos)].mean(axis=1)
    score = float(np.trace(matrix_UV) / videos)
    _, size_S = np.unique(strata_V, return_counts=True)
    return StratifiedDependence(
        kind=kind,
        score=score,
        effect=float(score - null_B.mean()),
        p_value=permutation_p(score, null_B),
        matrix_UV=matrix_UV,
        null_B=null_B,
        free_clips=int(size_S[size_S > 1].sum()),
    )


def _one_pair(x_TD: np.ndarray, y_TD: np.ndarray, kind: Kind) -> float:
    x_TD, y_TD = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (x_TD, y_TD))
    if len(x_TD) != len(y_TD) or len(x_TD) < 2:
        raise ValueError(
            f"streams of {len(x_TD)} and {len(y_TD)} times: equally many, at least 2, are needed"
        )
    return float(_all_pairs(x_TD[None], y_TD[None], kind)[0, 0])


def _all_pairs(
    x_UTD: np.ndarray, y_CTP: np.ndarray, kind: Kind, beyond_shifts: bool = False
) -> np.ndarray:
    """The statistic of every song with every picture of one length: U x C.

    beyond_shifts: HSIC, or squared distance correlation, less its mean over all circular shifts.
    """
    count = x_UTD.shape[1]
    at_a_time = max(1, _CHUNK_BYTES // (32 * count * count))
    statistic_UC = np.empty((len(x_UTD), len(y_CTP)))
    for first in range(0, len(x_UTD), at_a_time):
        some_U = slice(first, first + at_a_time)
        a_UF = _centred(x_UTD[some_U], kind)
        for begin in range(0, len(y_CTP), at_a_time):
            some_C = slice(begin, begin + at_a_time)
            b_CF = _centred(y_CTP[some_C], kind)
            together_UC = a_UF @ b_CF.T
            if beyond_shifts:
                # The products' mean over all shifts is the product of the matrices' own means
                # along their (circular) diagonals.
                together_UC -= count * _diagonal_means(a_UF) @ _diagonal_means(b_CF).T
            if kind == "dcor":
                norm_UC = np.linalg.norm(a_UF, axis=1)[:, None] * np.linalg.norm(b_CF, axis=1)
                together_UC = np.divide(
                    together_UC, norm_UC, out=np.zeros_like(norm_UC), where=norm_UC > 0
                )
            else:
                together_UC /= count**2
            statistic_UC[some_U, some_C] = together_UC
    if beyond_shifts:
        return statistic_UC
    positive_UC = statistic_UC.clip(0)
    return np.sqrt(positive_UC.clip(0, 1)) if kind == "dcor" else positive_UC


def _diagonal_means(a_NF: np.ndarray) -> np.ndarray:
    """[n, k]: mean over i of a[n, i, (i + k) mod T]: N x T."""
    count = math.isqrt(a_NF.shape[1])
    place_T = np.arange(count)
    flat_TT = place_T[:, None] * count + (place_T[:, None] + place_T) % count
    return a_NF[:, flat_TT].mean(axis=1)


def _centred(x_NTD: np.ndarray, kind: Kind) -> np.ndarray:
    """Distances (or kernels) between times, less the means of rows and columns: N x T^2."""
    square_NT = np.einsum("ntd,ntd->nt", x_NTD, x_NTD)
    square_NTT = square_NT[:, :, None] + square_NT[:, None] - 2 * x_NTD @ x_NTD.transpose(0, 2, 1)
    # Differences of rounding are no distances: they would be the whole of a constant's.
    floor_N11 = 1e-14 * square_NT.max(axis=1)[:, None, None]
    square_NTT[square_NTT <= floor_N11.clip(1e-300)] = 0
    if kind == "dcor":
        between_NTT = np.sqrt(square_NTT, out=square_NTT)
    else:
        row, column = np.triu_indices(x_NTD.shape[1], 1)
        median_N11 = np.median(np.sqrt(square_NTT[:, row, column]), axis=1)[:, None, None]
        between_NTT = np.exp(-square_NTT / (2 * np.where(median_N11 > 0, median_N11, 1) ** 2))
    between_NTT -= between_NTT.mean(axis=1, keepdims=True)
    between_NTT -= between_NTT.mean(axis=2, keepdims=True)
    return between_NTT.reshape(len(x_NTD), -1)


def _check(
    sounds: Sequence[np.ndarray], pictures: Sequence[np.ndarray], strata_V: np.ndarray, kind: str
) -> None:
    if kind not in ("dcor", "hsic"):
        raise ValueError(f"kind = {kind!r}: must be 'dcor' or 'hsic'")
    if not len(sounds) == len(pictures) == len(strata_V):
        raise ValueError(
            f"{len(sounds)} songs, {len(pictures)} clips and strata of {len(strata_V)}: "
            "as many are needed"
        )
    for x_TA, y_TP in zip(sounds, pictures, strict=True):
        if np.ndim(x_TA) != 2 or np.ndim(y_TP) != 2 or len(x_TA) != len(y_TP) or len(x_TA) < 8:
            raise ValueError(
                f"curves of {np.shape(x_TA)} and {np.shape(y_TP)}: T x A and T x P, at least 8 "
                "times, are needed"
            )
        if not (np.isfinite(x_TA).all() and np.isfinite(y_TP).all()):
            raise ValueError("curves hold values that are not finite numbers")
