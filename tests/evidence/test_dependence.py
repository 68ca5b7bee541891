"""The dataset test against fits made anew one by one, and against what is planted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dct, idct
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge as SklearnRidge

from soundreel.evidence import refitting
from soundreel.evidence.dependence import (
    Design,
    dependence,
    folds_of,
    observed_score,
    slow_band,
)
from soundreel.evidence.nulls import permutation_p, uniform_permutations
from soundreel.evidence.refitting import Ridge, refitted_scores
from soundreel.evidence.streams import Clip, overlapping, shifted, standardised, with_lags
from soundreel.evidence.wrong_ways import shifts_alone
from soundreel.seeding import numpy_generator_for
from soundreel.synthetic.features import planted_features
from soundreel.synthetic.truth import PlantedTruth

EVERY = 1.5
DESIGN = Design(EVERY, delta=0.05, folds=3, draws=12, seed=5)


def smooth(rng: np.random.Generator, count: int, curves: int) -> np.ndarray:
    noise = rng.standard_normal((count + 4, curves))
    return sum(noise[k : k + count] for k in range(5)) + rng.standard_normal(curves)


def some_clips(seed: int, lengths, surplus=0, lead=0, sounds=6, pictures=5) -> list[Clip]:
    """Clips whose picture follows their sound a little."""
    rng = np.random.default_rng(seed)
    rule = rng.standard_normal((sounds, pictures))
    clips = []
    for count in lengths:
        sound = smooth(rng, count + surplus, sounds)
        own = smooth(rng, count, pictures)
        clips.append(Clip(sound, 0.3 * sound[lead : lead + count] @ rule + own, lead))
    return clips


def planted(seed: int, videos: int = 20, samples: int = 60, **switches) -> list[Clip]:
    made = planted_features(PlantedTruth(**switches), seed, videos, samples)
    pairs = zip(made.audio_VTA, made.visual_VTY, strict=True)
    return [Clip(heard, seen) for heard, seen in pairs]


# -- the naive way: every pairing and fold fitted anew from the samples themselves -----------


def naive_standard(x: np.ndarray) -> np.ndarray:
    count = len(x)
    parts = np.asarray(dct(x, type=2, norm="ortho", axis=0))
    parts[: min(int(2 * count * EVERY / 30), count - 1) + 1] = 0
    left = np.asarray(idct(parts, type=2, norm="ortho", axis=0))
    return left / left.std(axis=0)


def naive_scores(sounds, pictures, fold_V, ridge: Ridge, shares=None) -> np.ndarray:
    """sounds, pictures: for each video T x D, standardised; the score of each video.

    shares: how much of each video's time has sound, which is 0 for the rest of it.
    """
    score_V = np.empty(len(sounds))
    for fold in range(fold_V.max() + 1):
        learn = np.flatnonzero(fold_V != fold)
        x, y = (
            np.concatenate([sounds[v] for v in learn]),
            np.concatenate([pictures[v] for v in learn]),
        )
        # What is left of a song that ends early need not have mean 0, and keeps it.
        both_ways = np.concatenate([x, -x])
        of_sound = PCA(min(ridge.sound_components, x.shape[1]), svd_solver="full").fit(both_ways)
        of_picture = PCA(min(ridge.picture_components, y.shape[1]), svd_solver="full").fit(y)
        fit = SklearnRidge(alpha=ridge.strength * len(x), fit_intercept=False)
        fit.fit(of_sound.transform(x), of_picture.transform(y))
        for v in np.flatnonzero(fold_V == fold):
            guess = fit.predict(of_sound.transform(sounds[v])).reshape(len(sounds[v]), -1)
            truth = of_picture.transform(pictures[v])
            length = np.linalg.norm(guess, axis=0) * np.linalg.norm(truth, axis=0)
            score_V[v] = np.mean((guess * truth).sum(axis=0) / length)
    return score_V if shares is None else score_V / np.sqrt(shares)


def weighted(x: np.ndarray, design: Design) -> np.ndarray:
    weights = design.sound_weights or (1.0,) * x.shape[1]
    return naive_standard(x) * np.array(weights)


def naive_shifts(clip, design):
    """A clip's song at other times, 6 to 12 s away, and the share of the clip that each fills."""
    count, seconds = len(clip.picture_TP), design.every_seconds
    far = [by for by in range(-count, count + 1) if 6 <= abs(by) * seconds <= 12]
    # As much more sound as the picture would have there.
    starts = [clip.lead + by for by in far if 0 <= clip.lead + by <= len(clip.sound_SA) - count]
    if len(starts) >= 8:
        return [(weighted(clip.sound_SA[start:][:count], design), 1.0) for start in starts]
    sound = weighted(clip.sound_SA[clip.lead :][:count], design)
    choices = []
    for by in far:
        share = (count - abs(by)) / count
        moved = np.zeros_like(sound)
        for t in range(count):
            if 0 <= t - by < count:
                moved[t] = sound[t - by] / np.sqrt(share)
        choices.append((moved, share))
    return choices


def naive_test(clips, groups, design):
    """Scores per video of the observed pairing and of every draw of each null."""
    pictures = [naive_standard(clip.picture_TP) for clip in clips]
    fold_V = folds_of(groups, design.folds, design.seed)
    own = [clip.sound_SA[clip.lead : clip.lead + len(clip.picture_TP)] for clip in clips]
    songs_BV = uniform_permutations(
        len(clips), design.draws, numpy_generator_for(design.seed, "ask/swaps")
    )

    def relative(u, v):
        count = len(clips[v].picture_TP)
        return np.array([own[u][t * len(own[u]) // count] for t in range(count)])

    def absolute(u, v):
        after = clips[u].sound_SA[clips[u].lead :]
        return np.array([after[t % len(after)] for t in range(len(clips[v].picture_TP))])

    def scored(sounds):
        ready = [weighted(sound, design) for sound in sounds]
        return naive_scores(ready, pictures, fold_V, design.ridge)

    places = range(len(clips))
    observed = scored(own)
    swaps = np.array([scored([relative(row[v], v) for v in places]) for row in songs_BV])
    seconds = np.array([scored([absolute(row[v], v) for v in places]) for row in songs_BV])
    rng = numpy_generator_for(design.seed, "ask/shifts")
    choices = [naive_shifts(clip, design) for clip in clips]
    drawn_BV = np.stack([rng.integers(1, len(n) + 1, design.draws) for n in choices], axis=1)
    shifts = []
    for row in drawn_BV:
        sounds, shares = zip(*[choices[v][row[v] - 1] for v in places], strict=True)
        shifts.append(naive_scores(sounds, pictures, fold_V, design.ridge, np.array(shares)))
    shifts = np.array(shifts)
    return observed, swaps, seconds, shifts


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: some_clips(0, [40] * 7), id="equal"),
        pytest.param(lambda: some_clips(1, [30, 41, 25, 36, 30, 52]), id="unequal"),
        pytest.param(lambda: some_clips(2, [30] * 6, surplus=40, lead=9), id="linear shifts"),
        pytest.param(lambda: some_clips(3, [24, 31, 40, 28, 33], surplus=11, lead=3), id="lead"),
        pytest.param(lambda: some_clips(4, [30] * 5, sounds=11, pictures=2), id="many sounds"),
    ],
)
@pytest.mark.parametrize("ridge", [Ridge(), Ridge(0.2, 3, 2)], ids=["house", "few components"])
def test_refitting_is_what_fitting_one_by_one_gives(make, ridge):
    clips = make()
    groups = [0, 0, *range(1, len(clips) - 1)]
    weights = tuple(np.linspace(0.5, 1.5, clips[0].sound_SA.shape[1]))
    design = replace(DESIGN, ridge=ridge, sound_weights=weights)
    found = dependence(clips, groups, design)
    observed, swaps, seconds, shifts = naive_test(clips, groups, design)
    np.testing.assert_allclose(found.score_V, observed, atol=1e-8)
    np.testing.assert_allclose(found.swap_null_B, swaps.mean(axis=1), atol=1e-8)
    np.testing.assert_allclose(found.shift_null_B, shifts.mean(axis=1), atol=1e-8)
    nulls = [swaps.mean(axis=1)]
    if found.absolute_null_B is not None:
        np.testing.assert_allclose(found.absolute_null_B, seconds.mean(axis=1), atol=1e-8)
        nulls.append(seconds.mean(axis=1))
    assert (found.absolute_null_B is None) == (len({len(clip) for clip in clips}) == 1)
    assert found.score == pytest.approx(observed.mean())
    assert found.effect == pytest.approx(observed.mean() - max(null.mean() for null in nulls))
    assert found.p_swap == max(permutation_p(observed.mean(), null) for null in nulls)
    assert found.p_shift == permutation_p(observed.mean(), shifts.mean(axis=1))
    assert found.p_value == max(found.p_swap, found.p_shift)
    assert observed_score(clips, groups, design) == pytest.approx(observed.mean())


def test_what_a_song_scores_on_another_video_is_the_observed_fits_doing():
    clips = some_clips(6, [30] * 5)
    found = dependence(clips, range(5), DESIGN)
    np.testing.assert_allclose(np.diag(found.matrix_UV), found.score_V, atol=1e-12)
    fold_V = folds_of(range(5), DESIGN.folds, DESIGN.seed)
    sounds = [naive_standard(clip.sound_SA) for clip in clips]
    pictures = [naive_standard(clip.picture_TP) for clip in clips]
    for v in range(5):
        learn = np.flatnonzero(fold_V != fold_V[v])
        x, y = (
            np.concatenate([sounds[u] for u in learn]),
            np.concatenate([pictures[u] for u in learn]),
        )
        axes = PCA(4, svd_solver="full").fit(y)
        fit = SklearnRidge(alpha=len(x), fit_intercept=False).fit(x, axes.transform(y))
        guess = fit.predict(sounds[v]) @ axes.components_
        np.testing.assert_allclose(found.predicted[v], guess, atol=1e-8)
        for u in range(5):
            guess, truth = fit.predict(sounds[u]), axes.transform(pictures[v])
            each = [np.corrcoef(guess[:, k], truth[:, k])[0, 1] for k in range(4)]
            assert found.matrix_UV[u, v] == pytest.approx(np.mean(each), abs=1e-8)


def test_a_corpus_too_large_to_keep_its_products_answers_the_same(monkeypatch):
    clips = some_clips(7, [30, 34, 40, 30, 28, 31])
    expected = dependence(clips, range(6), DESIGN)
    monkeypatch.setattr(refitting, "_KEPT_BYTES", 0)
    monkeypatch.setattr(refitting, "_CHUNK_BYTES", 6 * 6 * 8 * 3 * 2)  # two pairings at a time
    found = dependence(clips, range(6), DESIGN)
    for name in ("score_V", "swap_null_B", "absolute_null_B", "shift_null_B", "matrix_UV"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-12)
    assert found.p_value == expected.p_value


# -- what must change nothing ----------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_a_clips_level_and_scale_change_nothing(seed):
    clips = some_clips(8, [30, 36, 30, 33])
    rng = np.random.default_rng(seed)

    def altered(x: np.ndarray) -> np.ndarray:
        size = np.exp(3 * rng.standard_normal(x.shape[1]))
        return x * size + 100 * rng.standard_normal(x.shape[1])

    others = [Clip(altered(clip.sound_SA), altered(clip.picture_TP)) for clip in clips]
    expected, found = dependence(clips, range(4), DESIGN), dependence(others, range(4), DESIGN)
    np.testing.assert_allclose(found.score_V, expected.score_V, atol=1e-8)
    np.testing.assert_allclose(found.swap_null_B, expected.swap_null_B, atol=1e-8)
    np.testing.assert_allclose(found.shift_null_B, expected.shift_null_B, atol=1e-8)
    assert found.verdict == expected.verdict


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6)))
def test_the_order_of_the_clips_changes_nothing_but_their_places(order):
    rng = np.random.default_rng(1)
    pictures = [standardised(rng.standard_normal((1, 30, 4)), EVERY)[0] for _ in range(6)]
    sounds = [standardised(rng.standard_normal((6, 30, 5)), EVERY) for _ in range(6)]
    choice_BV = uniform_permutations(6, 8, rng)
    fold_V = np.array([0, 1, 2, 0, 1, 2])
    expected = refitted_scores(lambda v: sounds[v], pictures, choice_BV, fold_V, Ridge())
    order = np.array(order)
    found = refitted_scores(
        lambda v: sounds[order[v]],
        [pictures[v] for v in order],
        choice_BV[:, order],
        fold_V[order],
        Ridge(),
    )
    np.testing.assert_allclose(found.score_BV, expected.score_BV[:, order], atol=1e-10)
    np.testing.assert_allclose(found.own_NV, expected.own_NV[:, order], atol=1e-10)


def test_the_identity_among_the_draws_scores_what_was_observed():
    clips = some_clips(9, [30] * 3)
    found = dependence(clips, range(3), replace(DESIGN, draws=60))
    songs_BV = uniform_permutations(3, 60, numpy_generator_for(DESIGN.seed, "ask/swaps"))
    same_B = (songs_BV == np.arange(3)).all(axis=1)
    assert same_B.any()
    np.testing.assert_allclose(found.swap_null_B[same_B], found.score, atol=1e-12)
    assert found.p_swap >= (1 + same_B.sum()) / 61


def test_the_seed_alone_decides():
    clips = some_clips(10, [30] * 6)
    first, again = dependence(clips, range(6), DESIGN), dependence(clips, range(6), DESIGN)
    np.testing.assert_array_equal(first.swap_null_B, again.swap_null_B)
    other = dependence(clips, range(6), replace(DESIGN, seed=6))
    assert not np.array_equal(first.swap_null_B, other.swap_null_B)


# -- what is planted -------------------------------------------------------------------------


def test_planted_dependence_is_found_and_nothing_else():
    design = Design(EVERY, delta=0.05, draws=199)
    strong = dependence(planted(1, coupling=0.4), range(20), design)
    assert strong.verdict == "YES"
    assert strong.p_value == 1 / 200
    assert strong.low > 0
    # Most songs score best on their own video.
    assert (strong.matrix_UV.argmax(axis=0) == np.arange(20)).mean() > 0.5
    none = [dependence(planted(seed), range(20), design) for seed in range(2, 8)]
    assert [found.verdict for found in none].count("YES") == 0
    assert np.mean([found.effect for found in none]) == pytest.approx(0, abs=0.02)


def test_a_picture_that_is_its_sound_scores_best():
    clips = [Clip(clip.sound_SA, clip.sound_SA) for clip in some_clips(11, [40] * 8)]
    found = dependence(clips, range(8), replace(DESIGN, ridge=Ridge(1e-9), draws=99))
    assert found.score > 0.99
    assert found.p_value == 0.01


def test_fades_that_all_share_do_not_pass_for_dependence():
    design = Design(EVERY, delta=0.05, draws=99)
    found = [dependence(planted(s, 16, 40, shared_fades=True), range(16), design) for s in range(6)]
    # What shifts alone would have said, and what both nulls say.
    assert sum(one.p_shift <= 0.05 for one in found) >= 4
    assert sum(one.p_value <= 0.05 for one in found) <= 1


def pulsing(seed: int, videos: int = 12, every: float = 0.5) -> list[Clip]:
    """Clips whose curves pulse at their song's tempo, at a phase of their own: nothing is shared.

    30 to 60 s each; the tempo wanders by half a percent.
    """
    rng = np.random.default_rng(seed)
    clips = []
    for _ in range(videos):
        count = int(rng.uniform(30, 60) / every)
        place_T = np.linspace(0, 1, count)
        wander_T = np.cos(2 * np.pi * (rng.uniform(0.5, 1.5) * place_T + rng.random()))
        beat_T1 = np.cumsum(rng.uniform(70, 150) / 60 * (1 + 0.007 * wander_T))[:, None] * every
        heard, seen = (
            np.cos(2 * np.pi * (beat_T1 + phase + np.arange(4) / 4))
            + 0.5 * rng.standard_normal((count, 4))
            for phase in rng.random(2)
        )
        clips.append(Clip(heard, seen))
    return clips


def test_a_picture_that_pulses_at_its_songs_tempo_at_any_phase_is_no_dependence():
    """At most .07; 60 corpora here, so 1.6 standard errors of .033 more."""
    ps = []
    for seed in range(60):
        clips, design = pulsing(seed), Design(0.5, delta=0.05, draws=99, seed=seed)
        found = dependence(clips, range(12), design)
        ps.append((found.p_shift, found.p_swap, shifts_alone(clips, range(12), design)))
    by_shift, by_swap, in_a_circle = (np.array(ps) <= 0.05).mean(axis=0)
    assert by_shift <= 0.12
    # It is a trap: another song has another tempo, and a circle joins two phases.
    assert by_swap > 0.3
    assert in_a_circle > 0.15


def test_slow_trends_are_the_slow_bands_alone():
    rng = np.random.default_rng(4)
    place = np.arange(60) / 60
    clips = []
    for _ in range(16):
        trend = np.cos(np.pi * place * rng.integers(1, 5)) * rng.choice((-1, 1))
        curves = 0.3 * rng.standard_normal((2, 60, 5))
        clips.append(Clip(curves[0] + 3 * trend[:, None], curves[1] + 3 * trend[:, None]))
    design = Design(EVERY, delta=0.05, draws=199)
    slow = slow_band(clips, range(16), design)
    assert slow is not None
    assert slow.p_swap == 1 / 200
    assert slow.low > 0.05
    assert dependence(clips, range(16), design).p_value > 0.05
    assert slow_band(some_clips(0, [19] * 4), range(4), design) is None


# -- what is refused, or worth nothing -------------------------------------------------------


def test_what_does_not_vary_scores_0():
    clips = some_clips(12, [30] * 5)
    clips[1] = Clip(np.full((30, 6), 7.0), clips[1].picture_TP)
    clips[3] = Clip(clips[3].sound_SA, np.full((30, 5), 0.1))
    found = dependence(clips, range(5), DESIGN)
    assert found.score_V[1] == 0
    assert found.score_V[3] == 0
    assert np.isfinite(found.swap_null_B).all()
    still = [Clip(np.ones((30, 6)), np.ones((30, 5))) for _ in range(5)]
    nothing = dependence(still, range(5), DESIGN)
    assert nothing.score == nothing.effect == 0
    assert nothing.p_value == 1
    assert nothing.verdict == "NO"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(bad):
    curves = np.zeros((30, 3))
    curves[4, 1] = bad
    with pytest.raises(ValueError, match="not finite"):
        Clip(curves, np.zeros((30, 2)))
    with pytest.raises(ValueError, match="not finite"):
        Clip(np.zeros((30, 2)), curves)


def test_clips_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="times x curves"):
        Clip(np.zeros(30), np.zeros((30, 2)))
    with pytest.raises(ValueError, match="the sound must cover"):
        Clip(np.zeros((30, 2)), np.zeros((31, 2)))
    with pytest.raises(ValueError, match="the sound must cover"):
        Clip(np.zeros((40, 2)), np.zeros((30, 2)), lead=11)
    with pytest.raises(ValueError, match="a clip of 7 samples"):
        dependence(some_clips(0, [7] * 4), range(4), DESIGN)
    with pytest.raises(ValueError, match="1 group of clips"):
        dependence(some_clips(0, [30] * 4), [0] * 4, DESIGN)
    with pytest.raises(ValueError, match="none empty"):
        refitted_scores(
            lambda v: np.zeros((1, 8, 2)),
            [np.zeros((8, 2))] * 2,
            np.zeros((1, 2), int),
            np.array([0, 2]),
            Ridge(),
        )


@settings(deadline=None)
@given(st.lists(st.integers(0, 8), min_size=2, max_size=40), st.integers(2, 12), st.integers(0, 99))
def test_folds_hold_whole_groups_and_none_is_empty(groups, folds, seed):
    if len(set(groups)) < 2:
        return
    fold_V = folds_of(groups, folds, seed)
    made = min(folds, len(set(groups)))
    assert set(fold_V.tolist()) == set(range(made))
    for group in set(groups):
        assert len({fold for fold, of in zip(fold_V, groups, strict=True) if of == group}) == 1
    sizes = np.bincount(fold_V)
    largest_group = max(groups.count(group) for group in groups)
    assert sizes.max() - sizes.min() <= largest_group


# -- streams ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [8, 19, 40, 61])
def test_standardising_takes_the_slow_cosines_away(count):
    x = smooth(np.random.default_rng(count), count, 3)
    quick = standardised(x[None], EVERY)[0]
    np.testing.assert_allclose(quick, naive_standard(x), atol=1e-10)
    slow = standardised(x[None], EVERY, band="slow")[0]
    np.testing.assert_allclose(quick.T @ slow / count, 0, atol=1e-10)
    np.testing.assert_allclose(quick.mean(axis=0), 0, atol=1e-12)


def test_shifts_keep_their_distance():
    clip = some_clips(0, [30], surplus=40, lead=9)[0]
    plain = shifted(clip, 4, 8)
    assert plain is not None
    np.testing.assert_array_equal(plain[0], clip.own_sound)
    starts = [1, 2, 3, 4, 5, 13, 14, 15, 16, 17]
    assert len(plain) == 1 + len(starts)
    for start, sound in zip(starts, plain[1:], strict=True):
        np.testing.assert_array_equal(sound, clip.sound_SA[start : start + 30])
    # 8 others are enough, 3 before and 5 after; 7 are not.
    assert shifted(Clip(clip.sound_SA[3:47], clip.picture_TP, 6), 4, 8) is not None
    assert shifted(Clip(clip.sound_SA[3:46], clip.picture_TP, 6), 4, 8) is None
    assert shifted(some_clips(0, [30])[0], 4, 8) is None


def test_what_overlaps_does_not_come_round():
    sound = standardised(smooth(np.random.default_rng(0), 30, 3)[None], EVERY)[0]
    moved, shares = overlapping(sound, 4, 8)
    far = [0, *range(-8, -3), *range(4, 9)]
    np.testing.assert_allclose(shares, [1 - abs(by) / 30 for by in far])
    for by, share, candidate in zip(far, shares, moved, strict=True):
        padded = np.pad(sound, ((9, 9), (0, 0)))
        np.testing.assert_allclose(candidate * np.sqrt(share), padded[9 - by : 39 - by])
    # Too short for the distance: a quarter of the length and the next, up to half.
    _, shares = overlapping(sound[:16], 9, 12)
    np.testing.assert_allclose(sorted(set(16 - 16 * shares)), [0, 4, 5, 6, 7, 8])


def test_lags_are_what_was_heard_before():
    x = np.arange(12.0).reshape(6, 2)
    np.testing.assert_array_equal(with_lags(x, (0,)), x)
    lagged = with_lags(x, (0, 2))
    np.testing.assert_array_equal(lagged[:, :2], x)
    np.testing.assert_array_equal(lagged[2:, 2:], x[:-2])
    np.testing.assert_array_equal(lagged[:2, 2:], x[[0, 0]])
