"""Rules within a clip: are they found where each clip has its own, and only there?"""

from fractions import Fraction

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from soundreel.evidence.following import without_drift
from soundreel.evidence.nulls import uniform_permutations
from soundreel.evidence.own_mapping import own_mapping
from soundreel.seeding import numpy_generator_for
from soundreel.synthetic.features import planted_features
from soundreel.synthetic.truth import PlantedTruth

RATE = Fraction(2, 3)


def corpus(seed: int, videos: int = 12, samples: int = 60, **switches):
    planted = planted_features(PlantedTruth(**switches), seed, videos, samples)
    return list(planted.audio_VTA), list(planted.visual_VTY)


def standard(x: np.ndarray) -> np.ndarray:
    x = without_drift(x, int(2 * len(x) * 1.5 / 30))
    return x / x.std(axis=0)


def naive_score(sound, picture, blocks, gap, share) -> float:
    count = len(picture)
    x, y = standard(sound[np.arange(count) * len(sound) // count]), standard(picture)
    block_of = np.arange(count) * blocks // count
    guesses, truths = [], []
    for block in range(blocks):
        inside = np.flatnonzero(block_of == block)
        learn = [t for t in range(count) if t < inside[0] - gap or t > inside[-1] + gap]
        fit = Ridge(alpha=share * len(learn)).fit(x[learn], y[learn])
        guess = fit.predict(x[inside])
        guesses.append(guess - guess.mean(0))
        truths.append(y[inside] - y[inside].mean(0))
    guess, truth = np.concatenate(guesses), np.concatenate(truths)
    each = [np.corrcoef(guess[:, p], truth[:, p])[0, 1] for p in range(y.shape[1])]
    return float(np.mean(each))


@pytest.mark.parametrize(("blocks", "gap", "share"), [(5, 2, 0.3), (4, 0, 0.05)])
def test_every_pair_is_what_ridge_regression_gives_when_fitted_anew(blocks, gap, share):
    sounds, pictures = corpus(0, 5, 50, coupling=0.5)
    sounds[1], pictures[1] = sounds[1][:37], pictures[1][:37]
    found = own_mapping(sounds, pictures, RATE, blocks, gap, share, draws=50, seed=4)
    expected = [[naive_score(x, y, blocks, gap, share) for y in pictures] for x in sounds]
    np.testing.assert_allclose(found.matrix_UV, expected, atol=1e-10)
    assert found.score == pytest.approx(np.trace(expected) / 5)
    off = np.array(expected)[~np.eye(5, dtype=bool)]
    assert found.effect == pytest.approx(found.score - off.mean())
    songs = uniform_permutations(5, 50, numpy_generator_for(4, "ask/own-mapping/swap"))
    null = [np.mean([expected[song][v] for v, song in enumerate(row)]) for row in songs]
    np.testing.assert_allclose(found.null_B, null, atol=1e-10)


def test_rules_that_no_two_clips_share_are_found():
    found = own_mapping(*corpus(1, coupling=0.6, per_video_mapping=True), RATE, draws=199)
    assert found.p_value == 1 / 200
    assert found.effect > 0.15
    assert (found.matrix_UV.argmax(axis=0) == np.arange(12)).mean() > 0.8


def test_a_picture_that_is_its_sound_scores_best():
    sounds, _ = corpus(2)
    found = own_mapping(sounds, sounds, RATE, ridge_share=0.01, draws=99)
    assert found.score > 0.95
    assert found.p_value == 0.01


@pytest.mark.parametrize("switches", [{}, {"shared_fades": True}, {"per_video_mapping": True}])
def test_chance_is_seldom_taken_for_a_rule(switches):
    found = [
        own_mapping(*corpus(seed, 10, 40, **switches), RATE, draws=99).p_value
        for seed in range(100)
    ]
    assert np.mean(np.array(found) <= 0.1) <= 0.18


def test_within_strata_only_songs_of_the_stratum_are_swapped():
    sounds, pictures = corpus(3, 6)
    strata = [0, 0, 1, 1, 2, 3]
    found = own_mapping(sounds, pictures, RATE, strata=strata, draws=200)
    m = found.matrix_UV
    four = [m[a, 0] + m[1 - a, 1] + m[2 + b, 2] + m[3 - b, 3] for a in (0, 1) for b in (0, 1)]
    possible = (np.array(four) + m[4, 4] + m[5, 5]) / 6
    assert np.abs(found.null_B[:, None] - possible).min(axis=1).max() < 1e-12
    assert len(np.unique(found.null_B.round(12))) == 4
    with pytest.raises(ValueError, match="no song to swap"):
        own_mapping(sounds, pictures, RATE, strata=range(6))


def test_a_still_picture_scores_zero():
    sounds, _ = corpus(4, 4)
    found = own_mapping(sounds, [np.full((60, 2), 0.3)] * 4, RATE, draws=19)
    assert found.score == 0
    assert found.p_value == 1


def test_what_cannot_be_tested_is_refused():
    sounds, pictures = corpus(5, 4)
    with pytest.raises(ValueError, match="at least 2"):
        own_mapping(sounds[:1], pictures[:1], RATE)
    with pytest.raises(ValueError, match="T x A and T x P"):
        own_mapping(sounds, [y[:-1] for y in pictures], RATE)
    with pytest.raises(ValueError, match="too short"):
        own_mapping([x[:16] for x in sounds], [y[:16] for y in pictures], RATE)
    with pytest.raises(ValueError, match="as many"):
        own_mapping(sounds, pictures, RATE, strata=[0, 0, 0])
    with pytest.raises(ValueError, match="blocks"):
        own_mapping(sounds, pictures, RATE, blocks=1)
    pictures[0][0, 0] = np.inf
    with pytest.raises(ValueError, match="not finite"):
        own_mapping(sounds, pictures, RATE)
