"""Does the picture move when notes begin? The correlation of the two at every lag around 0.

Arrays only. Shapes: V clips, U songs, C clips of one length, T times of a clip, K offsets between
sound and picture, L of them the lags asked for, B draws of a null.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.evidence.nulls import permutation_p, uniform_permutations
from soundreel.evidence.shifts import every_seconds
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
    shift_seconds: Fraction | float = 2,
    draws: int = 1_999,
    seed: int = 0,
) -> LagCurve:
    """The lag curve of motion energy against the onset envelope, with a test over all lags.

    motion_by_clip, onset_by_clip: one curve of T samples a clip, both at `rate_hz` (a Fraction
    where it is no whole number), over the same times; clips may differ in length.

    The correlation at lag l is that of motion at t + l with onsets at t over the times at which
    there are both, of curves without their clip's drift (periods over `slowest_period_seconds`).

    The statistic is the largest correlation over the lags, signed: moves that gather at onsets
    give a positive peak, and moves that avoid them one half a beat beside it, so a second side
    would only cost power. Searching the lags costs nothing in error, as every draw does so too.

    Nulls, both needed: (1) songs swapped between clips (uniform permutations), in seconds from
    the clip's beginning in its first half and from its end in its second (a song that is too
    long loses its middle, one that is too short repeats). Stretching a song to another's length
    would change its tempo; other lengths' fades would not meet. (2) each song moved by a time of
    its own, uniform within `shift_seconds` either way (a quarter of the length in shorter clips),
    scored where both are. What other clips' songs give at the same offset is no clip's own:
    it stays where it is and does not move along.

    Why not shifts of 6 s and more: pictures that pulse at their song's tempo, at a phase of their
    own, have no moment in common with it, but lose the tempo too when the song moves far (a
    tempo that wanders by 0.5%: 16% of corpora significant at .05), and at once where its end is
    joined to its beginning (42%). Within 2 s, 5% are; and being shifts through 0, they hold for
    curves however smooth. So what is asked is whether lags agree between clips: a single clip's
    peak is no evidence, and of music and pictures related over seconds this test sees nothing.

    Raises: ValueError for fewer than 2 clips, curves of different lengths or fewer than 8
    samples, or a lag that reaches the shifts.
    """
    every = every_seconds(rate_hz)
    lags_L = _lags(most_lag_seconds, shift_seconds, rate_hz)
    _check(motion_by_clip, onset_by_clip, len(lags_L))
    videos = len(motion_by_clip)
    farthest = frame_shown_at(exact_seconds(shift_seconds), Fraction(rate_hz))
    # A shift moves the lags along, so all offsets up to the sum of the two are wanted.
    most = farthest + int(lags_L[-1])
    pair_UVL, own_VK, others_K = _all_pairs(
        motion_by_clip, onset_by_clip, every, slowest_period_seconds, lags_L, most
    )
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
    for motion_T, own_K in zip(motion_by_clip, own_VK, strict=True):
        far = min(farthest, len(motion_T) // 4)
        by_B = shift_rng.integers(-far, far + 1, draws)
        shifted_BL += (own_K - others_K)[most + by_B[:, None] + lags_L]
    shifted_BL = shifted_BL / videos + others_K[most + lags_L]

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
    most: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The correlations of every song's onsets with every clip's motion.

    Returns U x V x L of all pairs at the lags; V x K of each clip with its own song and K, the
    mean over all other pairs, at all offsets from -most to most.
    """
    videos = len(motion_by_clip)
    length_V = np.array([len(motion_T) for motion_T in motion_by_clip])
    pair_UVL = np.empty((videos, videos, len(lags_L)))
    own_VK, all_K = np.empty((videos, 2 * most + 1)), np.zeros(2 * most + 1)
    for count in np.unique(length_V):
        heard_UT = np.stack([_both_ends(onset_T, count) for onset_T in onset_by_clip])
        heard_UT = _ready(heard_UT, every, slowest_period_seconds)
        of_this_length = np.flatnonzero(length_V == count)
        at_a_time = max(1, _CHUNK_BYTES // (24 * videos * _padded(count, most)))
        for first in range(0, len(of_this_length), at_a_time):
            some = of_this_length[first : first + at_a_time]
            seen_CT = np.stack([motion_by_clip[v] for v in some])
            seen_CT = _ready(seen_CT, every, slowest_period_seconds)
            around_UCK = _overlapping(heard_UT, seen_CT, most)
            pair_UVL[:, some] = around_UCK[..., most + lags_L]
            own_VK[some] = around_UCK[some, np.arange(len(some))]
            all_K += around_UCK.sum(axis=(0, 1))
    return pair_UVL, own_VK, (all_K - own_VK.sum(axis=0)) / (videos * (videos - 1))


def _both_ends(x_T: np.ndarray, count: int) -> np.ndarray:
    """A curve at another length: its beginning, then its end; each repeated where it is short."""
    half = count // 2
    return np.concatenate([np.resize(x_T, half), np.resize(x_T[::-1], count - half)[::-1]])


def _ready(x_NT: np.ndarray, every: float, slowest_period_seconds: float) -> np.ndarray:
    return standardised(x_NT[:, :, None], every, slowest_period_seconds)[:, :, 0]


def _overlapping(heard_UT: np.ndarray, seen_CT: np.ndarray, most: int) -> np.ndarray:
    """Correlations of what is seen at t + k with what is heard at t, k from -most to most.

    Over the times that have both, of whatever is seen and heard there; 0 where either does not
    vary. Shape: U x C x K.
    """
    count = seen_CT.shape[1]
    padded = _padded(count, most)
    offset_K = np.arange(-most, most + 1)
    seen_CF, heard_UF = np.fft.rfft(seen_CT, padded), np.fft.rfft(heard_UT, padded)
    product_UCK = np.fft.irfft(seen_CF * heard_UF.conj()[:, None], padded)[..., offset_K]
    first_K, last_K = offset_K.clip(0), count + offset_K.clip(None, 0)
    seen_sum_CK, seen_power_CK = _sums(seen_CT, first_K, last_K)
    heard_sum_UK, heard_power_UK = _sums(heard_UT, count - last_K, count - first_K)
    times_K = count - np.abs(offset_K)
    product_UCK -= seen_sum_CK * (heard_sum_UK / times_K)[:, None]
    norm_UCK = np.sqrt(seen_power_CK * heard_power_UK[:, None])
    # Curves have unit variance: less than a billionth of it is rounding.
    return np.divide(
        product_UCK, norm_UCK, out=np.zeros_like(product_UCK), where=norm_UCK > 1e-9 * count
    )


def _sums(
    x_NT: np.ndarray, first_K: np.ndarray, last_K: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of x from first to last, and of its squares around the mean there: N x K, twice."""
    run_NT, run_of_squares_NT = (
        np.pad(x.cumsum(axis=1), ((0, 0), (1, 0))) for x in (x_NT, x_NT**2)
    )
    sum_NK = run_NT[:, last_K] - run_NT[:, first_K]
    squares_NK = run_of_squares_NT[:, last_K] - run_of_squares_NT[:, first_K]
    return sum_NK, (squares_NK - sum_NK**2 / (last_K - first_K)).clip(0)


def _padded(count: int, most: int) -> int:
    """A length for FFTs at which no offset up to the largest comes round: a power of 2."""
    return 1 << (int(count) + most).bit_length()


def _lags(
    most_lag_seconds: Fraction | float, shift_seconds: Fraction | float, rate_hz: Fraction | float
) -> np.ndarray:
    """All whole samples up to the largest lag, both ways."""
    if not 0 <= most_lag_seconds < shift_seconds:
        raise ValueError(
            f"most_lag_seconds = {most_lag_seconds}: must be less than the shifts' "
            f"{shift_seconds} s"
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
