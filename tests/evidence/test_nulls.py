"""Permutations, p-values and families of tests, against other people's programs."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, monte_carlo_test
from statsmodels.stats.multitest import multipletests

from soundreel.evidence.nulls import holm, permutation_p, uniform_permutations

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@settings(max_examples=15, deadline=None)
@given(SHARES)
def test_holm_is_statsmodels_holm(p_values):
    expected = np.asarray(multipletests(p_values, method="holm")[1], np.float64)
    np.testing.assert_allclose(holm(p_values), expected, atol=1e-12)


@settings(deadline=None)
@given(SHARES, st.randoms())
def test_holm_does_not_care_for_the_order_and_never_lowers(p_values, random):
    order = list(range(len(p_values)))
    random.shuffle(order)
    corrected = holm(p_values)
    np.testing.assert_array_equal(holm(np.array(p_values)[order]), corrected[order])
    assert (corrected >= np.array(p_values)).all()
    assert (corrected <= 1).all()


@settings(deadline=None)
@given(st.floats(-1, 1), st.lists(st.floats(-1, 1), min_size=1, max_size=40))
def test_a_p_value_is_scipys(observed, null):
    drawn = iter(null)
    expected = monte_carlo_test(
        [observed],
        lambda size: np.full(size, next(drawn)),
        lambda sample: np.asarray(sample)[0],
        n_resamples=len(null),
        batch=1,
        vectorized=False,
        alternative="greater",
    ).pvalue
    # Theirs and ours both take what rounding parts as equal, but not by the same width.
    if not any(0 < abs(value - observed) < 1e-6 for value in null):
        assert permutation_p(observed, np.array(null)) == pytest.approx(expected)


def test_p_values_are_never_0_and_ties_count_against_the_finding():
    assert permutation_p(1.0, np.zeros(99)) == 0.01
    assert permutation_p(0.0, np.zeros(99)) == 1.0
    assert permutation_p(0.3, np.array([0.1 + 0.2, 0.1])) == 2 / 3
    with pytest.raises(ValueError, match="at least one draw"):
        permutation_p(0.0, np.empty(0))


def test_permutations_are_uniform_and_hold_the_identity():
    drawn = uniform_permutations(4, 24_000, np.random.default_rng(3))
    assert drawn.shape == (24_000, 4)
    kinds = dict.fromkeys(permutations(range(4)), 0)
    for row in drawn:
        kinds[tuple(int(place) for place in row)] += 1
    assert len(kinds) == 24
    assert chisquare(list(kinds.values())).pvalue > 0.001
    assert kinds[0, 1, 2, 3] > 0


def test_p_values_of_a_right_null_are_uniform():
    rng = np.random.default_rng(0)
    p_values = [permutation_p(rng.normal(), rng.normal(size=19)) for _ in range(4_000)]
    counts = np.bincount(np.rint(np.array(p_values) * 20).astype(int), minlength=21)
    assert counts[0] == 0
    assert chisquare(counts[1:]).pvalue > 0.001
