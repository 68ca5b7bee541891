"""How far what a model made of one song goes with the frames of one clip: correlations.

Shapes: V clips, T moments, D numbers a moment (see `clip_moments`), K slow cosines, F frequencies;
u: the clip whose song was heard, v: the clip whose frames are looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from soundreel.evidence.clip_moments import ClipMoments

#: What is less than a millionth of a curve's size, once its mean or its drift is gone, is rounding
#: (that of float32 too).
_STILL = 1e-12  # of squares
#: Columns that are transformed together: about 16 MB of them.
_NUMBERS_AT_ONCE = 2_000_000


def score_matrices(clips: ClipMoments, each_column: bool) -> tuple[np.ndarray, np.ndarray]:
    """Every song's outputs against every clip's frames: without drift, and with it.

    Shape: -> two of V x V ([u, v]), in [-1, 1].
    """
    count = len(clips)
    quick_VV, drifting_VV = np.empty((count, count)), np.empty((count, count))
    for alike in _alike(clips):
        length, slow_terms = len(clips.truth[alike[0]]), clips.slow_terms(alike[0])
        cosine_KT = _slow_cosines(length, slow_terms)
        truths = [_curves(clips.truth[v], cosine_KT) for v in alike]
        for u in range(count):
            made = _curves(clips.made_for(u, alike[0]), cosine_KT)
            for v, truth in zip(alike, truths, strict=True):
                product_D = np.einsum("td,td->d", made.centred_TD, truth.centred_TD)
                # Cosines are orthogonal: what two drifts contribute is the product of their
                # coefficients, so that curves need not be made anew without them.
                slow_D = np.einsum("kd,kd->d", made.slow_KD, truth.slow_KD)
                drifting_VV[u, v] = product_D @ _weights(
                    made.squares_D, truth.squares_D, each_column
                )
                quick_VV[u, v] = (product_D - slow_D) @ _weights(
                    made.quick_squares_D, truth.quick_squares_D, each_column
                )
    return quick_VV, drifting_VV


@dataclass(frozen=True, eq=False)
class _Curves:
    """Columns without their means: values, coefficients of the slow cosines, sums of squares."""

    centred_TD: np.ndarray
    slow_KD: np.ndarray
    squares_D: np.ndarray
    quick_squares_D: np.ndarray


def _curves(x_TD: np.ndarray, cosine_KT: np.ndarray) -> _Curves:
    centred_TD = _centred(x_TD)
    slow_KD = cosine_KT @ centred_TD
    squares_D = np.einsum("td,td->d", centred_TD, centred_TD)
    return _Curves(centred_TD, slow_KD, squares_D, _left(squares_D, slow_KD))


def _alike(clips: ClipMoments) -> list[list[int]]:
    """Clips of the same length in moments and seconds, a few at a time: songs fit them alike."""
    at_once = max(1, _NUMBERS_AT_ONCE * 4 // max(x_TD.size for x_TD in clips.truth))
    kinds: dict[tuple[int, int], list[int]] = {}
    for clip, truth_TD in enumerate(clips.truth):
        kinds.setdefault((len(truth_TD), clips.slow_terms(clip)), []).append(clip)
    return [
        kind[first : first + at_once]
        for kind in kinds.values()
        for first in range(0, len(kind), at_once)
    ]


def own_scores_by_shift(clips: ClipMoments, clip: int, each_column: bool) -> np.ndarray:
    """A clip's own score with its outputs moved by k = 0..T - 1 moments; T.

    At k up to T / 2, the outputs of moment t + k are held against the frames of moment t; beyond,
    those of t + k - T: over the moments that have both, as if all had the clip's mean power. Not
    round the clip's end: two phases of the beat in one clip would make the null too narrow where
    pictures pulse at their song's tempo. By the Fourier transform, all shifts at once.
    """
    count, columns = clips.truth[clip].shape
    cosine_KT = _slow_cosines(count, clips.slow_terms(clip))
    spectrum_F = np.zeros(count + 1, np.complex128)
    made_squares = truth_squares = 0.0
    at_once = max(1, _NUMBERS_AT_ONCE // count)
    for first in range(0, columns, at_once):
        part = slice(first, first + at_once)
        made_TD, made_D = _quick(clips.made[clip][:, part], cosine_KT)
        truth_TD, truth_D = _quick(clips.truth[clip][:, part], cosine_KT)
        made_FD, truth_FD = (np.fft.rfft(x_TD, 2 * count, axis=0) for x_TD in (made_TD, truth_TD))
        product_FD = made_FD * truth_FD.conj()
        if each_column:
            spectrum_F += product_FD @ _weights(made_D, truth_D, True) * (len(made_D) / columns)
        else:
            spectrum_F += product_FD.sum(axis=1)
            made_squares, truth_squares = made_squares + made_D.sum(), truth_squares + truth_D.sum()
    if not each_column:
        spectrum_F *= _weight(made_squares * truth_squares)
    by_T = np.arange(count)
    by_T = np.where(by_T <= count // 2, by_T, by_T - count)
    return np.fft.irfft(spectrum_F, n=2 * count)[by_T] * count / (count - np.abs(by_T))


def _centred(x_TD: np.ndarray) -> np.ndarray:
    """Without the mean of each column, float64; columns that do not vary become 0."""
    x_TD = x_TD.astype(np.float64)
    mean_D = x_TD.mean(axis=0)
    x_TD -= mean_D
    still_D = np.einsum("td,td->d", x_TD, x_TD) <= _STILL * len(x_TD) * mean_D**2
    x_TD[:, still_D] = 0
    return x_TD


def _quick(x_TD: np.ndarray, cosine_KT: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns without mean and drift, T x D, and their sums of squares, D."""
    curves = _curves(x_TD, cosine_KT)
    quick_TD = curves.centred_TD - cosine_KT.T @ curves.slow_KD
    quick_TD[:, curves.quick_squares_D == 0] = 0
    return quick_TD, curves.quick_squares_D


def _slow_cosines(count: int, slow_terms: int) -> np.ndarray:
    """The cosines that `without_drift` removes, but for the mean, at unit length; K x T."""
    order_K1 = np.arange(1, min(slow_terms + 1, count))[:, None]
    cosine_KT = np.cos(np.pi * order_K1 * (np.arange(count) + 0.5) / count)
    return cosine_KT / np.linalg.norm(cosine_KT, axis=1, keepdims=True)


def _left(squares_D: np.ndarray, coefficient_KD: np.ndarray) -> np.ndarray:
    """Sums of squares once the drift is gone; what is then only rounding becomes 0."""
    left_D = squares_D - np.einsum("kd,kd->d", coefficient_KD, coefficient_KD)
    return np.where(left_D <= _STILL * squares_D, 0, left_D)


def _weights(made_squares_D: np.ndarray, truth_squares_D: np.ndarray, each: bool) -> np.ndarray:
    """What each column's inner product counts, so that their sum is a correlation; D."""
    if each:
        return np.array([_weight(s) for s in made_squares_D * truth_squares_D]) / len(
            truth_squares_D
        )
    return np.full_like(made_squares_D, _weight(made_squares_D.sum() * truth_squares_D.sum()))


def _weight(product_of_squares: float) -> float:
    return 1 / math.sqrt(product_of_squares) if product_of_squares > 0 else 0.0
