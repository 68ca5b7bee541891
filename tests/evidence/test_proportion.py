"""Counted answers: exact intervals and p-values against SciPy, and what makes votes count."""

import hashlib
import itertools
import json
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from soundreel.errors import SettingsError
from soundreel.evidence.proportion import (
    KEY_FORMAT,
    VOTES_FORMAT,
    PairVotes,
    binomial_interval,
    binomial_p_value,
    sides_p_value,
    tally,
)


@pytest.mark.parametrize("trials", [1, 2, 5, 20, 137, 2000])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_the_interval_is_scipys(trials, confidence):
    for successes in {0, 1, trials // 3, trials // 2, trials - 1, trials}:
        expected = binomtest(successes, trials).proportion_ci(confidence, method="exact")
        assert binomial_interval(successes, trials, confidence) == pytest.approx(
            (expected.low, expected.high), abs=1e-10
        )


@pytest.mark.parametrize("trials", [1, 2, 5, 20, 137, 2000])
@pytest.mark.parametrize("chance", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_the_p_value_is_scipys(trials, chance):
    for successes in {0, 1, trials // 3, trials // 2, trials - 1, trials}:
        expected = binomtest(successes, trials, chance, alternative="greater").pvalue
        # Cumulated logarithms: at 2,000 trials ten digits are left.
        assert binomial_p_value(successes, trials, chance) == pytest.approx(expected, rel=1e-9)


def test_known_by_hand():
    assert binomial_p_value(3, 3) == pytest.approx(1 / 8)
    assert binomial_p_value(9, 10) == pytest.approx(11 / 1024)
    # The "rule of three", exactly: 1 - 0.025 ** (1 / n) for none of n.
    assert binomial_interval(0, 10) == pytest.approx((0, 1 - 0.025**0.1))
    assert binomial_interval(0, 0) == (0, 1)
    assert binomial_p_value(0, 0) == 1


@settings(max_examples=25)
@given(st.integers(1, 40), st.floats(0.05, 0.95))
def test_the_interval_holds_the_truth_as_often_as_it_says(trials, truth):
    inside = 0.0
    for successes in range(trials + 1):
        low, high = binomial_interval(successes, trials)
        if low <= truth <= high:
            inside += (
                comb(trials, successes) * truth**successes * (1 - truth) ** (trials - successes)
            )
    assert inside >= 0.95 - 1e-9


@pytest.mark.parametrize(
    "call",
    [
        lambda: binomial_interval(3, 2),
        lambda: binomial_interval(-1, 2),
        lambda: binomial_interval(1, 2, 1.0),
        lambda: binomial_p_value(3, 2),
        lambda: binomial_p_value(1, 2, 1.5),
        lambda: sides_p_value([(1, -1)]),
    ],
)
def test_what_cannot_be_is_refused(call):
    with pytest.raises(ValueError, match="give"):
        call()


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=7))
def test_drawing_the_sides_anew_is_counted_in_full(votes):
    observed = sum(right for right, _ in votes)
    drawn = [sum(chosen) for chosen in itertools.product(*votes)]
    assert sides_p_value(votes) == pytest.approx(np.mean([total >= observed for total in drawn]))


def test_one_vote_a_pair_is_the_binomial_and_many_on_one_pair_are_one_coin():
    assert sides_p_value([(1, 0)] * 8 + [(0, 1)] * 2) == pytest.approx(binomial_p_value(8, 10))
    assert sides_p_value([(20, 0)]) == 0.5
    assert binomial_p_value(20, 20) < 1e-6
    assert sides_p_value([]) == 1


def test_people_who_only_like_the_left_film_do_not_make_a_finding():
    """Twelve people, six pairs, all always say A: the sides are drawn, nothing else is known."""
    rng = np.random.default_rng(0)
    found = {"votes": 0, "sides": 0}
    rounds = 400
    for _ in range(rounds):
        votes = [(12, 0) if side else (0, 12) for side in rng.integers(0, 2, 6)]
        right = sum(right for right, _ in votes)
        found["votes"] += binomial_p_value(right, 72) <= 0.05
        found["sides"] += sides_p_value(votes) <= 0.05
    assert found["sides"] / rounds <= 0.05
    assert found["votes"] / rounds > 0.2, "why the second number is there"


KEY = json.dumps({"format": KEY_FORMAT, "nonce": "x", "sides": {"one": "A", "two": "B"}})


def votes_file(*votes: tuple[str, str, str], **changes: Any) -> str:
    named = [dict(zip(("person", "pair", "choice"), vote, strict=True)) for vote in votes]
    key_sha256 = hashlib.sha256(KEY.encode()).hexdigest()
    return json.dumps({"format": VOTES_FORMAT, "key_sha256": key_sha256, "votes": named, **changes})


def test_votes_are_counted_by_the_key():
    counted = tally(
        votes_file(
            ("p", "one", "A"),
            ("p", "two", "A"),
            ("q", "one", "A"),
            ("q", "two", "cannot tell"),
            ("r", "two", "B"),
            ("r", "two", "A"),  # a second vote on the pair: the first stands
        ),
        KEY,
    )
    assert counted.pairs == {"one": PairVotes(2, 0, 0), "two": PairVotes(1, 1, 1)}
    assert (counted.right, counted.votes, counted.cannot_tell, counted.people) == (3, 4, 1, 3)
    assert (counted.low, counted.high) == binomial_interval(3, 4)
    assert counted.p_value == binomial_p_value(3, 4) == pytest.approx(5 / 16)
    assert counted.sides_p_value == sides_p_value([(2, 0), (1, 1)]) == 0.5
    assert tally(votes_file().encode(), KEY.encode()).votes == 0


@pytest.mark.parametrize(
    ("votes", "key", "says"),
    [
        (votes_file(), KEY.replace('"A"', '"B"'), "was changed since"),
        (votes_file(key_sha256="0" * 64), KEY, "was changed since"),
        (votes_file(("p", "three", "A")), KEY, "no vote on a pair"),
        (votes_file(("p", "one", "C")), KEY, "no vote on a pair"),
        (votes_file(votes=["A"]), KEY, "no vote on a pair"),
        (votes_file(votes=None), KEY, "no votes of a vote page"),
        (KEY, KEY, "no votes of a vote page"),
        ("[]", KEY, "no votes of a vote page"),
        ("\x00", KEY, "no votes of a vote page"),
        (votes_file(), votes_file(), "no key of a vote page"),
        (votes_file(), KEY.replace('"A"', '"C"'), "no key of a vote page"),
    ],
)
def test_what_cannot_be_counted_is_one_line(votes, key, says):
    with pytest.raises(SettingsError, match=says) as caught:
        tally(votes, key)
    assert "\n" not in str(caught.value)
