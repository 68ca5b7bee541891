"""Retrieval: ranks as a slow loop counts them, chance where there is nothing to find."""

from fractions import Fraction

import numpy as np
import pytest

from soundreel.evidence.following import without_drift
from soundreel.evidence.nulls import uniform_permutations
from soundreel.evidence.retrieval import retrieval
from soundreel.seeding import numpy_generator_for
from soundreel.synthetic.features import planted_features
from soundreel.synthetic.truth import PlantedTruth

RATE = Fraction(2, 3)
LEAST = 4  # samples that last 6 s


def standard(x: np.ndarray) -> np.ndarray:
    x = without_drift(x, int(2 * len(x) * 1.5 / 30))
    return x / x.std(axis=0)


def naive_ranks(predicted: np.ndarray, true: np.ndarray, shift: int = 0) -> np.ndarray:
    """Moved by up to half a clip, the other way beyond; only where there is a prediction then."""
    count = len(true)
    predicted = standard(predicted[np.arange(count) * len(predicted) // count])
    predicted, true = np.roll(predicted, shift, axis=0), standard(true)
    ranks = []
    for t in range(shift, count) if shift <= count // 2 else range(shift):
        seen = predicted[[(t + d) % count for d in (-1, 0, 1)]].ravel()

        def likeness(other, seen=seen):
            around = true[[(other + d) % count for d in (-1, 0, 1)]].ravel()
            return seen @ around / np.linalg.norm(seen) / np.linalg.norm(around)

        far = [o for o in range(count) if min(abs(o - t), count - abs(o - t)) >= LEAST]
        own = likeness(t)
        ranks.append(1 + sum(likeness(other) > own for other in far))
    return np.array(ranks)


def split(seed: int, videos: int, samples: int = 40, train: int = 15, **switches):
    """Predictions of one linear model that saw other videos, and what there is to see."""
    planted = planted_features(PlantedTruth(**switches), seed, videos + train, samples)
    x = np.stack([standard(sound) for sound in planted.audio_VTA])
    y = np.stack([standard(picture) for picture in planted.visual_VTY])
    weight = np.linalg.lstsq(
        x[videos:].reshape(-1, x.shape[2]), y[videos:].reshape(-1, y.shape[2]), rcond=None
    )[0]
    return list(x[:videos] @ weight), list(planted.visual_VTY[:videos])


def test_every_number_is_that_of_the_naive_way():
    predicted, true = split(0, 4, coupling=0.4)
    predicted[1], true[1] = predicted[1][:31], true[1][:31]
    found = retrieval(predicted, true, RATE, draws=25, seed=2)
    places = np.array([34, 25, 34, 34])
    own = [naive_ranks(x, y) for x, y in zip(predicted, true, strict=True)]
    assert found.recall_at_1 == pytest.approx(np.mean([(ranks == 1).mean() for ranks in own]))
    assert found.median_rank == pytest.approx(np.mean([np.median(ranks) for ranks in own]))
    assert found.chance_recall_at_1 == pytest.approx((1 / places).mean())
    assert found.chance_median_rank == pytest.approx(((places + 1) / 2).mean())
    assert found.candidates == places.mean() - 1
    relative = [(np.median(ranks) - 0.5) / n for ranks, n in zip(own, places, strict=True)]
    np.testing.assert_allclose(found.relative_V, relative)

    def relative_median(u, v, shift=0):
        return (np.median(naive_ranks(predicted[u], true[v], shift)) - 0.5) / places[v]

    pair = np.array([[relative_median(u, v) for v in range(4)] for u in range(4)])
    songs = uniform_permutations(4, 25, numpy_generator_for(2, "ask/retrieval/swap"))
    np.testing.assert_allclose(found.swap_null_B, pair[songs, np.arange(4)].mean(1))
    rng = numpy_generator_for(2, "ask/retrieval/shift")
    expected = np.zeros(25)
    for v in range(4):
        shifts = np.arange(LEAST, len(true[v]) - LEAST + 1)
        score = np.array([relative_median(v, v, shift) for shift in shifts.tolist()])
        expected += score[rng.integers(len(shifts), size=25)] / 4
    np.testing.assert_allclose(found.shift_null_B, expected)


def test_who_predicts_exactly_finds_every_time():
    _, true = split(1, 5)
    found = retrieval(true, true, RATE, draws=99)
    assert found.recall_at_1 == 1
    assert found.median_rank == 1
    assert found.p_value == found.p_recall == 0.01


def test_who_always_says_the_same_is_at_chance_exactly():
    _, true = split(2, 4)
    found = retrieval([np.full((40, 5), 0.4)] * 4, true, RATE, draws=19)
    assert found.recall_at_1 == pytest.approx(found.chance_recall_at_1)
    assert found.median_rank == pytest.approx(found.chance_median_rank)
    assert found.p_value == found.p_recall == 1


def test_what_the_model_learnt_elsewhere_is_found():
    found = retrieval(*split(3, 10, coupling=0.5), RATE, draws=199)
    assert found.p_value == 1 / 200
    assert found.median_rank < 0.6 * found.chance_median_rank
    assert found.recall_at_1 > 2 * found.chance_recall_at_1


@pytest.mark.parametrize("switches", [{}, {"shared_fades": True}])
def test_chance_is_seldom_taken_for_knowledge(switches):
    found = [retrieval(*split(seed, 8, **switches), RATE, draws=99).p_value for seed in range(60)]
    assert np.mean(np.array(found) <= 0.1) <= 0.18


def test_random_predictions_rank_as_chance_says():
    rng = np.random.default_rng(0)
    predicted = [rng.standard_normal((200, 3)) for _ in range(40)]
    true = [rng.standard_normal((200, 3)) for _ in range(40)]
    found = retrieval(predicted, true, RATE, draws=19)
    assert found.recall_at_1 == pytest.approx(found.chance_recall_at_1, rel=0.3)
    assert found.median_rank == pytest.approx(found.chance_median_rank, rel=0.05)


def test_what_cannot_be_tested_is_refused():
    predicted, true = split(5, 3)
    with pytest.raises(ValueError, match="at least 2"):
        retrieval(predicted[:1], true[:1], RATE)
    with pytest.raises(ValueError, match="T x P"):
        retrieval([x[:, :-1] for x in predicted], true, RATE)
    with pytest.raises(ValueError, match="no times"):
        retrieval([x[:7] for x in predicted], [y[:7] for y in true], RATE)
    with pytest.raises(ValueError, match="window_samples"):
        retrieval(predicted, true, RATE, window_samples=0)
    predicted[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        retrieval(predicted, true, RATE)
