"""Song to film and back: planted truth, chance, exact numbers, and curves that look alike."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats

from soundreel.evidence.cycle import cycle, matches_p
from soundreel.evidence.drift import film_drift, seen_curves, sound_drift
from soundreel.evidence.song_likeness import QUALITIES, heard_curves

KINDS = ("loudness", "onsets", "balance", "balance")
RATE = 10


def songs_of(rng, songs=6, moments=300, persistence=0.9):
    """Autocorrelated curves without anything in common: songs x T x 4."""
    x_VTD = rng.standard_normal((songs, moments, 4))
    for t in range(1, moments):
        x_VTD[:, t] += persistence * x_VTD[:, t - 1]
    return x_VTD


def asked(made, true, **more):
    return cycle(list(made), list(true), KINDS, RATE, **{"draws": 499, **more})


def test_songs_that_come_back_with_noise_are_told():
    rng = np.random.default_rng(0)
    songs = songs_of(rng)
    # Another level, another spread and another timbre each, all of which say nothing.
    made = 3 * songs + 50 + 10 * rng.standard_normal((6, 1, 4)) + 2 * rng.standard_normal((6, 1, 4))
    made = made + 1.5 * songs.std() * rng.standard_normal(songs.shape)
    found = asked(made, songs)
    assert found.recall_at_1 == 1
    assert found.median_rank == 1
    assert found.mean_reciprocal_rank == 1
    assert (found.chance_recall_at_1, found.chance_median_rank) == (1 / 6, 3.5)
    assert found.chance_mean_reciprocal_rank == pytest.approx(sum(1 / k for k in range(1, 7)) / 6)
    assert found.p_recall == pytest.approx(1 / 720)
    assert found.p_value < 0.01
    assert found.verdict == "YES"
    assert found.low > 0.2
    assert (found.seconds, found.pieces) == (30, 3)
    interval = scipy.stats.binomtest(6, 6).proportion_ci(method="exact")
    assert (found.recall_low, found.recall_high) == pytest.approx((interval.low, interval.high))


def test_swapped_songs_are_at_chance():
    songs = songs_of(np.random.default_rng(1))
    found = asked(np.roll(songs, 1, axis=0), songs)
    assert found.recall_at_1 == 0
    assert found.effect < 0
    assert found.p_swap > 0.5
    assert found.p_recall == 1
    assert found.verdict != "YES"


def test_one_and_the_same_answer_to_all_is_exactly_chance():
    rng = np.random.default_rng(2)
    found = asked(np.repeat(songs_of(rng, 1), 6, axis=0), songs_of(rng))
    assert found.recall_at_1 == pytest.approx(1 / 6)
    assert found.rank_V.mean() == pytest.approx(3.5)
    assert found.effect == pytest.approx(0)
    assert found.p_swap == 1
    assert found.p_recall == 1


def test_an_answer_that_does_not_move_ties_with_all():
    found = asked(np.full((6, 300, 4), -14.0), songs_of(np.random.default_rng(3)))
    assert (found.rank_V == 3.5).all()
    assert found.recall_at_1 == pytest.approx(1 / 6)
    assert found.effect == 0
    assert found.p_recall == 1


def test_a_level_or_a_timbre_that_stays_neither_wins_nor_loses():
    rng = np.random.default_rng(4)
    songs, made = songs_of(rng), songs_of(rng)
    offsets = 100 * rng.standard_normal((6, 1, 4))
    before, after = asked(made, songs), asked(made + offsets, songs + offsets)
    np.testing.assert_allclose(after.likeness_VV, before.likeness_VV, atol=1e-9)
    assert after.effect == pytest.approx(before.effect)
    assert before.with_levels < 1
    assert after.with_levels == 1
    assert after.p_with_levels == pytest.approx(1 / 720)


def test_a_fade_that_all_songs_share_decides_nothing():
    rng = np.random.default_rng(5)
    fade_T1 = 30 * np.minimum(1, np.arange(300) / 100)[:, None]
    found = asked(songs_of(rng) + fade_T1, songs_of(rng) + fade_T1)
    assert np.abs(found.likeness_VV).max() < 0.5, "the fade itself is in none of it"
    assert found.p_value > 0.05


def test_few_songs_are_told_by_their_moments():
    rng = np.random.default_rng(6)
    songs = songs_of(rng, 3, 900)
    found = asked(songs + songs.std() * rng.standard_normal(songs.shape), songs)
    assert found.p_swap == pytest.approx(1 / 6), "three songs can be exchanged in six ways only"
    assert found.p_value == found.p_shift < 0.01
    assert found.verdict == "YES"


def test_likeness_is_the_mean_correlation_by_quality_of_what_songs_have_to_themselves():
    rng = np.random.default_rng(7)
    songs, made = songs_of(rng, 3), songs_of(rng, 3)

    def own(x_VTD):
        z_VTD = (x_VTD - x_VTD.mean(1, keepdims=True)) / x_VTD.std(1, keepdims=True)
        return z_VTD - z_VTD.mean(axis=0)

    by_lag = []
    for lag in range(-5, 6):
        one, other = own(np.roll(made, lag, axis=1))[1], own(songs)[0]
        r = [np.corrcoef(one[:, d], other[:, d])[0, 1] for d in range(4)]
        by_lag.append((r[0] + r[1] + (r[2] + r[3]) / 2) / 3)
    assert asked(made, songs).likeness_VV[1, 0] == pytest.approx(max(by_lag))


def test_to_be_a_little_late_is_forgiven_and_seconds_are_not():
    songs = songs_of(np.random.default_rng(10), persistence=0.3)
    assert asked(np.roll(songs, 4, axis=1), songs).recall_at_1 == 1
    late = asked(np.roll(songs, 20, axis=1), songs)
    assert late.p_value > 0.05


def test_all_is_cut_to_the_shortest():
    rng = np.random.default_rng(8)
    songs, made = songs_of(rng), songs_of(rng)
    longer = [np.concatenate([x, rng.standard_normal((9 * k, 4))]) for k, x in enumerate(made)]
    np.testing.assert_array_equal(asked(longer, songs).share_VV, asked(made, songs).share_VV)


@pytest.mark.parametrize("persistence", [0.9, 0.98])
def test_noise_is_called_a_link_as_rarely_as_it_may(persistence):
    """The statistic is of songs that have nothing to do with each other: 200 corpora of 5."""
    p_swap, p_value = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        made, songs = (songs_of(rng, 5, 100, persistence) for _ in range(2))
        found = asked(made, songs, draws=99, seed=seed, piece_seconds=5)
        p_swap.append(found.p_swap)
        p_value.append(found.p_value)
    allowed = 0.05 + 2 * math.sqrt(0.05 * 0.95 / 200)
    assert np.mean(np.array(p_value) <= 0.05) <= allowed
    assert np.mean(np.array(p_swap) <= 0.05) <= allowed
    assert scipy.stats.kstest(p_swap, "uniform").pvalue > 0.001, "swaps alone are exact"


@pytest.mark.parametrize(
    "nearest", [[0, 0, 2, 1, 4], [3, 3, 3, 3, 3], [1, 0, 3, 2, 4], [0, 1, 2, 3, 4]]
)
def test_chances_of_matches_are_those_of_all_orders(nearest):
    orders = list(itertools.permutations(range(5)))
    counts = [sum(a == b for a, b in zip(order, nearest, strict=True)) for order in orders]
    for matches in range(7):
        expected = sum(count >= matches for count in counts) / len(orders)
        assert matches_p(nearest, matches) == pytest.approx(expected)


def test_many_songs_are_exchanged_by_lot():
    rng = np.random.default_rng(9)
    songs = songs_of(rng, 12, 120)
    found = asked(songs + 0.2 * rng.standard_normal(songs.shape), songs)
    assert found.p_swap == 1 / 500
    assert found.p_recall == pytest.approx(1 / math.factorial(12))
    again = asked(songs + 0, songs, seed=3)
    assert len(again.swap_null_B) == 499


@pytest.mark.parametrize(
    ("made", "true"),
    [([], []), ([np.zeros((9, 4))], [np.zeros((9, 4))]), ([np.zeros((9, 4))] * 2, [])],
)
def test_without_songs_there_is_no_answer(made, true):
    with pytest.raises(ValueError, match="at least 2"):
        cycle(made, true, KINDS, RATE)


def test_curves_that_do_not_match_are_refused():
    good, empty = np.zeros((90, 4)), np.zeros((0, 4))
    for bad in (empty, np.zeros((90, 3)), np.full((90, 4), np.nan)):
        with pytest.raises(ValueError, match=r"is needed|finite"):
            cycle([good, bad], [good, good], KINDS, RATE)
    with pytest.raises(ValueError, match="0 draws"):
        asked([good, good], [good, good], draws=0)
    with pytest.raises(ValueError, match="0 to 1"):
        matches_p([0, 2], 1)


def tone(seconds, hz, loudness, rate=16_000):
    time_N = np.arange(int(seconds * rate)) / rate
    return (loudness(time_N) * np.sin(2 * np.pi * hz * time_N)).astype(np.float32)


def test_curves_say_when_it_is_loud_when_it_begins_and_how_high_it_is():
    sound = tone(4, 200, lambda t: np.where((t > 1) & (t < 3), 0.5, 0.005))
    heard = heard_curves([sound[:7000], sound[7000:]], 16_000)
    assert heard.rate_hz == 10
    assert len(heard) == 40
    assert heard.loudness_db_T[15:25].mean() == pytest.approx(-9.03, abs=0.1)
    assert heard.loudness_db_T[5] == pytest.approx(-49.03, abs=0.1)
    assert heard.onset_T[2:].argmax() + 2 == 10
    low = heard_curves([tone(2, 100, np.ones_like)], 16_000).table()
    high = heard_curves([tone(2, 6000, np.ones_like)], 16_000).table()
    assert low.shape[1] == high.shape[1] == len(QUALITIES)
    assert low[:, 2].mean() > 40 > high[:, 2].mean()
    np.testing.assert_allclose(low[:, 2:].sum(axis=1), 0, atol=1e-6)


def test_a_sound_does_not_drift_from_itself_nor_by_being_turned_down():
    rng = np.random.default_rng(0)
    swell_N = np.repeat(rng.uniform(0.05, 0.5, 60), 1600)
    sound = (swell_N * rng.standard_normal(len(swell_N)) * 0.3).astype(np.float32)
    other = (swell_N[::-1] * rng.standard_normal(len(swell_N)) * 0.3).astype(np.float32)
    one, soft, two = (heard_curves([x], 16_000) for x in (sound, sound / 4, other))
    same = sound_drift(one, one)
    assert (same.loudness, same.onsets, same.spectrum_db) == pytest.approx((1, 1, 0))
    turned = sound_drift(soft, one)
    assert turned.loudness == pytest.approx(1)
    assert turned.spectrum_db < 0.1
    far = sound_drift(two, one)
    assert far.loudness < 0.5
    assert far.spectrum_db > 4


def test_a_film_drifts_by_its_light_its_colour_and_its_pixels():
    light_T = np.linspace(40, 200, 12).astype(np.uint8)
    frames = [np.full((40, 64, 3), value, np.uint8) for value in light_T]
    one, dark = seen_curves(frames), seen_curves([frame // 2 for frame in frames])
    back = seen_curves(frames[::-1])
    assert film_drift(one, one).pixels == 0
    assert film_drift(one, one).brightness == pytest.approx(1)
    assert film_drift(dark, one).brightness == pytest.approx(1, abs=1e-3)
    assert film_drift(dark, one).pixels == pytest.approx(light_T.mean() / 2 / 255, abs=0.003)
    assert film_drift(back, one).brightness == pytest.approx(-1, abs=1e-3)
    assert film_drift(one, one).colour == 0, "grey: no colour that could move"
    with pytest.raises(ValueError, match="0 and 12"):
        film_drift(seen_curves([]), one)


def test_seconds_are_exact():
    songs = songs_of(np.random.default_rng(0), 2, 60)
    found = cycle(list(songs), list(songs), KINDS, Fraction(22_050, 2_210), draws=9)
    assert found.seconds == Fraction(60 * 2_210, 22_050)
