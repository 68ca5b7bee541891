"""What is learnt from a plan are the habits that it was made with."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from soundreel.cutting.counting import count_beats
from soundreel.cutting.habits import CuttingHabits, learn_habits, mean_of_quantiles
from soundreel.cutting.planning import plan_cuts
from soundreel.synthetic.truth import PlantedTruth, cut_times

SECONDS = 200.0


def song(rng, seconds=SECONDS):
    gaps = 60 / rng.uniform(75, 150) * np.exp(0.001 * rng.standard_normal(9000).cumsum())
    beats = rng.uniform(0, 0.6) + np.cumsum(gaps)
    beats = beats[beats < seconds]
    return beats, beats[rng.integers(4) :: 4]


def known(value):
    """What is not None."""
    assert value is not None
    return value


def learnt(cuts, songs, seconds=SECONDS):
    beats, bars = zip(*songs, strict=True)
    return learn_habits(cuts, [seconds] * len(cuts), beats, bars, 0.0)


def ks_distance(one, other):
    """Of two samples, after Kolmogorov and Smirnov."""
    return np.asarray(ks_2samp(one, other))[0]


def in_beats(cuts, songs):
    """The lengths of whole shots, to a tenth of a beat."""
    lengths = [
        np.diff(known(count_beats(b)).number_at(c)) for c, (b, _) in zip(cuts, songs, strict=True)
    ]
    return np.round(np.concatenate(lengths), 1)


def poisson(share, to="beats"):
    def cuts_of(beats, bars, rng):
        truth = PlantedTruth(cuts_on_beats=share)
        return cut_times(truth, beats if to == "beats" else bars, SECONDS, rng)

    return cuts_of


def every_bar_late(share):
    """A cut each bar, 30 ms late, spread 15 ms; the others anywhere within a second of it."""

    def cuts_of(beats, bars, rng):
        on = bars + 0.03 + 0.015 * rng.standard_normal(len(bars))
        off = bars + rng.uniform(-0.9, 0.9, len(bars))
        cuts = np.where(rng.random(len(bars)) < share, on, off)
        return np.unique(cuts[(cuts > 0) & (cuts < SECONDS)])

    return cuts_of


@pytest.mark.parametrize(
    ("cuts_of", "distance"),
    [
        (poisson(0.0), 0.05),
        (poisson(0.4), 0.05),
        (poisson(0.85), 0.05),
        (poisson(1.0), 0.05),
        (poisson(0.85, "bars"), 0.13),
        (every_bar_late(1.0), 0.05),
        (every_bar_late(0.7), 0.13),
    ],
)
def test_planned_habits_are_learnt_back(cuts_of, distance):
    """On other songs than the ones they were learnt from; 60 clips, a hundred songs."""
    rng = np.random.default_rng(0)
    clips = [song(rng) for _ in range(60)]
    cuts = [cuts_of(*clip, rng) for clip in clips]
    habits = learnt(cuts, clips)
    songs = [song(rng) for _ in range(100)]
    plans = [plan_cuts(habits, *one, 0, SECONDS, seed) for seed, one in enumerate(songs)]
    again = learnt(plans, songs)
    found = ks_distance(in_beats(cuts, clips), in_beats(plans, songs))
    assert found < distance
    # 60 cuts a song: the standard error of a mean of exponential lengths is below 1.3%.
    assert (
        abs(
            mean_of_quantiles(known(again.shot_beats)) / mean_of_quantiles(known(habits.shot_beats))
            - 1
        )
        < 0.04
    )
    assert abs(known(again.on_beat_share) - known(habits.on_beat_share)) < 0.04
    if habits.lag_seconds:
        np.testing.assert_allclose(again.lag_seconds[4:-4], habits.lag_seconds[4:-4], atol=0.008)
        assert abs(known(again.downbeat_share) - known(habits.downbeat_share)) < 0.1


@settings(max_examples=10, deadline=None)
@given(
    st.floats(0, 1),
    st.floats(0.25, 1),
    st.floats(-0.04, 0.04),
    st.floats(2, 12),
    st.floats(0.5, 8),
    st.integers(0, 10**6),
)
def test_any_habits_come_back(share, downbeats, lag, mean, shape, seed):
    """Whatever the share, the bars, the lag and the law of lengths (gamma)."""
    rng = np.random.default_rng(seed)
    table = np.quantile(1 + rng.gamma(shape, (mean - 1) / shape, 20_000), np.linspace(0, 0.999, 41))
    habits = CuttingHabits(
        shots=999,
        shot_seconds=tuple(table / 2),
        shot_beats=tuple(table),
        on_beat_share=share,
        lag_seconds=(lag - 0.005, lag + 0.005),
        downbeat_share=downbeats,
    )
    songs = [song(rng) for _ in range(40)]
    plans = [plan_cuts(habits, *one, 0, SECONDS, seed + k) for k, one in enumerate(songs)]
    again = learnt(plans, songs)
    cuts = sum(map(len, plans))
    # Chance is below .35: the standard error is at most that of a share over .65.
    assert abs(known(again.on_beat_share) - share) < 0.02 + 4 * 0.5 / 0.65 / np.sqrt(cuts)
    assert abs(mean_of_quantiles(known(again.shot_beats)) / mean_of_quantiles(table) - 1) < 0.06
    if again.lag_seconds and share > 0.3:
        assert abs(again.lag_seconds[10] - lag) < 0.01


def test_the_mean_length_is_the_learnt_one_over_long_films():
    """A film of an hour each, so that its ends do not count: to three standard errors."""
    rng = np.random.default_rng(1)
    clips = [song(rng) for _ in range(40)]
    for share in (0.0, 0.5, 0.85):
        habits = learnt([poisson(share)(*clip, rng) for clip in clips], clips)
        means = []
        for seed in range(10):
            beats, bars = song(rng, 3600)
            plan = plan_cuts(habits, beats, bars, 0, 3600, seed)
            places = known(count_beats(beats)).number_at(plan)
            means.append((places[-1] - places[0]) / (len(plan) - 1))
        wanted = mean_of_quantiles(known(habits.shot_beats))
        assert abs(np.mean(means) - wanted) < 3 * np.std(means) / np.sqrt(10) + 0.005 * wanted


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 90), st.floats(0, 90), st.booleans())
def test_the_plan_of_a_span_is_the_plan_of_the_song_cut_to_it(seed, start, length, beating):
    rng = np.random.default_rng(seed)
    beats, bars = song(rng, 120) if beating else ([], [])
    sections = bars[::8]
    whole = plan_cuts(HABITS, beats, bars, 0, 120, seed, sections)
    stop = min(120.0, start + length)
    part = plan_cuts(HABITS, beats, bars, start, stop, seed, sections)
    np.testing.assert_array_equal(part, whole[(whole > start) & (whole < stop)])
    np.testing.assert_array_equal(whole, plan_cuts(HABITS, beats, bars, 0, 120, seed, sections))
    assert (np.diff(whole) >= 0.1 - 1e-9).all()
    assert not len(whole) or 0 < whole[0] <= whole[-1] < 120


HABITS = CuttingHabits(
    shots=100,
    shot_seconds=(0.0, 0.3, 1.0, 2.0, 4.0),
    shot_beats=(0.0, 0.6, 2.0, 4.0, 8.0),
    on_beat_share=0.7,
    lag_seconds=(-0.05, -0.01, 0.02),
    downbeat_share=0.5,
)


def test_seeds_make_other_plans():
    beats, bars = song(np.random.default_rng(2))
    first, other = (plan_cuts(HABITS, beats, bars, 0, SECONDS, seed) for seed in (1, 2))
    assert len(np.intersect1d(first.round(1), other.round(1))) < len(first) / 2


def test_without_beats_on_either_side_lengths_are_in_seconds():
    plans = [plan_cuts(HABITS, [], [], 0, 4000, seed) for seed in range(3)]
    lengths = np.concatenate([np.diff(plan) for plan in plans])
    drawn = np.interp(np.linspace(0, 1, 9999), np.linspace(0, 1, 5), HABITS.shot_seconds)
    assert ks_distance(lengths.round(2), drawn.clip(0.1).round(2)) < 0.03
    beats, bars = song(np.random.default_rng(3), 4000)
    deaf = CuttingHabits(shots=9, shot_seconds=HABITS.shot_seconds)
    for seed in range(3):
        np.testing.assert_array_equal(plan_cuts(deaf, beats, bars, 0, 4000, seed), plans[seed])
    # Of a song too short to count on there are no beats either.
    np.testing.assert_array_equal(plan_cuts(HABITS, [1.0, 2.0], [1.0], 0, 4000, 0), plans[0])


def test_who_never_cuts_plans_none():
    never = CuttingHabits(shots=0)
    beats, bars = song(np.random.default_rng(4))
    assert plan_cuts(never, beats, bars, 0, SECONDS, 0).shape == (0,)
    assert plan_cuts(HABITS, beats, bars, 50, 50, 0).shape == (0,)


def test_twice_as_fast_a_song_is_cut_twice_as_fast():
    slow, fast = np.arange(0.5, 4000, 1.0), np.arange(0.25, 2000, 0.5)
    slow_plan = plan_cuts(HABITS, slow, slow[::4], 0, 4000, 5)
    fast_plan = plan_cuts(HABITS, fast, fast[::4], 0, 2000, 5)
    assert abs(len(slow_plan) / len(fast_plan) - 1) < 0.05


@pytest.mark.parametrize("mean", [1.5, 3.0])
def test_more_cuts_than_beats_can_carry_are_made_up_for(mean):
    """Lengths below a beat, half of the cuts on beats: the next shots are shorter."""
    table = -mean * np.log(1 - np.linspace(0, 0.995, 41))
    habits = CuttingHabits(
        shots=9, shot_seconds=tuple(table), shot_beats=tuple(table), on_beat_share=0.5
    )
    beats = np.arange(0.2, 8000, 0.5)
    plan = plan_cuts(habits, beats, [], 0, 8000, 0)
    assert abs(np.diff(plan).mean() / 0.5 / mean_of_quantiles(table) - 1) < 0.03


def test_sections_begin_with_a_cut_more_often_and_nothing_else_changes():
    rng = np.random.default_rng(6)
    clips = [song(rng) for _ in range(60)]
    habits = learnt([poisson(0.85)(*clip, rng) for clip in clips], clips)
    songs = [song(rng) for _ in range(100)]
    plans, hits = {}, {}
    for told in (False, True):
        plans[told], hits[told] = [], []
        for seed, (beats, bars) in enumerate(songs):
            sections = bars[4::8]
            given = sections if told else ()
            plan = plan_cuts(habits, beats, bars, 0, SECONDS, seed, given)
            plans[told].append(plan)
            hits[told].append(np.abs(sections[:, None] - plan).min(axis=1) < 0.05)
    without, with_them = (np.concatenate(hits[told]).mean() for told in (False, True))
    assert without < 0.2
    assert with_them > 2 * without
    assert ks_distance(in_beats(plans[False], songs), in_beats(plans[True], songs)) < 0.03
    before, after = learnt(plans[False], songs), learnt(plans[True], songs)
    assert abs(before.mean_shot_seconds / after.mean_shot_seconds - 1) < 0.02
    assert abs(known(before.on_beat_share) - known(after.on_beat_share)) < 0.02


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (([], [], 5, 2, 0), "from 5 to 2 s"),
        (([], [], -1, 2, 0), "from -1 to 2 s"),
        (([], [], 0, np.inf, 0), "to inf s"),
        (([2.0, 1.0, 3.0], [], 0, 9, 0), "beats must"),
        (([], [2.0, 1.0], 0, 9, 0), "bars must"),
        (([], [], 0, 9, 0, [np.nan]), "sections must"),
    ],
)
def test_what_makes_no_sense_is_refused(given, says):
    with pytest.raises(ValueError, match=says):
        plan_cuts(HABITS, *given)
