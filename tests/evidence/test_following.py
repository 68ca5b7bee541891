"""Following: does the number say what is so, and 0 where there is nothing?"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dct, idct

from soundreel.evidence.following import (
    Following,
    following,
    slow_terms_for,
    within_correlation,
    without_drift,
)


def drifting(rng: np.random.Generator, count: int, columns: int, phi: float = 0.8) -> np.ndarray:
    """AR(1) curves of unit variance."""
    x = np.zeros((count, columns))
    noise = rng.standard_normal((count, columns)) * np.sqrt(1 - phi**2)
    for t in range(1, count):
        x[t] = phi * x[t - 1] + noise[t]
    return x


@settings(max_examples=30, deadline=None)
@given(count=st.integers(2, 200), terms=st.integers(0, 12), seed=st.integers(0, 99))
def test_drift_is_the_first_components_of_the_cosine_transform(count, terms, seed):
    x = np.random.default_rng(seed).standard_normal((count, 3)).cumsum(0)
    coefficients = np.asarray(dct(x, axis=0, norm="ortho"))
    coefficients[: terms + 1] = 0
    expected = np.asarray(idct(coefficients, axis=0, norm="ortho"))
    np.testing.assert_allclose(without_drift(x, terms), expected, atol=1e-9)
    np.testing.assert_allclose(without_drift(x[:, 0], terms), expected[:, 0], atol=1e-9)


def test_a_shared_fade_is_no_correlation():
    rng = np.random.default_rng(0)
    fade = np.sin(np.linspace(0, np.pi, 400)) * 6
    a, b = rng.standard_normal(400) + fade, rng.standard_normal(400) + fade
    assert np.corrcoef(a, b)[0, 1] > 0.7
    assert abs(within_correlation(a, b)) < 0.15
    assert within_correlation(a, a) == pytest.approx(1)
    assert within_correlation(a, -3 * a + 8) == pytest.approx(-1)


def test_what_does_not_vary_correlates_with_nothing():
    x = np.random.default_rng(0).standard_normal(100)
    assert within_correlation(np.full(100, 0.7), x) == 0
    assert within_correlation(np.full(100, 0.1), np.full(100, 0.3)) == 0
    with pytest.raises(ValueError, match="equally many"):
        within_correlation(x, x[:-1])


def test_slow_terms_keep_periods_up_to_half_a_minute():
    assert slow_terms_for(60) == 4
    assert slow_terms_for(10) == 0
    assert slow_terms_for(180, 20) == 18


def test_a_film_that_follows_its_song_scores_high_and_others_about_zero():
    rng = np.random.default_rng(1)
    songs = [drifting(rng, 600, 5) for _ in range(6)]
    picture = songs[0] @ rng.standard_normal((5, 3)) + 0.3 * drifting(rng, 600, 3)
    found = following(picture, songs[0], songs[1:])
    assert found.own > 0.9
    assert abs(found.others_mean) < 0.15
    assert found.margin == pytest.approx(found.own - np.mean(found.others))
    assert found.rank == 1


def test_a_film_that_follows_nothing_scores_zero_on_average():
    rng = np.random.default_rng(2)
    scores = [following(drifting(rng, 300, 4), drifting(rng, 300, 5), []).own for _ in range(200)]
    assert abs(np.mean(scores)) < 3 * np.std(scores) / np.sqrt(200) + 0.01
    assert np.std(scores) < 0.15


def test_other_songs_are_taken_at_the_same_relative_time():
    rng = np.random.default_rng(3)
    own = drifting(rng, 400, 2)
    picture = own.copy()
    twice_as_long = own.repeat(2, axis=0)
    found = following(picture, drifting(rng, 400, 2), [own, twice_as_long])
    assert found.others[0] == pytest.approx(found.others[1])
    assert found.others[0] > 0.95
    assert found.rank == 3


def test_a_still_film_follows_nothing():
    rng = np.random.default_rng(4)
    still = following(np.full((50, 3), 0.3), drifting(rng, 50, 5), [drifting(rng, 50, 5)])
    assert still == Following(0.0, (0.0,))


def test_too_little_is_refused():
    with pytest.raises(ValueError, match="at least 8"):
        following(np.zeros((7, 1)), np.zeros((7, 1)), [])
    with pytest.raises(ValueError, match="equally many"):
        following(np.zeros((20, 1)), np.zeros((21, 1)), [])
