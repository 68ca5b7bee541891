"""Does the picture move when notes begin? The correlation of the two at every lag around 0.

Arrays only. Shapes: V clips, U songs, T times of a clip, L lags, B draws of a null.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.evidence.nulls import permutation_p, uniform_permutations
from soundreel.evidence.shifts import every_seconds, far_shifts
from soundreel.evidence.streams import standardised
from soundreel.seeding import numpy_generator_for
from soundreel.timeline import exact_seconds, frame_shown_at

_CHUNK_BYTES = 100_000_000


@dataclass(frozen=True)
class LagCurve:
    """Mean correlation of motion and onsets at every lag, and what chance gives.

    lags_seconds_L: positive where the picture comes after the sound; correlation_L: at each.
    peak: the largest of them (signed), at peak_lag_seconds.
    p_swap, p_shift: how often the largest over all lags is as large with songs swapped between
        clips, and with songs shifted within them; p_value: the larger of the two.
    band: chance puts the whole curve below it in 95% of swaps (simultaneous over the lags).
    low_L, high_L: where chance puts 95% of swaps at one lag.
    swap_null_B, shift_null_B: the largest correlation over the lags of each draw.
    """

    lags_seconds_L: np.ndarray
    correlation_L: np.ndarray
    peak: float
    peak_lag_seconds: float
    p_swap: float
    p_shift: float
    p_value: float
    band: float
    low_L: np.ndarray
    high_L: np.ndarray
    swap_null_B: np.ndarray
    shift_null_B: np.ndarray


def lag_curve(
    motion_by_clip: Sequence[np.ndarray],
    onset_by_clip: Sequence[np.ndarray],
    rate_hz: Fraction | float,
    most_lag_seconds: Fraction | float = 0.5,
    slowest_period_seconds: float = 30.0,
    away_seconds: Fraction | float = 6,
    draws: int = 1_999,
    seed: int = 0,
) -> LagCurve:
    """The lag curve of motion energy against the onset envelope, with a test over all lags.

    motion_by_clip, onset_by_clip: one curve of T samples a clip, both at `rate_hz` (a Fraction
    where it is no whole number), over the same times; clips may differ in length.

    The correlation at lag l is that of motion at t + l with onsets at t, beyond each clip's mean,
    scale and drift (periods over `slowest_period_seconds`). A clip's end is joined to its
    beginning, so that every lag, and every shift, is a correlation over the same T samples; at
    the ends of a minute that concerns less than 1% of them.

    The statistic is the largest correlation over the lags, signed: moves that gather at onsets
    give a positive peak, and moves that avoid them one half a beat beside it, so a second side
    would only cost power. Searching the lags costs nothing in error, as every draw does so too.

    Nulls: (1) songs swapped between clips at the same absolute time: cut to the clip's length, or
    repeated where the song is shorter (stretching a song to another's length would change its
    tempo, and with it how onsets can meet moves); uniform permutations. (2) songs shifted in a
    circle within their clip by at least `away_seconds`, every clip by its own.

    Raises: ValueError for fewer than 2 clips, curves of different lengths or fewer than 8
    samples, or a lag that reaches the shifts.
    """
    lags_L = _lags(most_lag_seconds, away_seconds, rate_hz)
    every = every_seconds(rate_hz)
    _check(motion_by_clip, onset_by_clip, len(lags_L))
    videos = len(motion_by_clip)
    pair_UVL = _all_pairs(motion_by_clip, onset_by_clip, every, slowest_period_seconds, lags_L)
    correlation_L = np.einsum("vvl->l", pair_UVL) / videos
    peak = float(correlation_L.max())

    swap_rng = numpy_generator_for(seed, "ask/lag-curve/swap")
    song_BV = uniform_permutations(videos, draws, swap_rng)
    swapped_BL = np.zeros((draws, len(lags_L)))
    for v in range(videos):
        swapped_BL += pair_UVL[song_BV[:, v], v]
    swapped_BL /= videos

    shift_rng = numpy_generator_for(seed, "ask/lag-curve/shift")
    shifted_BL = np.zeros((draws, len(lags_L)))
    for motion_T, onset_T in zip(motion_by_clip, onset_by_clip, strict=True):
        ready_2T1 = np.stack([motion_T, onset_T])[:, :, None]
        seen_T, heard_T = standardised(ready_2T1, every, slowest_period_seconds)[:, :, 0]
        around_T = _circular(np.fft.rfft(seen_T), np.fft.rfft(heard_T), len(seen_T))
        by_B = shift_rng.choice(far_shifts(len(seen_T), rate_hz, away_seconds), draws)
        shifted_BL += around_T[(lags_L + by_B[:, None]) % len(seen_T)]
    shifted_BL /= videos

    swap_null_B, shift_null_B = swapped_BL.max(axis=1), shifted_BL.max(axis=1)
    p_swap, p_shift = permutation_p(peak, swap_null_B), permutation_p(peak, shift_null_B)
    low_L, high_L = np.quantile(swapped_BL, (0.025, 0.975), axis=0)
    return LagCurve(
        lags_seconds_L=lags_L * every,
        correlation_L=correlation_L,
        peak=peak,
        peak_lag_seconds=float(lags_L[correlation_L.argmax()] * every),
        p_swap=p_swap,
        p_shift=p_shift,
        p_value=max(p_swap, p_shift),
        band=float(np.quantile(swap_null_B, 0.95)),
        low_L=low_L,
        high_L=high_L,
        swap_null_B=swap_null_B,
        shift_null_B=shift_null_B,
    )


def _all_pairs(
    motion_by_clip: Sequence[np.ndarray],
    onset_by_clip: Sequence[np.ndarray],
    every: float,
    slowest_period_seconds: float,
    lags_L: np.ndarray,
) -> np.ndarray:
    """The correlation of every clip's motion with every song's onsets at every lag: U x V x L."""
    videos = len(motion_by_clip)
    length_V = np.array([len(motion_T) for motion_T in motion_by_clip])
    pair_UVL = np.empty((videos, videos, len(lags_L)))
    for count in np.unique(length_V):
        # np.resize cuts what is longer, and repeats what is shorter.
        heard_UT = np.stack([np.resize(onset_T, count) for onset_T in onset_by_clip])
        heard_UF = np.fft.rfft(_ready(heard_UT, every, slowest_period_seconds))
        of_this_length = np.flatnonzero(length_V == count)
        at_a_time = max(1, _CHUNK_BYTES // (24 * videos * int(count)))
        for first in range(0, len(of_this_length), at_a_time):
            some = of_this_length[first : first + at_a_time]
            seen_CT = np.stack([motion_by_clip[v] for v in some])
            seen_CF = np.fft.rfft(_ready(seen_CT, every, slowest_period_seconds))
            around_UCT = _circular(seen_CF[None], heard_UF[:, None], count)
            pair_UVL[:, some] = around_UCT[..., lags_L % count]
    return pair_UVL


def _ready(x_NT: np.ndarray, every: float, slowest_period_seconds: float) -> np.ndarray:
    return standardised(x_NT[:, :, None], every, slowest_period_seconds)[:, :, 0]


def _circular(seen_F: np.ndarray, heard_F: np.ndarray, count: int) -> np.ndarray:
    """[..., k]: the correlation of what is seen at t + k with what is heard at t, in a circle."""
    return np.fft.irfft(seen_F * heard_F.conj(), count) / count


def _lags(
    most_lag_seconds: Fraction | float, away_seconds: Fraction | float, rate_hz: Fraction | float
) -> np.ndarray:
    """All whole samples up to the largest lag, both ways."""
    if not 0 <= most_lag_seconds < away_seconds:
        raise ValueError(
            f"most_lag_seconds = {most_lag_seconds}: must be less than the shifts' {away_seconds} s"
        )
    most = frame_shown_at(exact_seconds(most_lag_seconds), Fraction(rate_hz))
    return np.arange(-most, most + 1)


def _check(motion: Sequence[np.ndarray], onset: Sequence[np.ndarray], lags: int) -> None:
    if len(motion) != len(onset) or len(motion) < 2:
        raise ValueError(f"{len(motion)} clips and {len(onset)} songs: as many, at least 2, needed")
    for motion_T, onset_T in zip(motion, onset, strict=True):
        if np.shape(motion_T) != np.shape(onset_T) or np.ndim(motion_T) != 1:
            raise ValueError(
                f"curves of {np.shape(motion_T)} and {np.shape(onset_T)}: T each is needed"
            )
        if len(motion_T) < max(8, 2 * lags):
            raise ValueError(
                f"a clip of {len(motion_T)} samples is too short for {lags} lags: "
                f"at least {max(8, 2 * lags)} are needed"
            )
        if not (np.isfinite(motion_T).all() and np.isfinite(onset_T).all()):
            raise ValueError("curves hold values that are not finite numbers")
