"""Can the time be told from the sound? Ranks of the true time within clips no model has seen.

Arrays only. Shapes: V clips, U predictions, T times of a clip, P curves seen, S shifts, B draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.evidence.nulls import permutation_p, uniform_permutations
from soundreel.evidence.shifts import every_seconds, far_shifts, least_samples
from soundreel.evidence.streams import standardised
from soundreel.seeding import numpy_generator_for

_CHUNK_BYTES = 60_000_000


@dataclass(frozen=True)
class Retrieval:
    """How near the top the true time comes, among times of the same clip that are far from it.

    recall_at_1: share of times at which the true one comes first; median_rank: 1 is best; both a
        mean over clips of the clip's own. chance_recall_at_1, chance_median_rank: exact.
    candidates: mean number of times that each true one is ranked among, itself not counted.
    p_value: how often chance ranks as well (the median, as a share of the places); the larger
        of p_shift (predictions shifted within their clip) and p_swap (exchanged between clips).
    p_recall: the same of recall_at_1, the larger of both nulls.
    relative_V: each clip's median rank as a share of its places, .5 by chance, less is better.
    shift_null_B, swap_null_B: its mean over clips in each draw.
    """

    recall_at_1: float
    chance_recall_at_1: float
    median_rank: float
    chance_median_rank: float
    candidates: float
    p_shift: float
    p_swap: float
    p_value: float
    p_recall: float
    relative_V: np.ndarray
    shift_null_B: np.ndarray
    swap_null_B: np.ndarray


def retrieval(
    predicted_by_clip: Sequence[np.ndarray],
    true_by_clip: Sequence[np.ndarray],
    rate_hz: Fraction | float,
    away_seconds: Fraction | float = 6,
    window_samples: int = 3,
    slowest_period_seconds: float = 30.0,
    draws: int = 1_999,
    seed: int = 0,
) -> Retrieval:
    """Rank the true time of every prediction among the times of its clip at least 6 s from it.

    predicted_by_clip: T x P a clip, predicted from its sound by a model that has not seen the
    clip; true_by_clip: T x P, what there is to see at those times. `rate_hz` of them a second
    (a Fraction where it is no whole number); clips may differ in length.

    Likeness of a predicted time t and a true time t': the cosine of the angle between the P
    curves in windows of `window_samples` around them, all curves without their clip's mean, scale
    and drift. A clip's end is joined to its beginning (for windows and for distances), so every
    time of a clip has equally many candidates n: by chance the true one is first in 1 / (n + 1)
    of all cases, and the median rank is (n + 2) / 2, exactly. Ties count half.

    Ranks of neighbouring times are not independent, so p-values come from predictions shifted
    within their clip by at least `away_seconds` (over times that have both), and exchanged between
    clips at the same relative time (uniform permutations), which alone can tell a shared fade from
    a match of moments. One model must have made all predictions: those of a cross-validation
    share clips across its folds: their p-values are too small (.05 or less in a tenth of cases).

    Raises: ValueError for fewer than 2 clips, curves that do not match, or a clip without any
    time that far away.
    """
    every = every_seconds(rate_hz)
    least = least_samples(rate_hz, away_seconds)
    _check(predicted_by_clip, true_by_clip, least, window_samples)
    videos = len(true_by_clip)
    places_V = np.array([len(y_TP) - 2 * least + 2 for y_TP in true_by_clip])
    # [statistic, ...]: recall first, the relative median rank second.
    swap_2UV = np.empty((2, videos, videos))
    shift_rng = numpy_generator_for(seed, "ask/retrieval/shift")
    shift_2B = np.zeros((2, draws))
    for v, y_TP in enumerate(true_by_clip):
        count = len(y_TP)
        place_T = np.arange(count)
        guess_UTP = np.stack([x_TP[place_T * len(x_TP) // count] for x_TP in predicted_by_clip])
        guess_UTW = _windows(standardised(guess_UTP, every, slowest_period_seconds), window_samples)
        truth_1TW = _windows(
            standardised(y_TP[None], every, slowest_period_seconds), window_samples
        )
        at_a_time = max(1, _CHUNK_BYTES // (16 * count * count))
        for first in range(0, videos, at_a_time):
            part = slice(first, first + at_a_time)
            better_UT, equal_UT = _at_own_time(guess_UTW[part] @ truth_1TW[0].T, least)
            swap_2UV[:, part, v] = _two_numbers(better_UT, equal_UT, places_V[v])
        better_TT, equal_TT = _at_any_time(guess_UTW[v] @ truth_1TW[0].T, least)
        by_S = far_shifts(count, rate_hz, away_seconds)
        score_2S = np.empty((2, len(by_S)))
        for s, by in enumerate(by_S):
            # Shifted by s, what was predicted for t - s stands at t; not round the clip's end.
            both_T = place_T[by:] if by <= count // 2 else place_T[:by]
            row_T = (both_T - by) % count
            better_1T, equal_1T = better_TT[row_T, both_T][None], equal_TT[row_T, both_T][None]
            score_2S[:, [s]] = _two_numbers(better_1T, equal_1T, places_V[v])
        shift_2B += score_2S[:, shift_rng.integers(len(by_S), size=draws)] / videos

    swap_rng = numpy_generator_for(seed, "ask/retrieval/swap")
    song_BV = uniform_permutations(videos, draws, swap_rng)
    swap_2B = swap_2UV[:, song_BV, np.arange(videos)].mean(axis=2)
    own_2V = np.einsum("kvv->kv", swap_2UV)
    recall, relative = own_2V.mean(axis=1)
    p_shift = permutation_p(-relative, -shift_2B[1])
    p_swap = permutation_p(-relative, -swap_2B[1])
    return Retrieval(
        recall_at_1=float(recall),
        chance_recall_at_1=float((1 / places_V).mean()),
        median_rank=float((own_2V[1] * places_V + 0.5).mean()),
        chance_median_rank=float(((places_V + 1) / 2).mean()),
        candidates=float(places_V.mean() - 1),
        p_shift=p_shift,
        p_swap=p_swap,
        p_value=max(p_shift, p_swap),
        p_recall=max(permutation_p(recall, shift_2B[0]), permutation_p(recall, swap_2B[0])),
        relative_V=own_2V[1].copy(),
        shift_null_B=shift_2B[1],
        swap_null_B=swap_2B[1],
    )


def _windows(x_NTP: np.ndarray, window_samples: int) -> np.ndarray:
    """Each time with its neighbours, at length 1 (0 where nothing varies): N x T x (P * window)."""
    around = range(-(window_samples // 2), window_samples - window_samples // 2)
    x_NTW = np.concatenate([np.roll(x_NTP, -step, axis=1) for step in around], axis=2)
    length_NT1 = np.linalg.norm(x_NTW, axis=2, keepdims=True)
    return np.divide(x_NTW, length_NT1, out=np.zeros_like(x_NTW), where=length_NT1 > 0)


def _at_own_time(likeness_UTT: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray]:
    """How many far times are likelier than the true one, and how many as likely: U x T, twice."""
    place_T = np.arange(likeness_UTT.shape[1])
    apart_TT = np.abs(place_T[:, None] - place_T)
    far_TT = np.minimum(apart_TT, len(place_T) - apart_TT) >= least
    own_UT1 = np.einsum("utt->ut", likeness_UTT)[:, :, None]
    better_UT = np.count_nonzero((likeness_UTT > own_UT1) & far_TT, axis=2)
    return better_UT, np.count_nonzero((likeness_UTT == own_UT1) & far_TT, axis=2)


def _at_any_time(likeness_TT: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray]:
    """The same for every pair of a predicted time i and a time j taken as the true one: T x T."""
    count = len(likeness_TT)
    order_TT = likeness_TT.argsort(axis=1)
    ascending_TT = np.take_along_axis(likeness_TT, order_TT, axis=1)
    # Where a run of equal values begins and ends in the sorted row.
    new_TT = np.ones((count, count + 1), bool)
    new_TT[:, 1:-1] = ascending_TT[:, 1:] != ascending_TT[:, :-1]
    place_T = np.arange(count)
    first_TT = np.maximum.accumulate(np.where(new_TT[:, :-1], place_T, 0), axis=1)
    last_TT = np.where(new_TT[:, 1:], place_T, count - 1)
    last_TT = np.minimum.accumulate(last_TT[:, ::-1], axis=1)[:, ::-1]
    better_TT, equal_TT = np.empty_like(order_TT), np.empty_like(order_TT)
    np.put_along_axis(better_TT, order_TT, count - 1 - last_TT, axis=1)
    np.put_along_axis(equal_TT, order_TT, last_TT - first_TT + 1, axis=1)
    for step in range(1 - least, least):  # what is near j is no candidate
        near_TT = np.roll(likeness_TT, -step, axis=1)
        better_TT -= near_TT > likeness_TT
        equal_TT -= near_TT == likeness_TT
    return better_TT, equal_TT


def _two_numbers(better_NT: np.ndarray, equal_NT: np.ndarray, places: int) -> np.ndarray:
    """Share of times ranked first, and median rank as a share of the places: 2 x N."""
    recall_N = np.where(better_NT == 0, 1 / (1 + equal_NT), 0).mean(axis=1)
    rank_N = np.median(1 + better_NT + equal_NT / 2, axis=1)
    return np.stack([recall_N, (rank_N - 0.5) / places])


def _check(
    predicted: Sequence[np.ndarray], true: Sequence[np.ndarray], least: int, window_samples: int
) -> None:
    if len(predicted) != len(true) or len(true) < 2:
        raise ValueError(
            f"{len(predicted)} predictions and {len(true)} clips: as many, at least 2, are needed"
        )
    if window_samples < 1:
        raise ValueError(f"window_samples = {window_samples}: at least 1 is needed")
    for x_TP, y_TP in zip(predicted, true, strict=True):
        if np.shape(x_TP) != np.shape(y_TP) or np.ndim(x_TP) != 2:
            raise ValueError(f"curves of {np.shape(x_TP)} and {np.shape(y_TP)}: T x P is needed")
        if len(y_TP) < max(2 * least, window_samples):
            raise ValueError(
                f"a clip of {len(y_TP)} samples has no times {least} samples from each other "
                "either way around"
            )
        if not (np.isfinite(x_TP).all() and np.isfinite(y_TP).all()):
            raise ValueError("curves hold values that are not finite numbers")
