"""Margins of descriptors: against plain correlations, and on films whose truth is known."""

import numpy as np
import pytest

from soundreel.evidence.descriptor_margins import (
    FOLLOWED,
    bootstrap_interval,
    descriptor_margins,
    pair_correlations,
)
from soundreel.evidence.descriptors import picture_descriptors

MOMENTS = 60


def films(count: int = 4, moments: int = MOMENTS, seed: int = 0) -> list[np.ndarray]:
    """Patterns of their own whose light, colours and contrast wander."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        pattern_HW1 = rng.uniform(-1, 1, (24, 32, 1))
        light_T3 = 110 + 45 * rng.uniform(-1, 1, (moments, 3))
        depth_T1 = rng.uniform(5, 50, (moments, 1))
        x_THW3 = light_T3[:, None, None] + depth_T1[:, None, None] * pattern_HW1
        made.append(x_THW3.clip(0, 255).round().astype(np.uint8))
    return made


def test_pairs_are_plain_correlations_at_the_same_relative_time():
    rng = np.random.default_rng(1)
    made = [rng.normal(size=(length, 2)) for length in (40, 60, 40)]
    truth = [rng.normal(size=(length, 2)) for length in (40, 60, 40)]
    found = pair_correlations(made, truth)
    for u, v in np.ndindex(3, 3):
        place = np.arange(len(truth[v])) * len(made[u]) // len(truth[v])
        each = [np.corrcoef(made[u][place, d], truth[v][:, d])[0, 1] for d in range(2)]
        assert found[u, v] == pytest.approx(np.mean(each), abs=1e-12)


def test_own_and_swapped_are_those_of_the_curves():
    truth, made = films(), films(seed=5)
    found = descriptor_margins(made, truth)
    bright = [[picture_descriptors(film)["brightness"] for film in some] for some in (made, truth)]
    place = list(FOLLOWED).index("brightness")
    for v in range(4):
        each = [np.corrcoef(bright[0][u], bright[1][v])[0, 1] for u in range(4)]
        assert found.own_ND[v, place] == pytest.approx(each[v], abs=1e-9)
        others = np.mean([each[u] for u in range(4) if u != v])
        assert found.swapped_ND[v, place] == pytest.approx(others, abs=1e-9)
    assert found.mean == pytest.approx(np.mean(list(found.by_name.values())))
    assert found.margins.shape == (4, 6)


def test_the_real_films_score_best_and_others_nothing():
    truth = films()
    best = descriptor_margins(truth, truth)
    assert best.own_ND == pytest.approx(np.ones((4, 6)))
    assert best.low > 0.7
    unlike = descriptor_margins(films(seed=8), truth)
    assert abs(unlike.mean) < 0.2
    assert unlike.high < best.low
    still = descriptor_margins([np.repeat(film[:1], MOMENTS, 0) for film in truth], truth)
    assert still.mean == 0
    # The same film for every song: whatever it correlates, it does with all of them.
    same = descriptor_margins([truth[0]] * 4, truth)
    assert same.mean == pytest.approx(0, abs=0.02)


def test_what_lies_across_a_gap_is_no_motion():
    truth = films()
    made = [film.copy() for film in truth]
    for film in made:
        film[30:] = 255 - film[30:]  # the same motion, but for one leap
    starts = [[0, 30]] * 4
    place = list(FOLLOWED).index("motion")
    assert descriptor_margins(made, truth, starts).own_ND[:, place] == pytest.approx(1, abs=0.02)
    assert descriptor_margins(made, truth).own_ND[:, place].min() < 0.95


def test_the_interval_is_that_of_a_mean():
    value_N = np.random.default_rng(0).normal(0.4, 0.1, 30)
    low, high = bootstrap_interval(value_N, 0)
    error = value_N.std() / np.sqrt(30)
    assert low == pytest.approx(value_N.mean() - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(value_N.mean() + 1.96 * error, abs=0.2 * error)
    assert bootstrap_interval(value_N, 0) == (low, high)


def test_too_little_is_refused():
    truth = films()
    with pytest.raises(ValueError, match="1 clips"):
        descriptor_margins(truth[:1], truth[:1])
    with pytest.raises(ValueError, match="of 2 moments"):
        descriptor_margins([film[:3] for film in truth], [film[:3] for film in truth])
    with pytest.raises(ValueError, match="60 made frames and 59"):
        descriptor_margins(truth, [film[:59] for film in truth])
    with pytest.raises(ValueError, match="0 clips"):
        descriptor_margins([], [])
