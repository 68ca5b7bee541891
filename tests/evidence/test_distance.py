"""Dependence of any shape: the published statistics, beyond shifts, among clips alike."""

from fractions import Fraction

import dcor
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.evidence.distance import distance_correlation, hsic, stratified_dependence
from soundreel.evidence.following import without_drift
from soundreel.evidence.strata import permutations_within, smoothness, strata_of
from soundreel.synthetic.features import planted_features
from soundreel.synthetic.truth import PlantedTruth

RATE = Fraction(2, 3)


def corpus(seed: int, videos: int = 20, samples: int = 40, **switches):
    planted = planted_features(PlantedTruth(**switches), seed, videos, samples)
    return list(planted.audio_VTA), list(planted.visual_VTY)


def standard(x: np.ndarray) -> np.ndarray:
    x = without_drift(x, int(2 * len(x) * 1.5 / 30))
    return x / x.std(axis=0)


def strata_for(sounds, pictures) -> np.ndarray:
    nothing = np.zeros(len(sounds))
    smooth = np.stack([smoothness(sounds, RATE), smoothness(pictures, RATE)], axis=1)
    return strata_of(nothing, nothing, smooth)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(4, 60), seed=st.integers(0, 99), columns=st.integers(1, 4))
def test_distance_correlation_is_the_published_one(count, seed, columns):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, columns)) * 10.0 ** rng.integers(-3, 4)
    y = np.abs(x[:, :1]) + rng.standard_normal((count, 2)) + 100
    assert distance_correlation(x, y) == pytest.approx(dcor.distance_correlation(x, y), abs=1e-6)
    assert distance_correlation(x, x) == pytest.approx(1)
    assert distance_correlation(x, 7 - 3 * x) == pytest.approx(1)


def naive_kernel(x: np.ndarray) -> np.ndarray:
    apart = np.array([[np.linalg.norm(a - b) for b in x] for a in x])
    width = np.median([apart[i, j] for i in range(len(x)) for j in range(i)])
    return np.exp(-(apart**2) / (2 * width**2))


@pytest.mark.parametrize("count", [20, 33])
def test_hsic_is_the_trace_of_the_centred_kernels(count):
    rng = np.random.default_rng(count)
    x = rng.standard_normal((count, 3))
    y = x[:, :2] ** 2 + 0.3 * rng.standard_normal((count, 2))
    centre = np.eye(count) - 1 / count
    expected = np.trace(naive_kernel(x) @ centre @ naive_kernel(y) @ centre) / count**2
    assert hsic(x, y) == pytest.approx(expected, rel=1e-9)
    assert hsic(5 * x - 2, y) == pytest.approx(expected, rel=1e-9)


def test_what_does_not_vary_depends_on_nothing():
    rng = np.random.default_rng(0)
    for still in (np.full((30, 2), 0.7), np.full(30, 1e6 / 3)):
        for measure in (distance_correlation, hsic):
            assert measure(still, rng.standard_normal((30, 2))) == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="equally many"):
        hsic(np.zeros((5, 1)), np.zeros((4, 1)))
    with pytest.raises(ValueError, match="at least 2"):
        distance_correlation(np.zeros((1, 1)), np.zeros((1, 1)))


@pytest.mark.parametrize("kind", ["dcor", "hsic"])
def test_a_pairs_number_is_the_statistic_less_its_mean_over_shifts(kind):
    sounds, pictures = corpus(0, 4, 30, coupling=0.6, nonlinear=True)
    sounds[2], pictures[2] = sounds[2][:25], pictures[2][:25]
    found = stratified_dependence(sounds, pictures, [0, 0, 0, 1], RATE, kind, draws=60)

    def statistic(x, y):
        return distance_correlation(x, y) ** 2 if kind == "dcor" else hsic(x, y)

    for v, picture in enumerate(pictures):
        y = standard(picture)
        for u, sound in enumerate(sounds):
            x = standard(sound[np.arange(len(y)) * len(sound) // len(y)])
            shifted = [statistic(np.roll(x, by, axis=0), y) for by in range(len(y))]
            expected = statistic(x, y) - np.mean(shifted)
            assert found.matrix_UV[u, v] == pytest.approx(expected, abs=1e-9)
    m = found.matrix_UV
    assert found.score == pytest.approx(np.trace(m) / 4)
    assert found.free_clips == 3
    orders = [(a, b, c) for a in range(3) for b in range(3) for c in range(3) if a != b != c != a]
    possible = np.array([m[a, 0] + m[b, 1] + m[c, 2] + m[3, 3] for a, b, c in orders]) / 4
    assert np.abs(found.null_B[:, None] - possible).min(axis=1).max() < 1e-12
    assert len(np.unique(found.null_B.round(12))) == 6


@pytest.mark.parametrize("kind", ["dcor", "hsic"])
def test_dependence_without_linear_correlation_is_found(kind):
    sounds, pictures = corpus(1, coupling=0.8, nonlinear=True)
    strata = strata_for(sounds, pictures)
    found = stratified_dependence(sounds, pictures, strata, RATE, kind, draws=199)
    assert found.p_value < 0.02
    assert found.effect > 0


@pytest.mark.parametrize("kind", ["dcor", "hsic"])
def test_calm_songs_with_calm_videos_are_no_dependence(kind):
    p_values = []
    for seed in range(60):
        sounds, pictures = corpus(seed, matched_smoothness=True)
        strata = strata_for(sounds, pictures)
        p_values.append(
            stratified_dependence(sounds, pictures, strata, RATE, kind, draws=99).p_value
        )
    assert np.mean(np.array(p_values) <= 0.1) <= 0.2


def test_smoothness_is_the_correlation_of_neighbours():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(4000)
    smooth = np.zeros(4000)
    for t in range(1, 4000):
        smooth[t] = 0.8 * smooth[t - 1] + noise[t]
    found = smoothness([noise[:, None], smooth[:, None], np.ones((10, 1))], 100)
    np.testing.assert_allclose(found, [0, 0.8, 0], atol=0.05)


def test_strata_hold_clips_alike_and_never_too_few():
    rng = np.random.default_rng(1)
    tempo, loudness = rng.uniform(70, 150, 31), rng.standard_normal(31)
    smooth = rng.uniform(0.2, 0.97, (31, 2))
    for fewest in (2, 3, 5, 16, 40):
        strata = strata_of(tempo, loudness, smooth, fewest)
        _, sizes = np.unique(strata, return_counts=True)
        assert sizes.min() >= min(fewest, 31)
        assert sizes.max() < max(2 * fewest, 32 if fewest > 15 else 0)
    one = strata_of(tempo, np.zeros(31), np.zeros(31), 15)
    assert max(tempo[one == one[tempo.argmin()]]) <= min(tempo[one == one[tempo.argmax()]])
    assert not strata_of(np.ones(9), np.ones(9), np.ones(9)).any()


def test_permutations_stay_within_strata_and_are_uniform():
    strata = np.array([0, 1, 0, 1, 0, 2])
    drawn = permutations_within(strata, 6000, np.random.default_rng(0))
    assert (np.sort(drawn, axis=1) == np.arange(6)).all()
    assert (strata[drawn] == strata).all()
    kinds, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(kinds) == 12
    assert counts.min() > 400


def test_what_cannot_be_tested_is_refused():
    sounds, pictures = corpus(2, 4)
    with pytest.raises(ValueError, match="must be 'dcor'"):
        stratified_dependence(sounds, pictures, [0] * 4, RATE, "mutual")  # pyright: ignore
    with pytest.raises(ValueError, match="as many"):
        stratified_dependence(sounds, pictures, [0] * 3, RATE)
    with pytest.raises(ValueError, match="no song to swap"):
        stratified_dependence(sounds, pictures, [0, 1, 2, 3], RATE)
    with pytest.raises(ValueError, match="T x A and T x P"):
        stratified_dependence(sounds, [y[:-1] for y in pictures], [0] * 4, RATE)
    with pytest.raises(ValueError, match="finite"):
        strata_of(np.full(4, np.nan), np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match="strata of 2"):
        strata_of(np.ones(4), np.ones(4), np.ones(4), 1)
