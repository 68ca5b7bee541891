"""The lag curve: is the peak where it was planted, and is chance what chance gives?"""

from fractions import Fraction

import numpy as np
import pytest
from scipy.fft import dct, idct
from scipy.ndimage import gaussian_filter1d
from scipy.signal import correlate

from soundreel.evidence.lag_curve import lag_curve
from soundreel.evidence.nulls import permutation_p, uniform_permutations
from soundreel.seeding import numpy_generator_for

RATE = 15


def pulses(rng: np.random.Generator, count: int, bpm: float) -> np.ndarray:
    """An onset envelope: peaks at a steady beat of random phase and loudness, and some noise."""
    beat = RATE * 60 / bpm
    x = np.zeros(count)
    at = np.arange(rng.uniform(0, beat), count, beat).astype(int)
    x[at] = rng.uniform(0.3, 1, len(at))
    return gaussian_filter1d(x, 1) + 0.05 * rng.standard_normal(count)


def corpus(seed: int, lengths: list[int], coupling: float = 0.0, late: int = 0):
    rng = np.random.default_rng(seed)
    onsets = [pulses(rng, count, rng.uniform(70, 150)) for count in lengths]
    motions = []
    for onset in onsets:
        own = gaussian_filter1d(rng.standard_normal(len(onset)), 1) * onset.std() * 2
        motions.append(coupling * np.roll(onset, late) + (1 - coupling) * own)
    return motions, onsets


def high_passed(x: np.ndarray) -> np.ndarray:
    spectrum = np.asarray(dct(x, norm="ortho"))
    spectrum[: int(2 * len(x) / RATE / 30) + 1] = 0
    x = np.asarray(idct(spectrum, norm="ortho"))
    return (x - x.mean()) / x.std()


def naive_curve(motion: np.ndarray, onset: np.ndarray, most: int) -> np.ndarray:
    """Correlations of the motion at t + lag and the onsets at t; the other song cut or repeated."""
    onset = np.tile(onset, 5)[: len(motion)]
    motion, onset = high_passed(motion), high_passed(onset)
    # correlate(a, b)[k + T - 1] = sum of a[t + k] b[t]; a twice over makes it circular.
    whole = correlate(np.tile(motion, 3), onset, mode="valid") / len(onset)
    return whole[len(motion) - most : len(motion) + most + 1]


def test_every_number_is_that_of_the_naive_way():
    motions, onsets = corpus(0, [300, 240, 300, 410], 0.3, 2)
    found = lag_curve(motions, onsets, RATE, draws=40, seed=3)
    pair = np.array([[naive_curve(motion, onset, 7) for motion in motions] for onset in onsets])
    own = pair[np.arange(4), np.arange(4)].mean(0)
    np.testing.assert_allclose(found.lags_seconds_L, np.arange(-7, 8) / RATE)
    np.testing.assert_allclose(found.correlation_L, own, atol=1e-12)
    rolled = [
        np.corrcoef(np.roll(high_passed(motions[0]), -lag), high_passed(onsets[0]))[0, 1]
        for lag in range(-7, 8)
    ]
    np.testing.assert_allclose(pair[0, 0], rolled, atol=1e-12)

    songs = uniform_permutations(4, 40, numpy_generator_for(3, "ask/lag-curve/swap"))
    curves = np.array([[pair[song, v] for v, song in enumerate(row)] for row in songs]).mean(1)
    np.testing.assert_allclose(found.swap_null_B, curves.max(1), atol=1e-12)
    assert found.band == pytest.approx(np.quantile(curves.max(1), 0.95))
    np.testing.assert_allclose(found.high_L, np.quantile(curves, 0.975, axis=0), atol=1e-12)
    assert found.p_swap == permutation_p(own.max(), curves.max(1))
    assert found.p_value == max(found.p_swap, found.p_shift)


def test_shifted_songs_are_shifted_by_at_least_six_seconds():
    motions, onsets = corpus(1, [200, 260], 0.5)
    found = lag_curve(motions, onsets, RATE, draws=30, seed=5)
    rng = numpy_generator_for(5, "ask/lag-curve/shift")
    expected = np.zeros((30, 15))
    for motion, onset in zip(motions, onsets, strict=True):
        for draw, by in enumerate(rng.choice(np.arange(90, len(motion) - 90 + 1), 30)):
            assert 90 <= by <= len(motion) - 90
            heard = np.roll(high_passed(onset), by)
            for place, lag in enumerate(range(-7, 8)):
                expected[draw, place] += np.roll(high_passed(motion), -lag) @ heard / len(heard) / 2
    np.testing.assert_allclose(found.shift_null_B, expected.max(1), atol=1e-12)


@pytest.mark.parametrize("late", [-3, 0, 4])
def test_the_peak_is_where_the_picture_follows(late):
    motions, onsets = corpus(2, [600] * 10, 0.5, late)
    found = lag_curve(motions, onsets, RATE, draws=199)
    assert found.peak_lag_seconds == pytest.approx(late / RATE)
    assert found.p_value == 1 / 200
    assert found.peak > 3 * found.band
    assert found.peak == found.correlation_L.max()


def test_a_picture_that_is_its_sound_correlates_fully():
    _, onsets = corpus(3, [300] * 5)
    found = lag_curve(onsets, onsets, Fraction(RATE), draws=99)
    assert found.peak == pytest.approx(1)
    assert found.peak_lag_seconds == 0


def test_chance_is_within_its_band():
    found = [lag_curve(*corpus(seed, [300] * 8), RATE, draws=99) for seed in range(100)]
    assert np.mean([each.p_value <= 0.1 for each in found]) <= 0.18
    above = np.mean([each.correlation_L > each.high_L for each in found])
    assert 0.005 < above < 0.06


def test_a_still_picture_gives_zero_and_the_same_seed_the_same_answer():
    motions, onsets = corpus(4, [300] * 4)
    still = lag_curve([np.full(300, 0.2)] * 4, onsets, RATE, draws=19)
    assert still.peak == 0
    assert still.p_value == 1
    first, second = (lag_curve(motions, onsets, RATE, draws=19, seed=8) for _ in range(2))
    np.testing.assert_array_equal(first.swap_null_B, second.swap_null_B)
    np.testing.assert_array_equal(first.shift_null_B, second.shift_null_B)


def test_what_cannot_be_tested_is_refused():
    motions, onsets = corpus(5, [300] * 3)
    with pytest.raises(ValueError, match="at least 2"):
        lag_curve(motions[:1], onsets[:1], RATE)
    with pytest.raises(ValueError, match="T each"):
        lag_curve(motions, [onset[:-1] for onset in onsets], RATE)
    with pytest.raises(ValueError, match="too short"):
        lag_curve([x[:20] for x in motions], [x[:20] for x in onsets], RATE)
    with pytest.raises(ValueError, match="must be less"):
        lag_curve(motions, onsets, RATE, most_lag_seconds=6)
    with pytest.raises(ValueError, match="positive"):
        lag_curve(motions, onsets, 0)
    motions[0][3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        lag_curve(motions, onsets, RATE)
