"""Events heard and seen: perfect is 1, chance is chance, and both nulls keep their size."""

from fractions import Fraction

import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import find_peaks

from soundreel.evidence.event_pairs import matched_pairs, nearest_distances, padded
from soundreel.evidence.sync import av_align, beat_alignment, peaks, sync

FPS = Fraction(24)
STATISTICS = ("av-align", "beat-alignment")

times = st.lists(st.floats(0, 20), min_size=1, max_size=30).map(lambda x: np.sort(x))


def events(rng, seconds, a_second=2.0):
    return np.sort(rng.uniform(0, seconds, max(1, rng.poisson(a_second * seconds))))


def random_corpus(seed, clips=12, share=0.0, late=0.0):
    """Events at 2 a second, 30 s a clip; a share of those seen comes from those heard."""
    rng = np.random.default_rng(seed)
    audio, visual = [], []
    for _ in range(clips):
        heard = events(rng, 30)
        taken = heard[rng.random(len(heard)) < share] + late
        seen = np.concatenate([taken, events(rng, 30, 2 * (1 - share))])
        audio.append(heard)
        visual.append(np.sort(seen).clip(0, 30))
    return audio, visual, [30.0] * clips


# Peaks


@pytest.mark.parametrize("distance", [1, 2, 5, 9])
def test_peaks_are_those_of_scipy(distance):
    rng = np.random.default_rng(distance)
    for curve in (rng.standard_normal(400), rng.integers(0, 4, 400).astype(float)):
        around = len(curve)  # the local mean is the whole's
        expected, _ = find_peaks(curve, height=np.nextafter(curve.mean(), 9))
        np.testing.assert_array_equal(peaks(curve, around), expected)
    curve = rng.standard_normal(400)  # scipy keeps the last of equal neighbours, we the first
    expected, _ = find_peaks(curve, height=curve.mean() + curve.std(), distance=distance)
    np.testing.assert_array_equal(peaks(curve, 400, distance, least_spreads=1.0), expected)


def test_peaks_stand_above_their_neighbourhood():
    curve = np.concatenate([np.tile([0.0, 1.0], 20), 10 + np.tile([0.0, 1.0], 20)])
    assert len(peaks(curve, around=4)) == 37, "high and low, but just before the step"
    assert 1 not in peaks(curve, around=80)
    assert peaks([0, 1, 1, 1, 0, 0]).tolist() == [2]
    assert peaks([3, 1, 2, 1, 5]).tolist() == [], "ends are none, and 2 is below the mean"
    for flat in ([], [1.0], [1.0, 2.0], np.ones(50), np.arange(50.0)):
        assert len(peaks(flat)) == 0


@pytest.mark.parametrize(
    ("curve", "more"), [(np.ones((3, 3)), {}), ([1, np.nan, 1], {}), ([1], {"around": 0})]
)
def test_what_has_no_peaks_is_refused(curve, more):
    with pytest.raises(ValueError, match="needed"):
        peaks(curve, **more)


# Pairs of events


@given(times, times, st.floats(0.01, 2))
@settings(max_examples=150, deadline=None)
def test_matches_are_as_many_as_can_be(first, second, window):
    expected = len(mir_eval.util.match_events(first, second, window + 1e-9))
    assert matched_pairs(first[None], second[None], window)[0] == expected


def test_many_rows_at_once_are_as_each_alone():
    rng = np.random.default_rng(0)
    first = [events(rng, rng.uniform(1, 20)) for _ in range(40)] + [np.empty(0), np.array([3.0])]
    second = [events(rng, rng.uniform(1, 20)) for _ in range(40)] + [np.array([3.0]), np.empty(0)]
    together = matched_pairs(padded(first), padded(second), 0.2)
    nearest = nearest_distances(padded(first), padded(second))
    for row, (a, e) in enumerate(zip(first, second, strict=True)):
        assert together[row] == matched_pairs(a[None], e[None], 0.2)[0]
        if len(a) and len(e):
            np.testing.assert_allclose(
                nearest[row, : len(a)], np.abs(a[:, None] - e).min(axis=1), atol=1e-9
            )
        assert np.isinf(nearest[row, len(a) :]).all()
    assert np.isinf(nearest[-1]).all()


# The two measures


@pytest.mark.parametrize("late", [0.0, 0.03, -0.03])
def test_what_coincides_within_a_frame_scores_one(late):
    heard = events(np.random.default_rng(0), 60)
    heard = heard[np.concatenate([[True], np.diff(heard) > 0.1])] + 1
    assert av_align(heard, heard + late, FPS) == 1
    assert beat_alignment(heard, heard) == 1
    assert av_align(heard, heard + 0.05, Fraction(12)) == 1
    assert av_align(heard, heard + 0.0501, Fraction(20)) < 0.5


def test_on_a_grid_of_frames_one_apart_is_within_and_two_are_not():
    grid = np.arange(0, 3000, 10) / 30
    for fps, expected in ((Fraction(30), 1), (Fraction(31), 0)):
        assert av_align(grid, (np.arange(0, 3000, 10) + 1) / 30, fps) == expected


@given(times, times)
@settings(max_examples=60, deadline=None)
def test_av_align_is_the_f_measure_in_another_coat(heard, seen):
    """F = 2 M / (A + E), so intersection over union is F / (2 - F)."""
    f_measure, _, _ = mir_eval.onset.f_measure(heard, seen, window=1 / 24 + 1e-9)
    np.testing.assert_allclose(av_align(heard, seen, FPS), f_measure / (2 - f_measure))
    assert av_align(heard, seen, FPS) == av_align(seen, heard, FPS) <= 1


def test_one_peak_serves_one():
    """Three onsets within a frame of one visual peak: one pair, not three."""
    assert av_align([1.0, 1.01, 1.02], [1.01], FPS) == 1 / 3


@given(times, times)
@settings(max_examples=60, deadline=None)
def test_beat_alignment_is_in_cemgils_accuracy(seen, heard):
    """Cemgil's sums the same over one side and divides by both sides' mean; sigma 0.04 s."""
    seen, heard = np.unique(seen), np.unique(heard)
    cemgil, _ = mir_eval.beat.cemgil(seen, heard, cemgil_sigma=0.04)
    ours = beat_alignment(seen, heard, 0.04) * len(seen)
    np.testing.assert_allclose(ours, cemgil * 0.5 * (len(seen) + len(heard)), atol=1e-9)


@pytest.mark.parametrize(("fps", "chance"), [(8, 0.20), (30, 0.063)])
def test_the_raw_value_by_chance_depends_on_the_frame_rate(fps, chance):
    rng = np.random.default_rng(fps)
    found = [av_align(events(rng, 60), events(rng, 60), Fraction(fps)) for _ in range(200)]
    assert abs(np.mean(found) - chance) < 0.01


def test_nothing_and_nonsense_are_refused():
    assert av_align([1.0], [], FPS) == 0
    with pytest.raises(ValueError, match="no peaks"):
        av_align([], [], FPS)
    with pytest.raises(ValueError, match="0 frames a second"):
        av_align([1.0], [1.0], Fraction(0))
    with pytest.raises(ValueError, match="finite"):
        av_align([np.inf], [1.0], FPS)
    with pytest.raises(ValueError, match="0 visual and 1 musical"):
        beat_alignment([], [1.0])
    with pytest.raises(ValueError, match="sigma of 0"):
        beat_alignment([1.0], [1.0], 0)


# Against the two kinds of chance


@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_own_song_at_its_own_time_is_best(statistic):
    audio, _, seconds = random_corpus(0)
    found = sync(audio, audio, seconds, FPS, statistic)
    assert found.value == 1
    assert found.p_value == found.shift_p == 1 / 1000
    assert found.swap_effect is not None
    assert found.swap_effect > 0.5
    assert found.shift_effect > 0.5
    assert (found.clips, found.fps, found.statistic) == (12, FPS, statistic)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_nulls_are_what_they_say(statistic):
    """The swap null against single scores; its mean and the shifts' against independent events."""
    audio, visual, seconds = random_corpus(1, clips=3)
    audio[1], visual[1], seconds = audio[1][audio[1] < 20], visual[1][visual[1] < 20], [30, 20, 30]

    def score(heard, seen):
        return (
            av_align(heard, seen, FPS) if statistic == "av-align" else beat_alignment(seen, heard)
        )

    table = [
        [
            score(audio[u][audio[u] <= seconds[v]], visual[v][visual[v] <= seconds[u]])
            for v in range(3)
        ]
        for u in range(3)
    ]
    orders = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
    expected = sorted(np.mean([table[u][v] for v, u in enumerate(order)]) for order in orders)
    found = sync(audio, visual, seconds, FPS, statistic)
    assert found.swap_null_B is not None
    assert found.swap_p is not None
    np.testing.assert_allclose(np.unique(found.swap_null_B.round(12)), np.unique(expected))
    np.testing.assert_allclose(found.value, np.trace(table) / 3)
    assert abs(found.swap_null_B.mean() - np.mean(table)) < 0.01
    assert found.p_value == max(found.swap_p, found.shift_p)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_single_clip_has_shifts_only(statistic):
    audio, visual, seconds = random_corpus(2, clips=1, share=0.5)
    found = sync(audio, visual, seconds, FPS, statistic)
    assert found.swap_null_B is found.swap_p is found.swap_mean is found.swap_effect is None
    assert found.p_value == found.shift_p <= 0.03, "two of a hundred shifts are next to none"


@pytest.mark.parametrize(("seconds", "reach"), [(30, 2), (30, 3), (6, 1.5)])
def test_songs_move_by_every_time_within_reach(seconds, reach):
    """One event each: they meet in as many shifts as end within a frame of their distance."""
    farthest = 2 if reach == 2 else 3
    for apart in (0, -0.9 * reach, 0.9 * reach, reach + 0.05):
        heard, seen = seconds / 2 - apart / 2, seconds / 2 + apart / 2
        one = [np.array([heard])], [np.array([seen])], [seconds]
        found = sync(*one, FPS, draws=9_999, shift_seconds=farthest)
        expected = 1 / 24 / reach if abs(apart) < reach else 0
        assert abs(found.shift_mean - expected) <= 5 * np.sqrt(expected / 9_999)


def test_moved_songs_count_where_both_are():
    """A beat every half second is never farther than a quarter from a visual one, but outside."""
    beats = np.arange(0, 30.01, 0.5)
    found = sync([beats], [beats], [30], FPS, "beat-alignment", 499, sigma_seconds=0.25)
    assert 0.59 < found.shift_null_B.min() < np.exp(-0.5) + 0.01


def test_a_delay_of_the_picture_is_seen_when_it_is_taken_back():
    audio, visual, seconds = random_corpus(3, share=0.5, late=0.2)
    assert sync(audio, visual, seconds, FPS, draws=199).p_value > 0.05
    earlier = [(seen - 0.2).clip(0) for seen in visual]
    assert sync(audio, earlier, seconds, FPS, draws=199).p_value == 1 / 200


def pulsing(rng, seconds, wander):
    """Beats of one tempo that wanders by so much (root mean square), from two random phases."""
    time = np.arange(0, seconds, 0.002)
    waves = np.cos(2 * np.pi * (rng.uniform(0.5, 1.5) * time / seconds + rng.random()))
    beat = np.cumsum(rng.uniform(70, 150) / 60 * (1 + wander * np.sqrt(2) * waves)) * 0.002
    both = []
    for phase in rng.random(2):
        at = time[1:][np.diff(np.floor(beat + phase)) > 0]
        both.append(np.sort(at + 0.02 * rng.standard_normal(len(at))).clip(0, seconds))
    return both


def traps(name, rng, clips=12):
    """Corpora in which no clip's picture depends on when something is heard in its own song."""
    length = rng.uniform(25, 40, clips)
    common = rng.uniform(2, 23, 4)

    def one(seconds, rate):
        if name == "the same few moments in all":
            also = common + 0.01 * rng.standard_normal(len(common))
            return np.sort(np.concatenate([also, events(rng, seconds)]))
        if name == "busy songs, busy videos":
            return events(rng, seconds, rate)
        if name == "crowded at the end":
            return seconds * np.sqrt(events(rng, seconds) / seconds)
        assert name == "independent"
        return events(rng, seconds)

    pairs = []
    for seconds, rate in zip(length, rng.uniform(0.5, 4, clips), strict=True):
        if name in WANDER:
            pairs.append(pulsing(rng, seconds, WANDER[name]))
        else:
            pairs.append([one(seconds, rate) for _ in range(2)])
    return [heard for heard, _ in pairs], [seen for _, seen in pairs], length


WANDER = {
    "the song's tempo at another phase": 0.0,
    "the same, wandering by half a percent": 0.005,
    "the same, wandering by two": 0.02,
}


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize(
    "trap",
    [
        "independent",
        "busy songs, busy videos",
        "crowded at the end",
        "the same few moments in all",
        *WANDER,
    ],
)
def test_without_coupling_few_corpora_are_significant(trap, statistic):
    """Both nulls required: at most .07; 100 corpora here, so 1.9 standard errors of .022 more."""
    found = [
        sync(*traps(trap, np.random.default_rng(seed)), FPS, statistic, 99, seed)
        for seed in range(100)
    ]
    assert np.mean([one.p_value <= 0.05 for one in found]) <= 0.11
    if trap == "independent":
        assert abs(np.mean([one.swap_effect or 0 for one in found])) < 0.004
        assert abs(np.mean([one.shift_effect for one in found])) < 0.004


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_single_pulsing_clip_is_seldom_significant(statistic):
    found = []
    for seed in range(200):
        heard, seen = pulsing(np.random.default_rng(seed), 30, 0.005)
        found.append(sync([heard], [seen], [30], FPS, statistic, 99, seed))
    assert np.mean([one.p_value <= 0.05 for one in found]) <= 0.09


def test_a_tenth_of_common_events_is_found():
    found = [sync(*random_corpus(seed, share=0.1), FPS, draws=99) for seed in range(10)]
    assert np.mean([one.p_value <= 0.05 for one in found]) >= 0.9


def test_the_same_seed_gives_the_same_answer():
    corpus = random_corpus(5)
    first, again, other = (sync(*corpus, FPS, seed=s, draws=50) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.swap_null_B, again.swap_null_B)
    np.testing.assert_array_equal(first.shift_null_B, again.shift_null_B)
    assert (first.shift_null_B != other.shift_null_B).any()


def test_clips_without_peaks_are_left_out():
    audio, visual, seconds = random_corpus(6, clips=4)
    audio[0], visual[2] = np.empty(0), np.empty(0)
    found = sync(audio, visual, seconds, FPS, draws=20)
    assert found.clips == 2
    assert found.value == np.mean([av_align(audio[v], visual[v], FPS) for v in (1, 3)])


@pytest.mark.parametrize(
    ("audio", "visual", "seconds", "more", "says"),
    [
        ([[1.0]], [[1.0]], [], {}, "0 lengths"),
        ([], [], [], {}, "none of 0 clips"),
        ([[1.0]], [[]], [9.0], {}, "none of 1 clips"),
        ([[1.0]], [[10.0]], [9.0], {}, "clip 0.*9.0 s of film"),
        ([[-1.0]], [[1.0]], [9.0], {}, "clip 0"),
        ([[1.0]], [[1.0]], [9.0], {"statistic": "sync-net"}, "sync-net"),
        ([[1.0]], [[1.0]], [9.0], {"draws": 0}, "0 draws"),
        ([[1.0]], [[1.0]], [9.0], {"sigma_seconds": -1}, "-1"),
        ([[1.0]], [[1.0]], [9.0], {"fps": 0}, "0 frames"),
        ([[1.0]], [[1.0]], [9.0], {"shift_seconds": 0}, "shifts of up to 0 s"),
    ],
)
def test_what_makes_no_sense_is_refused(audio, visual, seconds, more, says):
    with pytest.raises(ValueError, match=says):
        sync(audio, visual, seconds, more.pop("fps", FPS), **more)
