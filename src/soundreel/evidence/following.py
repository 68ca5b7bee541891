"""Does a film follow its own song better than other songs? Two numbers for a person to read.

The confirmatory tests (permutations, intervals, verdicts) are another matter: this is the
effect they test, on one film.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

#: EVIDENCE A.4: in 60 s of film, cosines of up to this number have periods of about 30 s.
SLOW_TERMS = 4
#: Strength of the ridge, as a share of the number of times: mild, for curves of unit variance.
_RIDGE_SHARE = 0.05


@dataclass(frozen=True)
class Following:
    """How far a film follows its own song and others, each from -1 to 1; 0 is chance.

    own: the score with its own song; others: with each of the other songs.
    """

    own: float
    others: tuple[float, ...]

    @property
    def others_mean(self) -> float:
        """Mean score with the other songs (0 where there are none)."""
        return float(np.mean(self.others)) if self.others else 0.0

    @property
    def margin(self) -> float:
        """How much better it follows its own song than the others on average."""
        return self.own - self.others_mean

    @property
    def rank(self) -> int:
        """1 where no other song is followed as well as its own, 2 where one is, ..."""
        return 1 + sum(other >= self.own for other in self.others)


def slow_terms_for(duration_seconds: Fraction | float, slowest_period_seconds: float = 30) -> int:
    """How many cosines of a film have a longer period than that: what `without_drift` removes."""
    return int(2 * float(duration_seconds) / slowest_period_seconds)


def without_drift(x_TD: np.ndarray, slow_terms: int = SLOW_TERMS) -> np.ndarray:
    """Curves without their mean and without their slow drift.

    Removes the projections on the cosines cos(pi k (t + 1/2) / T), k = 0 to `slow_terms` (the
    first components of a DCT-II).

    Shape: T or T x D, real -> the same, float64.
    """
    x_TD = np.asarray(x_TD, dtype=np.float64)
    count = len(x_TD)
    order_K = np.arange(min(slow_terms + 1, count))
    cosine_TK = np.cos(np.pi * order_K * (np.arange(count)[:, None] + 0.5) / max(1, count))
    cosine_TK /= np.linalg.norm(cosine_TK, axis=0)
    return x_TD - cosine_TK @ (cosine_TK.T @ x_TD)


def within_correlation(a_T: np.ndarray, b_T: np.ndarray, slow_terms: int = SLOW_TERMS) -> float:
    """Correlation of two curves of one film beyond their means and slow drifts, in [-1, 1].

    0 where either does not vary beyond its drift. `slow_terms` as in `without_drift`.

    Raises: ValueError if the curves differ in length or are empty.
    """
    if len(a_T) != len(b_T) or len(a_T) == 0:
        raise ValueError(f"curves of {len(a_T)} and {len(b_T)} times: equally many are needed")
    return float(_correlations(_standard(a_T, slow_terms), _standard(b_T, slow_terms))[0])


def following(
    picture_TD: np.ndarray,
    own_sound_TD: np.ndarray,
    other_sounds_TD: Sequence[np.ndarray],
    slow_terms: int = SLOW_TERMS,
) -> Following:
    """How much better a film follows its own song than other songs at the same relative time.

    picture_TD: T x P, what there is to see; own_sound_TD: T x A, what there is to hear at the
    same times; other_sounds_TD: the same A of other songs, with any number of times each
    (brought to T by relative time).

    A song's score: the picture is predicted from the sound by ridge regression, learnt on one
    half of the film and tested on the other, both ways; the correlation of prediction and
    picture, averaged over the P and the halves. Held out, so that it is 0 and not positive by
    chance alone; all curves without mean and drift.

    Raises: ValueError if the film and its own song differ in the number of times, or there are
    fewer than 8.
    """
    count = len(picture_TD)
    if len(own_sound_TD) != count or count < 8:
        raise ValueError(
            f"{count} times of picture and {len(own_sound_TD)} of sound: "
            "equally many, and at least 8, are needed"
        )
    picture = _standard(picture_TD, slow_terms)
    scores = []
    for sound_TD in [own_sound_TD, *other_sounds_TD]:
        place_T = np.arange(count) * len(sound_TD) // count
        scores.append(_held_out_score(picture, _standard(sound_TD[place_T], slow_terms)))
    return Following(scores[0], tuple(scores[1:]))


def _held_out_score(picture_TP: np.ndarray, sound_TA: np.ndarray) -> float:
    half = len(picture_TP) // 2
    first, second = slice(None, half), slice(half, None)
    scores = []
    for learn, test in ((first, second), (second, first)):
        x_TA, y_TP = sound_TA[learn], picture_TP[learn]
        gram_AA = x_TA.T @ x_TA + _RIDGE_SHARE * len(x_TA) * np.eye(x_TA.shape[1])
        weight_AP = np.linalg.solve(gram_AA, x_TA.T @ y_TP)
        scores.append(_correlations(sound_TA[test] @ weight_AP, picture_TP[test]).mean())
    return float(np.mean(scores))


def _standard(x_TD: np.ndarray, slow_terms: int) -> np.ndarray:
    """Without drift, each curve at unit variance; curves that do not vary become 0."""
    x_TD = np.asarray(x_TD, dtype=np.float64).reshape(len(x_TD), -1)
    quick_TD = without_drift(x_TD, slow_terms)
    spread_D = quick_TD.std(axis=0)
    # What is left of a constant is rounding: nothing to blow up to unit variance.
    still_D = spread_D <= 1e-9 * (np.abs(x_TD).max(axis=0) + 1e-300)
    return np.where(still_D, 0, quick_TD / np.where(still_D, 1, spread_D))


def _correlations(a_TD: np.ndarray, b_TD: np.ndarray) -> np.ndarray:
    a_TD, b_TD = a_TD - a_TD.mean(axis=0), b_TD - b_TD.mean(axis=0)
    norm_D = np.linalg.norm(a_TD, axis=0) * np.linalg.norm(b_TD, axis=0)
    return np.divide((a_TD * b_TD).sum(axis=0), norm_D, out=np.zeros_like(norm_D), where=norm_D > 0)
