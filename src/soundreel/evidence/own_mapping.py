"""Does a video follow its song by a rule of its own, that other videos do not share?

The test across videos cannot see that: what it learns from one does not hold in another. Here a
rule is learnt in one part of a clip and tried on another part of the same clip.

Arrays only. Shapes: V clips, U songs, T times of a clip, A curves heard, P curves seen, C clips
at a time, B draws of a null.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.evidence.nulls import permutation_p
from soundreel.evidence.shifts import every_seconds
from soundreel.evidence.strata import permutations_within
from soundreel.evidence.streams import standardised
from soundreel.seeding import numpy_generator_for

_CHUNK_BYTES = 60_000_000


@dataclass(frozen=True)
class OwnMapping:
    """How well rules learnt within a clip hold in the rest of it, against other songs.

    score: mean over clips of the held-out correlation with their own song, -1 to 1.
    effect: how much more that is than with other songs (the mean off the diagonal).
    p_value: how often songs swapped between clips score as much; null_B: the score of each draw.
    matrix_UV: the score of song u with video v, its rule learnt anew for the pair.
    """

    score: float
    effect: float
    p_value: float
    matrix_UV: np.ndarray
    null_B: np.ndarray


def own_mapping(
    sounds: Sequence[np.ndarray],
    pictures: Sequence[np.ndarray],
    rate_hz: Fraction | float,
    blocks: int = 5,
    gap_samples: int = 2,
    ridge_share: float = 0.3,
    slowest_period_seconds: float = 30.0,
    strata: Sequence[int] | np.ndarray | None = None,
    draws: int = 1_999,
    seed: int = 0,
) -> OwnMapping:
    """Whether clips' pictures follow their own songs by rules learnt within the clip.

    sounds: T x A a clip; pictures: T x P a clip, at the same times, `rate_hz` of them a second
    (a Fraction where it is no whole number); clips may differ in length.

    A pair's score: the clip is cut into `blocks` in time; each in turn is predicted from the
    sound by ridge regression (with an intercept; strength `ridge_share` times the number of
    samples, for curves of unit variance) learnt on the others, without `gap_samples` on both
    sides of it, as neighbours in time are alike; the correlation of predictions and picture, each
    less its mean in every block, averaged over the P curves. All curves without their clip's
    mean, scale and drift. By chance a score is about 0 in long clips, but above it in short ones
    (what drift leaves behind lies in one narrow band, and keeps its phase from block to block):
    only the difference from other songs says something.

    Null: songs swapped between clips at the same relative time, the rule learnt anew for each
    pair; uniform permutations, within `strata` where given (`strata_of`: where smooth songs have
    smooth pictures, plain swaps err). Shifts within a clip are no null here: where they join its
    end to its beginning the phase breaks, and every shifted song scores less.

    Raises: ValueError for fewer than 2 clips, curves that do not match, or clips of fewer than 4
    samples a block or too few to learn from beside block and gap.
    """
    every = every_seconds(rate_hz)
    _check(sounds, pictures, blocks, gap_samples)
    if strata is not None and len(strata) != len(sounds):
        raise ValueError(f"{len(sounds)} clips and strata of {len(strata)}: as many are needed")
    videos = len(sounds)
    seen = [standardised(x_TP[None], every, slowest_period_seconds)[0] for x_TP in pictures]
    matrix_UV = np.empty((videos, videos))
    length_V = np.array([len(x_TP) for x_TP in seen])
    for count in np.unique(length_V):
        place_T = np.arange(count)
        heard_UTA = np.stack([x_TA[place_T * len(x_TA) // count] for x_TA in sounds])
        heard_UTA = standardised(heard_UTA, every, slowest_period_seconds)
        of_this_length = np.flatnonzero(length_V == count)
        seen_CTP = np.stack([seen[v] for v in of_this_length])
        matrix_UV[:, of_this_length] = _scores(
            heard_UTA, seen_CTP, blocks, gap_samples, ridge_share
        )
    score = float(np.trace(matrix_UV) / videos)

    rng = numpy_generator_for(seed, "ask/own-mapping/swap")
    strata_V = np.zeros(videos, np.int64) if strata is None else np.asarray(strata)
    song_BV = permutations_within(strata_V, draws, rng)
    null_B = matrix_UV[song_BV, np.arange(videos)].mean(axis=1)

    others = (matrix_UV.sum() - np.trace(matrix_UV)) / (videos * (videos - 1))
    return OwnMapping(
        score=score,
        effect=float(score - others),
        p_value=permutation_p(score, null_B),
        matrix_UV=matrix_UV,
        null_B=null_B,
    )


def _scores(
    heard_UTA: np.ndarray,
    seen_CTP: np.ndarray,
    blocks: int,
    gap_samples: int,
    ridge_share: float,
) -> np.ndarray:
    """Held-out correlation of every song with every picture of one length: U x C."""
    songs, count, _ = heard_UTA.shape
    at_a_time = max(1, _CHUNK_BYTES // (16 * songs * count * seen_CTP.shape[2]))
    parts = []
    for first in range(0, len(seen_CTP), at_a_time):
        part_CTP = seen_CTP[first : first + at_a_time]
        parts.append(_scores_at_once(heard_UTA, part_CTP, blocks, gap_samples, ridge_share))
    return np.concatenate(parts, axis=1)


def _scores_at_once(
    heard_UTA: np.ndarray,
    seen_CTP: np.ndarray,
    blocks: int,
    gap_samples: int,
    ridge_share: float,
) -> np.ndarray:
    songs, count, curves = heard_UTA.shape
    pictures, _, outputs = seen_CTP.shape
    seen_TR = seen_CTP.transpose(1, 0, 2).reshape(count, -1)
    together_UR = np.zeros((songs, pictures * outputs))
    predicted_UR, true_R = np.zeros_like(together_UR), np.zeros(pictures * outputs)
    place_T, block_T = np.arange(count), np.arange(count) * blocks // count
    for block in range(blocks):
        test_N = np.flatnonzero(block_T == block)
        learn = (place_T < test_N[0] - gap_samples) | (place_T > test_N[-1] + gap_samples)
        x_ULA, y_LR = heard_UTA[:, learn], seen_TR[learn]
        x_ULA, y_LR = x_ULA - x_ULA.mean(axis=1, keepdims=True), y_LR - y_LR.mean(axis=0)
        x_UAL = x_ULA.transpose(0, 2, 1)
        gram_UAA = x_UAL @ x_ULA + ridge_share * len(y_LR) * np.eye(curves)
        right_UAR = (x_UAL.reshape(-1, len(y_LR)) @ y_LR).reshape(songs, curves, -1)
        weight_UAR = np.linalg.solve(gram_UAA, right_UAR)
        # A block's own means are taken from both, so no intercept is needed here.
        x_UNA = heard_UTA[:, test_N] - heard_UTA[:, test_N].mean(axis=1, keepdims=True)
        guess_UNR = x_UNA @ weight_UAR
        truth_NR = seen_TR[test_N] - seen_TR[test_N].mean(axis=0)
        together_UR += np.einsum("unr,nr->ur", guess_UNR, truth_NR)
        predicted_UR += np.einsum("unr,unr->ur", guess_UNR, guess_UNR)
        true_R += (truth_NR**2).sum(axis=0)
    norm_UR = np.sqrt(predicted_UR * true_R)
    score_UR = np.divide(together_UR, norm_UR, out=np.zeros_like(norm_UR), where=norm_UR > 1e-12)
    return score_UR.reshape(songs, pictures, outputs).mean(axis=2)


def _check(
    sounds: Sequence[np.ndarray], pictures: Sequence[np.ndarray], blocks: int, gap_samples: int
) -> None:
    if len(sounds) != len(pictures) or len(sounds) < 2:
        raise ValueError(
            f"{len(sounds)} songs and {len(pictures)} clips: as many, at least 2, are needed"
        )
    if blocks < 2 or gap_samples < 0:
        raise ValueError(f"{blocks} blocks, gap {gap_samples}: at least 2, and 0, are needed")
    for x_TA, y_TP in zip(sounds, pictures, strict=True):
        if np.ndim(x_TA) != 2 or np.ndim(y_TP) != 2 or len(x_TA) != len(y_TP):
            raise ValueError(
                f"curves of {np.shape(x_TA)} and {np.shape(y_TP)}: T x A and T x P are needed"
            )
        if len(x_TA) < 4 * blocks or len(x_TA) - len(x_TA) // blocks - 2 * gap_samples < 8:
            raise ValueError(
                f"a clip of {len(x_TA)} samples is too short for {blocks} blocks "
                f"with gaps of {gap_samples}"
            )
        if not (np.isfinite(x_TA).all() and np.isfinite(y_TP).all()):
            raise ValueError("curves hold values that are not finite numbers")
