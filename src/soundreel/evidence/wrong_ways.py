"""Tests that look right and are wrong, to be measured beside the right one; for nothing else.

Each takes what `dependence.dependence` takes and returns a p-value, and each leaves out one thing
that the right test does. On music and pictures that have nothing to do with each other they find
dependence too often, each under other circumstances: the calibration shows how often.

Arrays only. Shapes: V videos, N candidate sounds of a video, B draws, T times, F folds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from soundreel.evidence.dependence import Design, folds_of
from soundreel.evidence.nulls import permutation_p, uniform_permutations
from soundreel.evidence.refitting import Candidates, Scores, refitted_scores
from soundreel.evidence.streams import Clip, standardised, swapped_relative
from soundreel.seeding import numpy_generator_for

WrongWay = Callable[[Sequence[Clip], Sequence[int], Design], float]


def shuffled_samples(clips: Sequence[Clip], groups: Sequence[int], design: Design) -> float:
    """WRONG: the null shuffles the samples of each song, as if one told nothing of the next.

    A shuffled song is no longer smooth, and smooth curves agree by chance far more often than
    rough ones: the null is too narrow. Fades, and all else that songs share in time, are lost too.
    """

    def candidates(v: int) -> np.ndarray:
        rng = numpy_generator_for(design.seed, "wrong/samples", v)
        sound_TA = clips[v].own_sound
        order_BT = uniform_permutations(len(sound_TA), design.draws, rng)
        return _heard(np.concatenate([sound_TA[None], sound_TA[order_BT]]), design)

    draw_B = np.arange(design.draws + 1)
    return _against(candidates, np.tile(draw_B[:, None], (1, len(clips))), clips, groups, design)


def swapped_without_refitting(
    clips: Sequence[Clip], groups: Sequence[int], design: Design
) -> float:
    """WRONG: songs are swapped where they are tested, but the fits stay those of the true pairs.

    The fits' own luck is then in the observed score and in none of the null's.
    """
    matrix_UV = _observed(clips, groups, design).own_NV
    rng = numpy_generator_for(design.seed, "wrong/matrix")
    song_BV = uniform_permutations(len(clips), design.draws, rng)
    null_B = matrix_UV[song_BV, np.arange(len(clips))].mean(axis=1)
    return permutation_p(float(np.trace(matrix_UV)) / len(clips), null_B)


def t_test_over_folds(clips: Sequence[Clip], groups: Sequence[int], design: Design) -> float:
    """WRONG: a one-sample t-test of the folds' mean scores against 0, one-sided.

    Folds are not independent: any two have learnt from mostly the same videos. And the mean
    without dependence need not be 0: what all songs and all videos share in time is found too.
    """
    score_V = _observed(clips, groups, design).score_BV[0]
    fold_V = folds_of(groups, design.folds, design.seed)
    score_F = np.array([score_V[fold_V == fold].mean() for fold in range(fold_V.max() + 1)])
    spread = float(score_F.std(ddof=1)) / math.sqrt(len(score_F))
    if spread == 0:
        return 0.5 - 0.5 * float(np.sign(score_F[0]))
    return student_tail(float(score_F.mean()) / spread, len(score_F) - 1)


def derangements(clips: Sequence[Clip], groups: Sequence[int], design: Design) -> float:
    """WRONG: every video gets another's song in every draw of the null, with fits of its own.

    The observed pairing is then not one of those that are equally likely without dependence.
    """
    rng = numpy_generator_for(design.seed, "wrong/derangements")
    song_BV = _deranged(len(clips), design.draws, rng)
    choice_BV = np.concatenate([np.arange(len(clips))[None], song_BV])
    return _against(_songs(clips, design), choice_BV, clips, groups, design)


def shifts_alone(clips: Sequence[Clip], groups: Sequence[int], design: Design) -> float:
    """WRONG: the only null shifts each song in a circle within its own video, with fits anew.

    What all songs share at the same time of a video (fades, a beginning and an end) is moved away
    from where it was. And where a song's end meets its beginning it jumps: of music and pictures
    that both pulse, a circle holds two phases of the beat, and the null is too narrow.
    """
    least = max(1, round(design.least_shift_seconds / design.every_seconds))
    rng = numpy_generator_for(design.seed, "wrong/shifts")
    counts = [len(_in_a_circle(clip.own_sound, least)) for clip in clips]
    null_BV = np.stack([rng.integers(1, count, design.draws) for count in counts], axis=1)
    choice_BV = np.concatenate([np.zeros((1, len(clips)), np.int64), null_BV])
    return _against(
        lambda v: _heard(_in_a_circle(clips[v].own_sound, least), design),
        choice_BV,
        clips,
        groups,
        design,
    )


#: Every wrong way, by a name for a table.
WRONG_WAYS: dict[str, WrongWay] = {
    "samples shuffled": shuffled_samples,
    "swaps not refitted": swapped_without_refitting,
    "t-test over folds": t_test_over_folds,
    "derangements": derangements,
    "circular shifts alone": shifts_alone,
}


def student_tail(t: float, freedom: int) -> float:
    """P(T > t) for Student's t with a whole number of degrees of freedom, at least 1.

    Source: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4 (finite sums).
    """
    angle = math.atan2(t, math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    # The terms of the sum: each is the last times cos^2 and (2 j - 1) / 2 j, or 2 j / (2 j + 1).
    term = cosine if odd else 1.0
    total = 0.0
    for j in range(1, (freedom - odd) // 2 + 1):
        total += term
        term *= cosine**2 * ((2 * j) / (2 * j + 1) if odd else (2 * j - 1) / (2 * j))
    within = (2 / math.pi) * (angle + sine * total) if odd else sine * total
    return min(1.0, max(0.0, (1 - within) / 2))


def _observed(clips: Sequence[Clip], groups: Sequence[int], design: Design) -> Scores:
    return refitted_scores(
        _songs(clips, design),
        _seen(clips, design),
        np.arange(len(clips))[None],
        folds_of(groups, design.folds, design.seed),
        design.ridge,
    )


def _against(
    candidates: Candidates,
    choice_BV: np.ndarray,
    clips: Sequence[Clip],
    groups: Sequence[int],
    design: Design,
) -> float:
    """The p-value of the first pairing against the others."""
    fold_V = folds_of(groups, design.folds, design.seed)
    made = refitted_scores(candidates, _seen(clips, design), choice_BV, fold_V, design.ridge)
    score_B = made.score_BV.mean(axis=1)
    return permutation_p(float(score_B[0]), score_B[1:])


def _songs(clips: Sequence[Clip], design: Design) -> Candidates:
    return lambda v: _heard(swapped_relative(clips, v), design)


def _heard(x_NTA: np.ndarray, design: Design) -> np.ndarray:
    ready_NTA = standardised(x_NTA, design.every_seconds, design.slowest_seconds)
    return ready_NTA * np.array(design.sound_weights) if design.sound_weights else ready_NTA


def _seen(clips: Sequence[Clip], design: Design) -> list[np.ndarray]:
    every, slowest = design.every_seconds, design.slowest_seconds
    return [standardised(clip.picture_TP[None], every, slowest)[0] for clip in clips]


def _in_a_circle(sound_TA: np.ndarray, least_samples: int) -> np.ndarray:
    """A song as it is and moved by so many samples or more, its end first: N x T x A.

    In a clip too short for the distance, by half its length.
    """
    count = len(sound_TA)
    least = min(least_samples, max(1, count // 2))
    by_N = np.concatenate([[0], np.arange(least, max(least, count - least) + 1)])
    return sound_TA[(np.arange(count) - by_N[:, None]) % count]


def _deranged(count: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Permutations that leave nothing in its place, drawn uniformly: B x V.

    Raises: ValueError for fewer than two.
    """
    if count < 2:
        raise ValueError(f"{count} songs: only two and more can be deranged")
    made_BV = uniform_permutations(count, draws, rng)
    while len(again := np.flatnonzero((made_BV == np.arange(count)).any(axis=1))):
        made_BV[again] = uniform_permutations(count, len(again), rng)
    return made_BV
