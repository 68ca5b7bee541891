"""Song -> film -> song': is the original the nearest to what was composed from its film?

It measures how much of the music a film carries, through both models. Arrays only. Shapes: V
songs, U what was composed of them (as many), T moments, D curves, P pieces, S shifts, B draws.

What is likeness: the correlation of the curves of two songs at the same times, each without its
mean, its scale and what all songs share (see `song_likeness.own_curves`). A composer has one
timbre and one level for all films, so likeness of these would say nothing of which song it was;
whether they came through is told apart (`with_levels`). A film is a little late, or early, by
windows and held frames, and a quarter of a second turns a beat into its opposite: so of every
pair, own or not, the likeness is the largest within half a second either way.

What is chance: had the film carried nothing, any original would do as well as the song's own.
So originals are exchanged, whole songs at a time: pieces of one song share its tempo and its
instruments, and exchanging them one by one would call that luck. Against songs that merely pulse
at one tempo, each song' is also turned in time. Every comparison is with other songs at the same
moment, so what all songs share (a fade, an ending) is in all of it and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations

import numpy as np

from soundreel.evidence.nulls import permutation_p, uniform_permutations
from soundreel.evidence.proportion import binomial_interval
from soundreel.evidence.shifts import least_samples
from soundreel.evidence.song_likeness import own_curves, weights_of
from soundreel.evidence.verdicts import Verdict, detectable, interval, verdict_of
from soundreel.seeding import numpy_generator_for

#: Fewer songs have too few orders to exchange them in (4: 24): they are judged by time alone.
FEWEST_TO_SWAP = 5
#: Up to so many songs all orders are gone through (8: 40,320); of more, some are drawn.
_ALL_ORDERS_UP_TO = 8
#: Shifts of a song that are computed, evenly spread over its length.
_MOST_SHIFTS = 64
_LAG_SECONDS = Fraction(1, 2)
#: Likeness is kept to so many decimals, so that equal songs tie whatever the rounding.
_DECIMALS = 10


@dataclass(frozen=True, eq=False)
class Cycle:
    """How surely a song is told from what was composed of its film.

    Of whole songs: rank_V: the place of the own original, 1 is best, ties half; recall_at_1: share
    of songs whose original is the nearest, with its exact 95% interval; the median rank and the
    mean reciprocal rank; all with what chance gives, exactly. p_recall: exact for R@1.
    with_levels: R@1 where loudness and timbre count as they are; p_with_levels: its p-value.
    likeness_VV: [u, v]: of what was composed of song u with song v, -1 to 1.

    Of pieces: share_VV: [u, v]: for pieces of what was composed of u, how often the same piece of
    song v is nearer than that of another song. effect: twice the mean of its diagonal less 1,
    which the verdict rests on: 0 by chance, 1 always. p_swap: originals exchanged (exact up to 8
    songs); p_shift: each song' turned in time, joined at its ends. p_value: the larger; of
    fewer than `FEWEST_TO_SWAP` songs p_shift, since exchanging them can give no less than 1 / V!.
    swap_null_B, shift_null_B: the effect by chance. low, high: its 95% interval.
    seconds: what was compared of each song, in `pieces` pieces.
    """

    recall_at_1: float
    chance_recall_at_1: float
    recall_low: float
    recall_high: float
    p_recall: float
    median_rank: float
    chance_median_rank: float
    mean_reciprocal_rank: float
    chance_mean_reciprocal_rank: float
    with_levels: float
    p_with_levels: float
    rank_V: np.ndarray
    likeness_VV: np.ndarray
    effect: float
    low: float
    high: float
    p_swap: float
    p_shift: float
    p_value: float
    mde80: float
    verdict: Verdict
    share_VV: np.ndarray
    swap_null_B: np.ndarray
    shift_null_B: np.ndarray
    seconds: Fraction
    pieces: int


def cycle(
    composed_by_song: Sequence[np.ndarray],
    song_by_song: Sequence[np.ndarray],
    qualities: Sequence[str],
    rate_hz: Fraction | float,
    piece_seconds: Fraction | float = 8,
    *,
    delta: float = 0.1,
    alpha: float = 0.05,
    draws: int = 1_999,
    seed: int = 0,
) -> Cycle:
    """Rank every original among all originals by its likeness to what was composed of its film.

    composed_by_song, song_by_song: T x D curves of each, at the same `rate_hz` moments a second
    from the song's beginning. All are cut to the shortest. qualities: which one each of the D
    curves belongs to (`song_likeness.QUALITIES`); each quality weighs as much.

    Raises: ValueError for fewer than 2 songs, curves that do not match, or none at all.
    """
    _check(composed_by_song, song_by_song, qualities, draws)
    count = min(map(len, [*composed_by_song, *song_by_song]))
    made_VTD, true_VTD = (
        np.stack([np.asarray(x_TD, np.float64)[:count] for x_TD in curves])
        for curves in (composed_by_song, song_by_song)
    )
    songs, weight_D = len(true_VTD), weights_of(qualities)
    lag = min(count // 4, least_samples(rate_hz, _LAG_SECONDS))
    whole = _Compared(made_VTD, true_VTD, weight_D, count, lag)
    likeness_VV = next(whole.likeness([0]))[0]
    rank_VV, hit_VV = _ranks(likeness_VV)
    rank_V, recall = np.diagonal(rank_VV).copy(), float(np.trace(hit_VV) / songs)
    _, with_levels_VV = _ranks(_nearness(made_VTD, true_VTD, weight_D, lag))

    piece = min(count, least_samples(rate_hz, piece_seconds))
    by_piece = _Compared(made_VTD, true_VTD, weight_D, piece, lag)
    share_VV = _shares(next(by_piece.likeness([0]))).mean(axis=0)
    orders_BV, all_orders = _orders(songs, draws, seed)
    swap_null_B = 2 * share_VV[np.arange(songs), orders_BV].mean(axis=1) - 1
    effect = float(2 * np.trace(share_VV) / songs - 1)
    p_swap = _p_of(effect, swap_null_B, all_orders)
    shift_null_B = _shift_null(by_piece, draws, seed)
    p_shift = permutation_p(effect, shift_null_B)
    swapped = songs >= FEWEST_TO_SWAP
    nulls = (swap_null_B, shift_null_B) if swapped else (shift_null_B,)
    null_sd = max(float(np.std(null_B)) for null_B in nulls)
    p = max(p_swap, p_shift) if swapped else p_shift
    low, high = interval(effect, null_sd)
    return Cycle(
        recall_at_1=recall,
        chance_recall_at_1=1 / songs,
        recall_low=binomial_interval(math.floor(np.trace(hit_VV) + 1e-9), songs)[0],
        recall_high=binomial_interval(math.ceil(np.trace(hit_VV) - 1e-9), songs)[1],
        p_recall=_p_matches(hit_VV, orders_BV, all_orders),
        median_rank=float(np.median(rank_V)),
        chance_median_rank=(songs + 1) / 2,
        mean_reciprocal_rank=float((1 / rank_V).mean()),
        chance_mean_reciprocal_rank=float((1 / np.arange(1, songs + 1)).mean()),
        with_levels=float(np.trace(with_levels_VV) / songs),
        p_with_levels=_p_matches(with_levels_VV, orders_BV, all_orders),
        rank_V=rank_V,
        likeness_VV=likeness_VV,
        effect=effect,
        low=low,
        high=high,
        p_swap=p_swap,
        p_shift=p_shift,
        p_value=p,
        mde80=detectable(null_sd),
        verdict=verdict_of(effect, null_sd, p, delta, alpha),
        share_VV=share_VV,
        swap_null_B=swap_null_B,
        shift_null_B=shift_null_B,
        seconds=count / Fraction(rate_hz),
        pieces=count // piece,
    )


def matches_p(nearest_U: Sequence[int], matches: int) -> float:
    """How likely so many own originals or more are nearest, had each song' any of them: exact.

    nearest_U: for each song' its nearest original, 0 to V - 1. Each of the V! ways of saying
    which original belongs to which song' is as likely; how often each is nearest stays as it is.

    By rook numbers: k matches can be chosen in e_k ways, the elementary symmetric polynomial of
    how often each original is nearest; inclusion and exclusion gives the rest (Riordan 1958).

    Shape: U = V. Raises: ValueError if an original is not among them.
    """
    songs = len(nearest_U)
    if songs == 0 or min(nearest_U) < 0 or max(nearest_U) >= songs:
        raise ValueError(f"{list(nearest_U)}: give numbers from 0 to {songs - 1}, as many")
    ways = [1]
    for times in np.bincount(nearest_U, minlength=songs).tolist():
        ways = [
            (ways[k] if k < len(ways) else 0) + (times * ways[k - 1] if k else 0)
            for k in range(len(ways) + 1)
        ]
    orders = sum(
        (-1) ** (j - k) * math.comb(j, k) * ways[j] * math.factorial(songs - j)
        for k in range(matches, songs + 1)
        for j in range(k, songs + 1)
    )
    return float(Fraction(orders, math.factorial(songs)))


@dataclass(frozen=True, eq=False)
class _Compared:
    """What was composed, V x T x D, beside the songs, in pieces of so many moments."""

    made_VTD: np.ndarray
    true_VTD: np.ndarray
    weight_D: np.ndarray
    piece: int
    lag: int

    def likeness(self, by_S: Sequence[int]) -> Iterator[np.ndarray]:
        """The likeness of every pair with what was composed moved by each of ascending shifts.

        Yields P x U x V, the largest over the lags; joined at the ends.
        """
        true_PFV = own_curves(self._pieces(self.true_VTD), self.weight_D).swapaxes(1, 2)
        at: dict[int, np.ndarray] = {}
        for by in by_S:
            near = range(by - self.lag, by + self.lag + 1)
            at = {roll: at[roll] if roll in at else self._at(roll, true_PFV) for roll in near}
            yield np.max(list(at.values()), axis=0)

    def _at(self, roll: int, true_PFV: np.ndarray) -> np.ndarray:
        moved_PVLD = self._pieces(np.roll(self.made_VTD, roll, axis=1))
        return np.round(own_curves(moved_PVLD, self.weight_D) @ true_PFV, _DECIMALS)

    def _pieces(self, x_VTD: np.ndarray) -> np.ndarray:
        """Whole pieces of songs, one after the other: P x V x piece x D."""
        songs, count, curves = x_VTD.shape
        whole = x_VTD[:, : count // self.piece * self.piece]
        return whole.reshape(songs, -1, self.piece, curves).swapaxes(0, 1)


def _nearness(
    made_VTD: np.ndarray, true_VTD: np.ndarray, weight_D: np.ndarray, lag: int
) -> np.ndarray:
    """Minus the mean squared difference of the curves as they are, over the originals' spread."""
    spread_D = true_VTD.std(axis=(0, 1))
    scale_D = np.sqrt(weight_D) / np.where(spread_D > 0, spread_D, 1)
    true_VF = (true_VTD * scale_D).reshape(len(true_VTD), -1)
    products = []
    for roll in range(-lag, lag + 1):
        made_UF = (np.roll(made_VTD, roll, axis=1) * scale_D).reshape(len(made_VTD), -1)
        products.append(made_UF @ true_VF.T)
    # Less the square of what was composed, which is the same for every original.
    nearness_UV = 2 * np.max(products, axis=0) - np.square(true_VF).sum(axis=1)
    return np.round(nearness_UV / made_VTD.shape[1], _DECIMALS)


def _ranks(likeness_UV: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each original's rank for each song', and its share of the first place: ... x U x V, twice."""
    better_UV = (likeness_UV[..., None, :] > likeness_UV[..., :, None]).sum(axis=-1)
    equal_UV = (likeness_UV[..., None, :] == likeness_UV[..., :, None]).sum(axis=-1) - 1
    return 1 + better_UV + equal_UV / 2, np.where(better_UV == 0, 1 / (1 + equal_UV), 0)


def _shares(likeness_PUV: np.ndarray) -> np.ndarray:
    """How often an original's piece is nearer than another's at the same time: P x U x V."""
    songs = likeness_PUV.shape[-1]
    return np.stack([(songs - _ranks(x_UV)[0]) / (songs - 1) for x_UV in likeness_PUV])


def _shift_null(compared: _Compared, draws: int, seed: int) -> np.ndarray:
    """The effect with each song' turned in time, by an amount of its own; B.

    By any amount, 0 included: leaving out the small ones would leave out the draws that are most
    like what was observed, and of few short songs these are many.
    """
    songs, count, _ = compared.made_VTD.shape
    by_S = np.unique(np.arange(_MOST_SHIFTS) * count // _MOST_SHIFTS)
    own_SV = np.empty((len(by_S), songs))
    for s, likeness_PUV in enumerate(compared.likeness(by_S.tolist())):
        own_PV1 = np.einsum("puu->pu", likeness_PUV)[..., None]
        beaten_PV = (likeness_PUV < own_PV1).sum(axis=2)
        tied_PV = (likeness_PUV == own_PV1).sum(axis=2) - 1
        own_SV[s] = ((beaten_PV + tied_PV / 2) / (songs - 1)).mean(axis=0)
    drawn_BV = numpy_generator_for(seed, "ask/cycle/shift").integers(len(by_S), size=(draws, songs))
    return 2 * own_SV[drawn_BV, np.arange(songs)].mean(axis=1) - 1


def _orders(songs: int, draws: int, seed: int) -> tuple[np.ndarray, bool]:
    """Which original belongs to which song': all orders of few, drawn ones of many."""
    if songs <= _ALL_ORDERS_UP_TO:
        return np.array(list(permutations(range(songs)))), True
    rng = numpy_generator_for(seed, "ask/cycle/swap")
    return uniform_permutations(songs, draws, rng), False


def _p_of(observed: float, null_B: np.ndarray, all_orders: bool) -> float:
    """Of all orders, one of which is the true one, the share that is as good: exact."""
    if not all_orders:
        return permutation_p(observed, null_B)
    return float(np.mean(null_B >= observed - 1e-10 * max(1.0, abs(observed))))


def _p_matches(hit_VV: np.ndarray, orders_BV: np.ndarray, all_orders: bool) -> float:
    if (hit_VV.max(axis=1) == 1).all():  # no ties for the first place
        return matches_p(hit_VV.argmax(axis=1).tolist(), round(float(np.trace(hit_VV))))
    null_B = hit_VV[np.arange(len(hit_VV)), orders_BV].sum(axis=1)
    return _p_of(float(np.trace(hit_VV)), null_B, all_orders)


def _check(
    made: Sequence[np.ndarray], true: Sequence[np.ndarray], qualities: Sequence[str], draws: int
) -> None:
    if len(made) != len(true) or len(true) < 2:
        raise ValueError(
            f"{len(made)} composed and {len(true)} songs: as many, at least 2, are needed"
        )
    if draws < 1:
        raise ValueError(f"{draws} draws: at least 1 is needed")
    for x_TD in (*made, *true):
        if np.ndim(x_TD) != 2 or np.shape(x_TD)[1] != len(qualities) or len(x_TD) < 2:
            raise ValueError(
                f"curves of {np.shape(x_TD)}: T x {len(qualities)} with 2 moments or more is needed"
            )
        if not np.isfinite(x_TD).all():
            raise ValueError("curves hold values that are not finite numbers")
