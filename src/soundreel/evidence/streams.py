"""Curves made ready to be compared: without a clip's own level, scale and slow drift.

Arrays only. Shapes: T times, D curves, N candidates (songs, or shifts of one), S times of a song
(at least its video's T where there is more sound than picture).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from soundreel.evidence.following import slow_terms_for

Band = Literal["quick", "slow"]


@dataclass(frozen=True)
class Clip:
    """What a test sees of one clip: curves at equal steps in time.

    sound_SA: what there is to hear; picture_TP: what there is to see. Sample t of the picture goes
        with sample t + lead of the sound: lead > 0 where the sound begins before the picture.
    """

    sound_SA: np.ndarray
    picture_TP: np.ndarray
    lead: int = 0

    def __post_init__(self) -> None:
        """Refuse what no test can use."""
        if self.sound_SA.ndim != 2 or self.picture_TP.ndim != 2:
            raise ValueError("curves are given as times x curves")
        if not 0 <= self.lead <= len(self.sound_SA) - len(self.picture_TP):
            raise ValueError(
                f"{len(self.picture_TP)} times of picture from {self.lead} of "
                f"{len(self.sound_SA)} times of sound: the sound must cover the picture"
            )
        if not (np.isfinite(self.sound_SA).all() and np.isfinite(self.picture_TP).all()):
            raise ValueError("curves hold values that are not finite numbers")

    def __len__(self) -> int:
        return len(self.picture_TP)

    @property
    def own_sound(self) -> np.ndarray:
        """The sound at the picture's times."""
        return self.sound_SA[self.lead : self.lead + len(self)]


def standardised(
    x_NTD: np.ndarray, every_seconds: float, slowest_seconds: float = 30.0, band: Band = "quick"
) -> np.ndarray:
    """Curves of mean 0 and unit variance, each by itself, of one band of time scales.

    quick: without what has longer periods than `slowest_seconds` (cosines cos(pi k (t + 1/2) / T)
    up to that period: the first components of a DCT-II); slow: nothing but that. The mean belongs
    to neither. Curves that do not vary within the band become 0.

    Shape: N x T x D, real -> the same, float64.
    """
    x_NTD = np.asarray(x_NTD, dtype=np.float64)
    x_NTD = x_NTD - x_NTD.mean(axis=1, keepdims=True)
    largest_N1D = np.abs(x_NTD).max(axis=1, keepdims=True)
    cosine_TK = slow_cosines(x_NTD.shape[1], every_seconds, slowest_seconds)
    slow_NTD = cosine_TK @ (cosine_TK.T @ x_NTD)
    kept_NTD = slow_NTD if band == "slow" else x_NTD - slow_NTD
    spread_N1D = kept_NTD.std(axis=1, keepdims=True)
    # What is left of a constant, or of pure drift, is rounding: nothing to blow up to 1.
    still_N1D = spread_N1D <= 1e-9 * (largest_N1D + 1e-300)
    return np.where(still_N1D, 0.0, kept_NTD / np.where(still_N1D, 1.0, spread_N1D))


def slow_cosines(count: int, every_seconds: float, slowest_seconds: float) -> np.ndarray:
    """The cosines of the slow band, orthonormal, of mean 0: T x K (K = 0 in a short clip)."""
    terms = min(slow_terms_for(count * every_seconds, slowest_seconds), count - 1)
    order_K = np.arange(1, terms + 1)
    cosine_TK = np.cos(np.pi * order_K * (np.arange(count)[:, None] + 0.5) / count)
    return cosine_TK * np.sqrt(2 / count)


def with_lags(sound_SA: np.ndarray, lags: Sequence[int]) -> np.ndarray:
    """Each curve also as it was some samples earlier: S x (A * lags), the first value repeated.

    lags: in samples, at least 0; (0,) changes nothing.
    """
    place_S = np.arange(len(sound_SA))
    return np.concatenate([sound_SA[(place_S - lag).clip(0)] for lag in lags], axis=1)


def swapped_relative(clips: Sequence[Clip], v: int) -> np.ndarray:
    """Every clip's song at the same relative time of video v: V x T x A; place v is its own."""
    count = len(clips[v])
    place_T = np.arange(count)
    return np.stack([clip.own_sound[place_T * len(clip) // count] for clip in clips])


def swapped_absolute(clips: Sequence[Clip], v: int) -> np.ndarray:
    """Every clip's song at the same seconds of video v; one that is over begins anew. V x T x A."""
    place_T = np.arange(len(clips[v]))
    return np.stack(
        [clip.sound_SA[clip.lead :][place_T % (len(clip.sound_SA) - clip.lead)] for clip in clips]
    )


def shifted(clip: Clip, least_samples: int, most_samples: int) -> np.ndarray | None:
    """A clip's own song, moved along by so many samples either way: N x T x A.

    The first candidate is the song as it is. None where there is not enough more sound than
    picture for 8 others: then only what overlaps can be compared (`overlapping`).
    """
    count, sounds = len(clip), len(clip.sound_SA)
    starts = np.arange(sounds - count + 1)
    away = np.abs(starts - clip.lead)
    starts = starts[(away >= least_samples) & (away <= most_samples)]
    if len(starts) < _ENOUGH_SHIFTS:
        return None
    places_NT = np.concatenate([[clip.lead], starts])[:, None] + np.arange(count)
    return clip.sound_SA[places_NT]


def overlapping(
    x_TA: np.ndarray, least_samples: int, most_samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Curves of mean 0 moved by so many samples either way, 0 where they end: N x T x A.

    And N: the share of the times at which there are both. The first candidate is the curves as
    they are. Not in a circle: two halves at different phases of the beat give a null too narrow
    for pictures that pulse at their song's tempo. In a clip too short, by a quarter of its length.

    What is left is made stronger, so that each candidate's squares sum to the same.
    """
    count = len(x_TA)
    least = max(1, min(least_samples, count // 4))
    far_M = np.arange(least, max(least + 3, min(most_samples, count // 2)) + 1)
    by_N = np.concatenate([[0], -far_M[::-1], far_M])
    share_N = 1 - np.abs(by_N) / count
    from_NT = np.arange(count) - by_N[:, None]
    heard_NT1 = ((from_NT >= 0) & (from_NT < count))[:, :, None]
    moved_NTA = np.where(heard_NT1, x_TA[from_NT.clip(0, count - 1)], 0.0)
    return moved_NTA / np.sqrt(share_N)[:, None, None], share_N


#: Fewer plain shifts than this are too coarse a null.
_ENOUGH_SHIFTS = 8
