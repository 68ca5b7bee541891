"""From an effect to a word."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from soundreel.evidence.verdicts import (
    detectable,
    interval,
    is_equivalent,
    verdict_of,
    videos_needed,
)

EFFECTS, SPREADS, DELTAS = st.floats(-1, 1), st.floats(0.001, 1), st.floats(0.001, 1)


@pytest.mark.parametrize(
    ("effect", "null_sd", "p_value", "expected"),
    [
        (0.20, 0.02, 0.001, "YES"),
        (0.05, 0.02, 0.010, "NEGLIGIBLE"),  # above 0, and below .1 with its interval
        (0.05, 0.02, 0.051, "NO"),
        (0.00, 0.02, 0.500, "NO"),
        (-0.05, 0.02, 0.990, "NO"),
        (-0.30, 0.02, 1.000, "UNDECIDED"),  # worse than other songs is not "no effect"
        (0.05, 0.05, 0.200, "UNDECIDED"),  # could be 0, could be more than .1
        (0.03, 0.02, 0.050, "UNDECIDED"),  # p at most alpha, but the interval holds 0
        (0.20, 0.02, 0.060, "UNDECIDED"),  # one null is not ruled out
        (0.04, 0.02, 0.050, "NEGLIGIBLE"),  # p of exactly alpha counts
    ],
)
def test_every_verdict(effect, null_sd, p_value, expected):
    assert verdict_of(effect, null_sd, p_value, delta=0.1) == expected


@given(EFFECTS, SPREADS, st.floats(0, 1), DELTAS)
def test_the_rules_of_the_protocol(effect, null_sd, p_value, delta):
    verdict = verdict_of(effect, null_sd, p_value, delta)
    low, high = interval(effect, null_sd)
    if verdict in ("YES", "NEGLIGIBLE"):
        assert p_value <= 0.05
        assert low > 0
    if verdict in ("NO", "NEGLIGIBLE"):
        assert -delta < effect < delta
    if verdict == "NO":
        assert p_value > 0.05
    assert low < effect < high


@given(EFFECTS, SPREADS, DELTAS)
def test_equivalence_is_two_one_sided_tests(effect, null_sd, delta):
    larger = max(norm.sf((effect + delta) / null_sd), norm.cdf((effect - delta) / null_sd))
    if abs(larger - 0.05) > 1e-5:
        assert is_equivalent(effect, null_sd, delta) == (larger < 0.05)


def test_an_interval_holds_95_percent():
    low, high = interval(0.3, 0.1)
    assert norm.cdf(high, 0.3, 0.1) - norm.cdf(low, 0.3, 0.1) == pytest.approx(0.95)


def test_the_detectable_effect_is_found_four_times_out_of_five():
    assert norm.sf(norm.isf(0.05) - detectable(1.0)) == pytest.approx(0.8, abs=1e-5)
    assert detectable(0.02) == pytest.approx(2.49 * 0.02, abs=1e-4)


@given(st.integers(2, 200), SPREADS, st.floats(0.01, 1))
def test_so_many_videos_are_enough_and_fewer_are_not(videos, null_sd, effect):
    needed = videos_needed(videos, null_sd, effect)
    assert detectable(null_sd * math.sqrt(videos / needed)) <= effect * (1 + 1e-9)
    if needed > 2:
        assert detectable(null_sd * math.sqrt(videos / (needed - 1))) > effect * (1 - 1e-9)


@pytest.mark.parametrize("effect", [0.0, -0.1])
def test_no_number_of_videos_shows_what_is_not_there(effect):
    with pytest.raises(ValueError, match="no number of videos"):
        videos_needed(30, 0.02, effect)


def test_numbers_of_an_array_are_as_good():
    assert verdict_of(np.float64(0.2), np.float64(0.02), np.float64(0.01), 0.1) == "YES"
