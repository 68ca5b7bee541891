"""Cuts on beats: planted ones are found, chance is chance, and offsets have the right sign."""

import mir_eval
import numpy as np
import pytest

from soundreel.evidence.cut_beats import cuts_on_beats
from soundreel.synthetic.features import planted_features
from soundreel.synthetic.truth import PlantedTruth, cut_times

BEATS = 1.0 + 0.5 * np.arange(100)


def drifting_beats(rng, seconds):
    lengths = 60 / rng.uniform(70, 150) * np.exp(0.01 * rng.standard_normal(400).cumsum() / 4)
    beats = rng.uniform(0, 1) + np.cumsum(lengths)
    return beats[beats < seconds]


def rate_of_yes(corpora, **more):
    found = [cuts_on_beats(*corpus, seed=k, **more) for k, corpus in enumerate(corpora)]
    return np.mean([one.p_value <= 0.05 for one in found]), found


def test_cuts_on_every_beat_could_not_be_better():
    rng = np.random.default_rng(0)
    beats = [drifting_beats(rng, 60) for _ in range(8)]
    found = cuts_on_beats([b[4:-4:5] for b in beats], beats)
    assert found.hit_rate == 1
    assert found.p_value == 1 / 2000
    assert found.clips == 8
    assert found.cuts == len(found.signed_lags_N) == sum(len(b[4:-4:5]) for b in beats)
    np.testing.assert_allclose(found.signed_lags_N, 0, atol=1e-9)
    assert found.effect == found.hit_rate - found.null_mean
    assert 0.15 < found.null_mean < 0.35, "by chance, the tolerance on both sides of a period"


def test_chance_is_the_share_of_time_near_beats():
    rng = np.random.default_rng(1)
    cuts = [rng.uniform(1, 50, 40) for _ in range(20)]
    found = cuts_on_beats(cuts, [BEATS] * 20, tolerance_seconds=0.1)
    assert abs(found.null_mean - 0.4) < 0.01
    assert abs(found.effect) < 0.05
    assert found.p_value > 0.05


def test_lags_are_signed_and_measured_from_the_nearest_beat():
    """Against brute force, where the tempo drifts; an editor who is early has negative ones."""
    rng = np.random.default_rng(2)
    beats = drifting_beats(rng, 90)
    cuts = np.sort(rng.uniform(beats[0], beats[-1], 200))
    apart = cuts[:, None] - beats
    nearest = apart[np.arange(200), np.abs(apart).argmin(axis=1)]
    found = cuts_on_beats([cuts], [beats])
    np.testing.assert_allclose(found.signed_lags_N, nearest, atol=1e-9)
    assert found.hit_rate == np.mean(np.abs(nearest) <= 0.07)
    early = cuts_on_beats([BEATS[3:80:7] - 0.05], [BEATS])
    np.testing.assert_allclose(early.signed_lags_N, -0.05, atol=1e-9)
    peak = early.lag_edges[early.lag_counts_L.argmax()]
    assert peak < -0.05 < peak + 0.04


def test_hits_are_those_of_mir_eval_where_no_two_share_a_beat():
    rng = np.random.default_rng(3)
    beats = drifting_beats(rng, 120)
    cuts = np.sort(rng.choice(beats[1:-1], 60, replace=False) + rng.uniform(-0.2, 0.2, 60))
    for tolerance in (0.03, 0.07, 0.15):
        matches = mir_eval.util.match_events(beats, cuts, tolerance)
        found = cuts_on_beats([cuts], [beats], tolerance_seconds=tolerance)
        assert found.hit_rate == len(matches) / 60


def test_on_the_edge_of_the_tolerance_rounding_does_not_decide():
    found = cuts_on_beats([BEATS[3:90] + 0.1], [BEATS], tolerance_seconds=0.1)
    assert found.hit_rate == 1


def test_the_histogram_and_its_band():
    rng = np.random.default_rng(4)
    cuts = [rng.uniform(1, 50, 60) for _ in range(15)]
    found = cuts_on_beats(cuts, [BEATS] * 15)
    edges = found.lag_edges
    assert edges[len(edges) // 2 - 1] == -edges[len(edges) // 2] == -0.02, "a bin around 0"
    counts, _ = np.histogram(found.signed_lags_N, edges)
    np.testing.assert_array_equal(found.lag_counts_L, counts)
    assert (found.lag_null_low_L <= found.lag_null_mean_L).all()
    assert (found.lag_null_mean_L <= found.lag_null_high_L).all()
    inside = np.abs(edges[:-1] + edges[1:]) / 2 < 0.22
    np.testing.assert_allclose(found.lag_null_mean_L[inside], 900 * 0.04 / 0.5, rtol=0.05)
    # 95% of counts lie in the band; a few of 25 bins may not.
    out = (counts < found.lag_null_low_L) | (counts > found.lag_null_high_L)
    assert out[inside].sum() <= 2


@pytest.mark.parametrize("videos", [12, 30])
def test_without_coupling_few_corpora_are_significant(videos):
    """Poisson cuts, 18 a video; the rate is at most .07 (standard error .013 at 300)."""
    corpora = []
    for seed in range(300):
        corpus = planted_features(PlantedTruth(), seed, videos, samples=40)
        corpora.append((corpus.cuts_seconds, corpus.beats_seconds))
    rate, found = rate_of_yes(corpora, draws=199)
    assert rate <= 0.07
    p_values = np.array([one.p_value for one in found])
    for level in (0.25, 0.5, 0.75):
        assert abs(np.mean(p_values <= level) - level) < 0.09
    assert abs(np.mean([one.effect for one in found])) < 0.005


def test_a_director_who_cuts_in_time_with_another_song_is_not_significant():
    """Every cut a whole number of the song's beats after the last, at a phase of the video's own:
    a test that moves cuts one by one would nearly always see something here."""
    corpora = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        beats = [drifting_beats(rng, 60) for _ in range(12)]
        cuts = []
        for beat in beats:
            places = rng.uniform(0, 1) + np.cumsum(rng.integers(2, 9, 18))
            cuts.append(np.interp(places[places < len(beat) - 1], np.arange(len(beat)), beat))
        corpora.append((cuts, beats))
    rate, _ = rate_of_yes(corpora, draws=199)
    assert rate <= 0.07


@pytest.mark.parametrize(
    ("share", "least", "most"), [(0.02, 0.2, 0.6), (0.05, 0.85, 1), (0.1, 1, 1)]
)
def test_planted_shares_are_found_as_often_as_they_should_be(share, least, most):
    """30 videos of 200 s, 60 cuts each: .39, .96 and 1 (300 corpora); here 60."""
    corpora = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        beats = [drifting_beats(rng, 200) for _ in range(30)]
        truth = PlantedTruth(cuts_on_beats=share)
        corpora.append(([cut_times(truth, beat, 200, rng) for beat in beats], beats))
    rate, _ = rate_of_yes(corpora, draws=199)
    assert least <= rate <= most


def test_the_same_seed_gives_the_same_answer_and_order_does_not_matter():
    rng = np.random.default_rng(5)
    cuts = [rng.uniform(1, 50, 20) for _ in range(5)]
    first, again, other = (cuts_on_beats(cuts, [BEATS] * 5, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.null_B, again.null_B)
    assert (first.null_B != other.null_B).any()
    mixed = cuts_on_beats([rng.permutation(c) for c in cuts], [BEATS] * 5, seed=1)
    assert mixed.hit_rate == first.hit_rate
    np.testing.assert_allclose(np.sort(mixed.null_B), np.sort(first.null_B), atol=1e-9)


def test_what_cannot_be_used_is_left_out():
    cuts = [np.array([0.2, 1.1, 9.0, 99.0]), np.empty(0), np.array([3.0]), np.array([1.2])]
    beats = [BEATS, BEATS, np.array([2.0, 4.0]), np.array([1.0, 1.5, 2.0])]
    found = cuts_on_beats(cuts, beats, draws=9)
    assert (found.cuts, found.clips) == (3, 2)


@pytest.mark.parametrize(
    ("cuts", "beats", "more", "says"),
    [
        ([[1.0]], [], {}, "equally many"),
        ([], [], {}, "none of 0 clips"),
        ([[]], [BEATS], {}, "none of 1 clips"),
        ([[2.0]], [BEATS[::-1]], {}, "clip 0.*ascend"),
        ([[2.0], [np.nan]], [BEATS, BEATS], {}, "clip 1.*finite"),
        ([[2.0]], [BEATS], {"tolerance_seconds": 0}, "tolerance of 0"),
        ([[2.0]], [BEATS], {"draws": 0}, "0 draws"),
    ],
)
def test_what_makes_no_sense_is_refused(cuts, beats, more, says):
    with pytest.raises(ValueError, match=says):
        cuts_on_beats(cuts, beats, **more)
