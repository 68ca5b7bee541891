"""The lag curve: is the peak where it was planted, and is chance what chance gives?"""

from fractions import Fraction

import numpy as np
import pytest
from scipy.fft import dct, idct
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from soundreel.evidence.lag_curve import _both_ends, _overlapping, lag_curve
from soundreel.evidence.nulls import permutation_p, uniform_permutations
from soundreel.seeding import numpy_generator_for

RATE = 15


def pulses(rng: np.random.Generator, count: int, bpm: float) -> np.ndarray:
    """An onset envelope: peaks at a steady beat of random phase and loudness, and some noise."""
    beat = RATE * 60 / bpm
    x = np.zeros(count)
    at = np.arange(rng.uniform(0, beat), count, beat).astype(int)
    x[at] = rng.uniform(0.3, 1, len(at))
    return gaussian_filter1d(x, 1) + 0.05 * rng.standard_normal(count)


def corpus(seed: int, lengths: list[int], coupling: float = 0.0, late: int = 0):
    rng = np.random.default_rng(seed)
    onsets = [pulses(rng, count, rng.uniform(70, 150)) for count in lengths]
    motions = []
    for onset in onsets:
        own = gaussian_filter1d(rng.standard_normal(len(onset)), 1) * onset.std() * 2
        motions.append(coupling * np.roll(onset, late) + (1 - coupling) * own)
    return motions, onsets


def high_passed(x: np.ndarray) -> np.ndarray:
    spectrum = np.asarray(dct(x, norm="ortho"))
    spectrum[: int(2 * len(x) / RATE / 30) + 1] = 0
    x = np.asarray(idct(spectrum, norm="ortho"))
    return (x - x.mean()) / x.std()


def at_length(x: np.ndarray, count: int) -> np.ndarray:
    """Counted from the beginning in the first half, and from the end in the second."""
    places = [t % len(x) if t < count // 2 else -1 - (count - 1 - t) % len(x) for t in range(count)]
    return x[places]


def naive_curve(motion: np.ndarray, onset: np.ndarray, most: int) -> np.ndarray:
    """Correlations of the motion at t + lag and the onsets at t, where there are both."""
    count = len(motion)
    motion, onset = high_passed(motion), high_passed(at_length(onset, count))
    both = [
        [(motion[t + lag], onset[t]) for t in range(count) if 0 <= t + lag < count]
        for lag in range(-most, most + 1)
    ]
    return np.array([np.corrcoef(np.transpose(pairs))[0, 1] for pairs in both])


def naive_pairs(motions, onsets, most: int) -> np.ndarray:
    return np.array([[naive_curve(motion, onset, most) for motion in motions] for onset in onsets])


def test_every_number_is_that_of_the_naive_way():
    motions, onsets = corpus(0, [300, 240, 300, 130], 0.3, 2)
    found = lag_curve(motions, onsets, RATE, draws=40, seed=3)
    pair = naive_pairs(motions, onsets, 7)
    own = pair[np.arange(4), np.arange(4)].mean(0)
    np.testing.assert_allclose(found.lags_seconds_L, np.arange(-7, 8) / RATE)
    np.testing.assert_allclose(found.correlation_L, own, atol=1e-10)

    songs = uniform_permutations(4, 40, numpy_generator_for(3, "ask/lag-curve/swap"))
    curves = np.array([[pair[song, v] for v, song in enumerate(row)] for row in songs]).mean(1)
    np.testing.assert_allclose(found.swap_null_B, curves.max(1), atol=1e-10)
    assert found.band == pytest.approx(np.quantile(curves.max(1), 0.95))
    np.testing.assert_allclose(found.high_L, np.quantile(curves, 0.975, axis=0), atol=1e-10)
    assert found.p_swap == permutation_p(own.max(), curves.max(1))
    assert found.p_value == max(found.p_swap, found.p_shift)


def test_songs_are_shifted_each_by_its_own_and_what_all_share_stays():
    """Up to 2 s, or a quarter of the clip: 30 samples, and 25 in the last."""
    motions, onsets = corpus(1, [200, 150, 100], 0.5)
    found = lag_curve(motions, onsets, RATE, draws=30, seed=5)
    pair = naive_pairs(motions, onsets, 37)
    others = (pair.sum((0, 1)) - np.einsum("vvk->k", pair)) / 6
    rng = numpy_generator_for(5, "ask/lag-curve/shift")
    by_VB = [rng.integers(-far, far + 1, 30) for far in (30, 30, 25)]
    expected = np.zeros((30, 15))
    for draw in range(30):
        for place, lag in enumerate(range(-7, 8)):
            for v in range(3):
                at = 37 + lag + by_VB[v][draw]
                expected[draw, place] += (pair[v, v, at] - others[at]) / 3
            expected[draw, place] += others[37 + lag]
    np.testing.assert_allclose(found.shift_null_B, expected.max(1), atol=1e-10)
    assert found.p_shift == permutation_p(found.peak, expected.max(1))


@pytest.mark.parametrize("count", [100, 101])
def test_a_correlation_is_over_the_times_that_have_both(count):
    """What is seen is what was heard 5 samples before: 1 there, whatever lies at the ends."""
    rng = np.random.default_rng(count)
    sound = rng.standard_normal(count + 5)
    sound[:5] += 20
    heard, seen = sound[5:], sound[:-5]
    curve = _overlapping(heard[None], seen[None], 7)[0, 0]
    assert curve[7 + 5] == pytest.approx(1)
    assert np.abs(np.delete(curve, 12)).max() < 0.6


def test_a_song_of_another_length_keeps_both_ends():
    x = np.arange(10)
    assert _both_ends(x, 10).tolist() == x.tolist()
    assert _both_ends(x, 7).tolist() == [0, 1, 2, 6, 7, 8, 9]
    assert _both_ends(x, 14).tolist() == [*range(7), *range(3, 10)]
    assert _both_ends(x[:3], 9).tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2]
    assert _both_ends(x[:2], 9).tolist() == [0, 1, 0, 1, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("late", [-3, 0, 4])
def test_the_peak_is_where_the_picture_follows(late):
    motions, onsets = corpus(2, [600] * 10, 0.5, late)
    found = lag_curve(motions, onsets, RATE, draws=199)
    assert found.peak_lag_seconds == pytest.approx(late / RATE)
    assert found.p_value == 1 / 200
    assert found.peak > 3 * found.band
    assert found.peak == found.correlation_L.max()


def test_a_picture_that_is_its_sound_correlates_fully():
    _, onsets = corpus(3, [300] * 5)
    found = lag_curve(onsets, onsets, Fraction(RATE), draws=99)
    assert found.peak == pytest.approx(1)
    assert found.peak_lag_seconds == 0


def test_chance_is_within_its_band():
    found = [lag_curve(*corpus(seed, [300] * 8), RATE, draws=99) for seed in range(100)]
    assert np.mean([each.p_value <= 0.1 for each in found]) <= 0.18
    above = np.mean([each.correlation_L > each.high_L for each in found])
    assert 0.005 < above < 0.06


# -- corpora in which nothing seen depends on when something is heard -------------------------


def pulsing(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Motion and onsets of one tempo, which wanders by half a percent; each at its own phase."""
    time = np.arange(count) / RATE
    wander = np.cos(2 * np.pi * (rng.uniform(0.5, 1.5) * time / time[-1] + rng.random()))
    beat = np.cumsum(rng.uniform(70, 150) / 60 * (1 + 0.007 * wander)) / RATE
    both = []
    for phase in rng.random(2):
        away = (beat + phase + 0.5) % 1 - 0.5
        pulse = np.exp(-0.5 * (away / 0.12) ** 2)
        both.append(pulse / pulse.std() + 0.4 * smooth(rng, count, 0.5))
    return both[0], both[1]


def smooth(rng: np.random.Generator, count: int, kept: float) -> np.ndarray:
    """AR(1) of unit variance."""
    noise = rng.standard_normal(count + 200) * np.sqrt(1 - kept**2)
    return np.asarray(lfilter([1], [1, -kept], noise))[200:]


def trap(name: str, seed: int, clips: int = 10):
    rng = np.random.default_rng(seed)
    both = []
    for count in rng.integers(30 * RATE, 60 * RATE, clips):
        if "tempo" in name:
            pair = pulsing(rng, count)
        elif name == "busy songs, busy videos":
            rate = rng.uniform(0.3, 5) / RATE
            pair = [lfilter([1], [1, -0.5], rng.random(count) < rate) for _ in range(2)]
            pair = [x + 0.05 * rng.standard_normal(count) for x in pair]
        else:
            kept = 0.97 if name == "smooth" else 0.5
            pair = [smooth(rng, count, kept), smooth(rng, count, kept)]
        if "fades" in name:
            place = np.arange(count)
            fade = (np.minimum(place, place[::-1]) / (4 * RATE)).clip(0, 1)
            pair = [fade * (2 + x) for x in pair]
        both.append(pair)
    motions, onsets = zip(*both, strict=True)
    return motions, onsets


@pytest.mark.parametrize(
    "name",
    [
        "independent",
        "smooth",
        "the song's tempo at another phase",
        "shared fades",
        "shared fades, and the song's tempo at another phase",
        "busy songs, busy videos",
    ],
)
def test_without_coupling_few_corpora_are_significant(name):
    """Both nulls required: at most .07; 100 corpora here, so 1.9 standard errors of .022 more."""
    found = [lag_curve(*trap(name, seed), RATE, draws=99, seed=seed) for seed in range(100)]
    assert np.mean([one.p_value <= 0.05 for one in found]) <= 0.11
    if "tempo" in name:
        # It is a trap: another song has another tempo.
        assert np.mean([one.p_swap <= 0.05 for one in found]) > 0.5


def test_a_small_part_of_the_motion_is_found():
    """At onsets that come at no beat, and on the beat of every clip alike."""
    for beats in (False, True):
        found = []
        for seed in range(10):
            rng = np.random.default_rng(seed)
            onsets = [
                pulsing(rng, 600)[1] if beats else 1.0 * (rng.random(600) < 0.15) for _ in range(10)
            ]
            motions = [0.15 * onset / onset.std() + rng.standard_normal(600) for onset in onsets]
            found.append(lag_curve(motions, onsets, RATE, draws=99, seed=seed))
        assert np.mean([one.p_value <= 0.05 for one in found]) >= 0.9


def test_a_still_picture_gives_zero_and_the_same_seed_the_same_answer():
    motions, onsets = corpus(4, [300] * 4)
    still = lag_curve([np.full(300, 0.2)] * 4, onsets, RATE, draws=19)
    assert still.peak == 0
    assert still.p_value == 1
    first, second = (lag_curve(motions, onsets, RATE, draws=19, seed=8) for _ in range(2))
    np.testing.assert_array_equal(first.swap_null_B, second.swap_null_B)
    np.testing.assert_array_equal(first.shift_null_B, second.shift_null_B)


def test_what_cannot_be_tested_is_refused():
    motions, onsets = corpus(5, [300] * 3)
    with pytest.raises(ValueError, match="at least 2"):
        lag_curve(motions[:1], onsets[:1], RATE)
    with pytest.raises(ValueError, match="T each"):
        lag_curve(motions, [onset[:-1] for onset in onsets], RATE)
    with pytest.raises(ValueError, match="too short"):
        lag_curve([x[:20] for x in motions], [x[:20] for x in onsets], RATE)
    with pytest.raises(ValueError, match="must be less"):
        lag_curve(motions, onsets, RATE, most_lag_seconds=6)
    with pytest.raises(ValueError, match="positive"):
        lag_curve(motions, onsets, 0)
    motions[0][3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        lag_curve(motions, onsets, RATE)
