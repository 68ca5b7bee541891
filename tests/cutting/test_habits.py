"""Planted habits are learnt back: how long shots last, how many cuts are on beats, how late."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import CensoredData, ecdf

from soundreel.cutting.counting import count_beats
from soundreel.cutting.habits import CuttingHabits, learn_habits, mean_of_quantiles
from soundreel.synthetic.truth import PlantedTruth, cut_times

SECONDS = 200.0


def song(rng, seconds=SECONDS):
    """Beats whose tempo drifts a little, and every fourth of them."""
    gaps = 60 / rng.uniform(75, 150) * np.exp(0.001 * rng.standard_normal(2000).cumsum())
    beats = rng.uniform(0, 0.6) + np.cumsum(gaps)
    beats = beats[beats < seconds]
    return beats, beats[rng.integers(4) :: 4]


def known(value):
    """What is not None."""
    assert value is not None
    return value


def learnt(cuts, songs, seconds=SECONDS, resolution=0.0):
    beats, bars = zip(*songs, strict=True)
    return learn_habits(cuts, [seconds] * len(cuts), beats, bars, resolution)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 1), st.integers(0, 10**6))
def test_the_planted_share_of_cuts_on_beats_is_learnt(share, seed):
    """40 clips, about 60 cuts each. Chance is near .3, so the standard error is below .015."""
    rng = np.random.default_rng(seed)
    songs = [song(rng) for _ in range(40)]
    truth = PlantedTruth(cuts_on_beats=share)
    cuts = [cut_times(truth, beats, SECONDS, rng) for beats, _ in songs]
    # Two cuts moved to one beat are one: what is planted is what is left of them.
    on_beat = sum(np.isin(c, beats).sum() for c, (beats, _) in zip(cuts, songs, strict=True))
    planted = on_beat / sum(map(len, cuts))
    found = learnt(cuts, songs)
    assert found.on_beat_share is not None
    assert abs(known(found.on_beat_share) - planted) < 0.06
    assert planted > share - 0.1
    assert abs(found.mean_shot_seconds / (40 * SECONDS / sum(map(len, cuts))) - 1) < 0.05
    if share > 0.3:
        assert np.abs(found.lag_seconds).max() < 0.07
        assert np.abs(found.lag_seconds[5:-5]).max() < 0.005
        assert found.downbeat_share is not None
        assert abs(known(found.downbeat_share) - 0.25) < 0.12


def test_the_estimate_leans_to_neither_side():
    """Means over 40 corpora of 10 clips, to three standard errors."""
    for share in (0.25, 0.6):
        errors = []
        for seed in range(40):
            rng = np.random.default_rng(seed)
            songs = [song(rng) for _ in range(10)]
            truth = PlantedTruth(cuts_on_beats=share)
            cuts = [cut_times(truth, beats, SECONDS, rng) for beats, _ in songs]
            on_beat = sum(np.isin(c, b).sum() for c, (b, _) in zip(cuts, songs, strict=True))
            errors.append(known(learnt(cuts, songs).on_beat_share) - on_beat / sum(map(len, cuts)))
        assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(40)


def test_short_clips_do_not_make_shots_short():
    """Of clips of 8 s only short shots are whole; lengths of shots are learnt nevertheless."""
    rng = np.random.default_rng(0)
    clips, length = 3000, 8.0
    begin = [np.cumsum(rng.gamma(2, 2.5, 60)) - 100 for _ in range(clips)]
    cuts = [b[(b > 0) & (b < length)] for b in begin]
    none = [[]] * clips
    found = learn_habits(cuts, [length] * clips, none, none, 0.0)
    whole = np.concatenate([np.diff(c) for c in cuts])
    assert whole.mean() < 3.4, "what one gets who takes the whole ones only"
    assert abs(found.mean_shot_seconds - 5) < 0.2
    assert abs(found.shot_seconds[20] - 4.196) < 0.2, "the median of that gamma distribution"
    assert found.shots == len(whole)
    assert abs(found.cuts_per_minute - 12) < 0.5
    assert found.shot_beats is None
    assert found.on_beat_share is None


def test_lengths_are_those_of_kaplan_and_meier():
    rng = np.random.default_rng(1)
    cuts = [np.sort(rng.uniform(0, 20, rng.integers(1, 12))).round(1) for _ in range(30)]
    none = [[]] * 30
    found = learn_habits(cuts, [20.0] * 30, none, none, 0.0)
    cuts = [np.unique(c[(c > 0) & (c < 20)]) for c in cuts]
    whole = np.concatenate([np.diff(c) for c in cuts])
    cut_short = np.array([20 - c[-1] for c in cuts if len(c)])
    oracle = ecdf(CensoredData(uncensored=whole, right=cut_short)).cdf
    for place in range(1, 40):
        share = place / 40
        if share < oracle.probabilities[-1]:
            expected = oracle.quantiles[np.searchsorted(oracle.probabilities, share - 1e-9)]
            np.testing.assert_allclose(found.shot_seconds[place], expected, atol=1e-4)
    if oracle.probabilities[-1] == 1:
        steps = np.diff(np.concatenate([[0], oracle.probabilities]))
        assert abs(found.mean_shot_seconds - steps @ oracle.quantiles) < 0.1


@pytest.mark.parametrize("step", [0.0, 1 / 24, 1 / 12, 1 / 10])
def test_lags_are_learnt_without_what_the_grid_spreads(step):
    """30 ms early, 15 ms spread, every fourth beat; seen on a grid, put half a step earlier."""
    rng = np.random.default_rng(2)
    songs = [song(rng) for _ in range(20)]
    cuts = [bars[1:-1] - 0.03 + 0.015 * rng.standard_normal(len(bars) - 2) for _, bars in songs]
    if step:
        cuts = [(np.ceil(c / step) - 0.5) * step for c in cuts]
    found = learnt(cuts, songs, resolution=step)
    assert abs(found.lag_seconds[10] + 0.03) < 0.006
    low, high = found.lag_seconds[3], found.lag_seconds[-4]
    assert 0.018 < high - low < 0.045, "15% to 85% of a normal distribution: .031"
    assert known(found.on_beat_share) > 0.93
    assert found.downbeat_share == 1
    assert found.resolution_seconds == step
    assert abs(known(found.shot_beats)[20] - 4) < 0.2


def test_chance_hits_do_not_blur_lags():
    rng = np.random.default_rng(3)
    songs = [song(rng) for _ in range(60)]
    cuts = []
    for beats, _ in songs:
        on = rng.choice(beats[4:-4], 15, replace=False) + 0.03
        cuts.append(np.concatenate([on, rng.uniform(0, SECONDS, 45)]))
    found = learnt(cuts, songs)
    assert abs(known(found.on_beat_share) - 0.25) < 0.05
    np.testing.assert_allclose(found.lag_seconds[6:-6], 0.03, atol=0.01)


@pytest.mark.parametrize("planted", [0.25, 0.6, 1.0])
def test_the_share_of_downbeats(planted):
    rng = np.random.default_rng(4)
    songs = [song(rng) for _ in range(40)]
    cuts = []
    for beats, bars in songs:
        others = np.setdiff1d(beats, bars)
        down = rng.random(50) < planted
        on = np.where(down, rng.choice(bars, 50), rng.choice(others, 50))
        cuts.append(np.concatenate([on, rng.uniform(0, SECONDS, 20)]))
    found = learnt(cuts, songs)
    assert abs(known(found.downbeat_share) - planted) < 0.06


def test_cuts_by_chance_tell_neither_lags_nor_bars():
    rng = np.random.default_rng(5)
    songs = [song(rng) for _ in range(30)]
    found = learnt([rng.uniform(0, SECONDS, 60) for _ in songs], songs)
    assert known(found.on_beat_share) < 0.05
    assert found.lag_seconds == ()
    assert found.downbeat_share is None


def test_a_director_who_never_cuts():
    found = learn_habits([[], []], [30.0, 200.0], [[], []], [[], []], 0.04)
    assert (found.shots, found.shot_seconds, found.cuts_per_minute) == (0, (), 0)
    assert found.summary() == "never cuts"
    assert learn_habits([], [], [], [], 0.0) == CuttingHabits(shots=0)


def test_one_cut_in_an_hour_is_one_an_hour():
    found = learn_habits([[1000.0], []], [1800.0, 1800.0], [[], []], [[], []], 0.04)
    assert found.shots == 0
    assert abs(found.mean_shot_seconds / 3600 - 1) < 1e-6
    assert abs(found.shot_seconds[20] / (3600 * np.log(2)) - 1) < 1e-6


def test_what_a_coarse_grid_cannot_tell_is_unknown():
    rng = np.random.default_rng(6)
    songs = [song(rng) for _ in range(5)]
    cuts = [beats[4:-4:6] for beats, _ in songs]
    coarse, fine = learnt(cuts, songs, resolution=0.3), learnt(cuts, songs, resolution=0.2)
    assert (coarse.on_beat_share, coarse.shot_beats, coarse.downbeat_share) == (None, None, None)
    assert coarse.shot_seconds == fine.shot_seconds
    assert known(fine.on_beat_share) > 0.9
    quick = [np.arange(0.1, SECONDS, 0.2)] * 5
    found = learn_habits(cuts, [SECONDS] * 5, quick, [[]] * 5, 0.2)
    assert found.on_beat_share is None, "every moment is near such a beat"


def test_where_a_song_does_not_beat_cuts_say_nothing_of_beats():
    """Half of the song is rubato: its cuts count for lengths only, and its beats are counted on."""
    beats = np.concatenate([np.arange(0.25, 50, 0.5), np.arange(150.25, 200, 0.5)])
    cuts = np.concatenate([np.arange(4.25, 50, 4), np.arange(60.1, 140, 3.7)])
    found = learn_habits([cuts], [SECONDS], [beats], [[]], 0.0)
    assert found.on_beat_share == 1
    assert found.downbeat_share is None
    count = count_beats(beats)
    assert count is not None
    np.testing.assert_allclose(count.number_at(150.25), 300, atol=1e-9)
    np.testing.assert_array_equal(count.is_heard(np.array([-3.0, 0, 20, 100, 199, 205])),
                                  [False, True, True, False, True, False])  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.floats(-50, 300))
def test_counting_there_and_back(seed, time):
    beats, bars = song(np.random.default_rng(seed), 100)
    count = count_beats(beats)
    assert count is not None
    np.testing.assert_allclose(count.seconds_at(count.number_at(time)), time, atol=1e-9)
    np.testing.assert_array_equal(count.seconds_B, beats)
    np.testing.assert_allclose(beats[count.beats_of(bars)], bars)
    later = count.seconds_at(count.number_at(time) + 1)
    assert 0.35 < later - time < 0.9


def test_kept_as_json():
    rng = np.random.default_rng(7)
    songs = [song(rng) for _ in range(10)]
    found = learnt([bars[1:-1] for _, bars in songs], songs)
    assert CuttingHabits.model_validate_json(found.model_dump_json()) == found
    assert len(found.model_dump_json()) < 2000
    assert "on the first of a bar" in found.summary()
    assert "\n" not in found.summary()
    with pytest.raises(ValueError, match="extra"):
        CuttingHabits.model_validate({**found.model_dump(), "shot_minutes": 1})
    with pytest.raises(ValueError, match="ascend"):
        CuttingHabits(shots=2, shot_seconds=(2.0, 1.0))
    with pytest.raises(ValueError, match="not all of them 0"):
        CuttingHabits(shots=2, shot_seconds=(0.0, 0.0))


def test_the_mean_of_quantiles_is_that_of_what_is_drawn_from_them():
    values = (0.0, 1.0, 5.0, 5.0, 20.0)
    fine = np.interp(np.linspace(0, 1, 100_001), np.linspace(0, 1, 5), values)
    assert abs(mean_of_quantiles(values) - fine.mean()) < 1e-3
    assert mean_of_quantiles((3.0,)) == 3


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (([[1.0]], [], [[]], [[]], 0.1), "equally many"),
        (([[1.0]], [9.0], [[]], [[]], -1), "resolution of -1"),
        (([[1.0], [np.nan]], [9.0, 9.0], [[], []], [[], []], 0.1), "clip 1: a cut"),
        (([[10.0]], [9.0], [[]], [[]], 0.1), "outside its 9 s"),
        (([[1.0]], [np.inf], [[]], [[]], 0.1), "inf s long"),
        (([[1.0]], [9.0], [[2.0, 1.0]], [[]], 0.1), "clip 0: beats must"),
        (([[1.0]], [9.0], [[]], [[2.0, 1.0]], 0.1), "clip 0: its bars"),
    ],
)
def test_what_makes_no_sense_is_refused(given, says):
    with pytest.raises(ValueError, match=says):
        learn_habits(*given)
