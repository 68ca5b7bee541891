"""The wrong ways: each is what it says, and is wrong where it is said to be."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chisquare, t, ttest_1samp

from soundreel.evidence.dependence import Design, dependence, folds_of
from soundreel.evidence.nulls import permutation_p, uniform_permutations
from soundreel.evidence.refitting import refitted_scores
from soundreel.evidence.streams import Clip, standardised
from soundreel.evidence.wrong_ways import (
    WRONG_WAYS,
    _deranged,
    derangements,
    shifts_alone,
    shuffled_samples,
    student_tail,
    swapped_without_refitting,
    t_test_over_folds,
)
from soundreel.seeding import numpy_generator_for
from soundreel.synthetic.features import planted_features
from soundreel.synthetic.truth import PlantedTruth

DESIGN = Design(1.5, delta=0.05, folds=5, draws=99, seed=3)


def planted(seed: int, videos: int = 12, samples: int = 40, **switches) -> list[Clip]:
    made = planted_features(PlantedTruth(**switches), seed, videos, samples)
    pairs = zip(made.audio_VTA, made.visual_VTY, strict=True)
    return [Clip(heard, seen) for heard, seen in pairs]


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 10, 31])
def test_students_tail_is_scipys(freedom):
    for value in (-40.0, -2.5, -0.1, 0.0, 0.3, 1.0, 1.83, 4.0, 30.0):
        assert student_tail(value, freedom) == pytest.approx(t.sf(value, freedom), abs=1e-12)


def test_the_t_test_is_scipys_over_the_folds():
    clips = planted(0, coupling=0.15)
    score_V = dependence(clips, range(12), DESIGN).score_V
    fold_V = folds_of(range(12), DESIGN.folds, DESIGN.seed)
    of_folds = [score_V[fold_V == fold].mean() for fold in range(5)]
    _, expected = ttest_1samp(of_folds, 0, alternative="greater")
    assert t_test_over_folds(clips, range(12), DESIGN) == pytest.approx(expected)


def test_swaps_without_refitting_permute_the_matrix_of_the_observed_fits():
    clips = planted(1, coupling=0.1)
    matrix_UV = dependence(clips, range(12), DESIGN).matrix_UV
    songs_BV = uniform_permutations(12, 99, numpy_generator_for(DESIGN.seed, "wrong/matrix"))
    null = [np.mean([matrix_UV[u, v] for v, u in enumerate(row)]) for row in songs_BV]
    expected = permutation_p(np.trace(matrix_UV) / 12, np.array(null))
    assert swapped_without_refitting(clips, range(12), DESIGN) == expected


def test_derangements_leave_nothing_in_its_place_and_are_uniform():
    drawn_BV = _deranged(4, 9_000, np.random.default_rng(0))
    assert not (drawn_BV == np.arange(4)).any()
    kinds, counts = np.unique(drawn_BV, axis=0, return_counts=True)
    assert len(kinds) == 9
    assert chisquare(counts).pvalue > 0.001
    with pytest.raises(ValueError, match="only two and more"):
        _deranged(1, 5, np.random.default_rng(0))


def test_shifts_alone_go_in_a_circle_whatever_surrounds_the_picture():
    clips = planted(2, coupling=0.1)
    # 6 s are 4 samples: a clip of 40 can be moved by 4 to 36 of them.
    rng = numpy_generator_for(DESIGN.seed, "wrong/shifts")
    by_BV = np.stack([rng.integers(4, 37, DESIGN.draws) for _ in clips], axis=1)
    fold_V = folds_of(range(12), DESIGN.folds, DESIGN.seed)
    pictures = [standardised(clip.picture_TP[None], 1.5)[0] for clip in clips]

    def score(by_V) -> float:
        rolled = [np.roll(clip.sound_SA, by, axis=0) for clip, by in zip(clips, by_V, strict=True)]
        ready = [standardised(sound[None], 1.5) for sound in rolled]
        own_1V = np.zeros((1, 12), int)
        made = refitted_scores(lambda v: ready[v], pictures, own_1V, fold_V, DESIGN.ridge)
        return float(made.score_BV.mean())

    expected = permutation_p(score([0] * 12), np.array([score(by_V) for by_V in by_BV]))
    assert shifts_alone(clips, range(12), DESIGN) == expected
    wider = [
        Clip(
            np.concatenate([clip.sound_SA[:5] * 9, clip.sound_SA, clip.sound_SA]),
            clip.picture_TP,
            5,
        )
        for clip in clips
    ]
    assert shifts_alone(wider, range(12), DESIGN) == expected


@pytest.mark.parametrize("name", WRONG_WAYS)
def test_what_is_there_is_found_by_all_of_them(name):
    clips = planted(3, coupling=0.6)
    assert WRONG_WAYS[name](clips, range(12), DESIGN) <= 0.02


def rate(way, corpora: int, design: Design = DESIGN, **switches) -> float:
    found = [
        way(planted(seed, **switches), range(12), replace(design, seed=seed)) <= 0.05
        for seed in range(corpora)
    ]
    return float(np.mean(found))


def test_fades_deceive_what_does_not_keep_them_in_place():
    for way in (shuffled_samples, shifts_alone, t_test_over_folds):
        assert rate(way, 8, shared_fades=True) > 0.5
    for way in (swapped_without_refitting, derangements):
        assert rate(way, 8, shared_fades=True) < 0.5


def test_shuffled_samples_take_smoothness_for_dependence():
    found = [
        shuffled_samples(smooth_noise(seed), range(8), replace(DESIGN, seed=seed)) <= 0.05
        for seed in range(40)
    ]
    assert np.mean(found) > 0.15
    right = [
        dependence(smooth_noise(seed), range(8), replace(DESIGN, seed=seed)).p_value <= 0.05
        for seed in range(40)
    ]
    assert np.mean(right) < 0.15


def smooth_noise(seed: int) -> list[Clip]:
    """Moving means of noise: smooth, without drift."""
    noise_VTD = np.random.default_rng(seed).standard_normal((8, 54, 12))
    moving_VTD = np.mean([noise_VTD[:, k : k + 48] for k in range(7)], axis=0)
    return [Clip(curves[:, :8], curves[:, 8:]) for curves in moving_VTD]
