"""Usefulness: found where planted, chance where not, and as plain loops have it."""

import numpy as np
import pytest
from planted_models import RATE_HZ, planted

from soundreel.evidence.clip_moments import clip_moments, drawn_shifts, far_shifts
from soundreel.evidence.following import slow_terms_for, without_drift
from soundreel.evidence.song_scores import own_scores_by_shift, score_matrices
from soundreel.evidence.usefulness import Usefulness, usefulness


def loop_score(made, truth, slow_terms: int, each_column: bool) -> float:
    """The score of one pairing, moments brought together, by the words of its definition."""
    made = np.array([made[t * len(made) // len(truth)] for t in range(len(truth))])
    a, b = without_drift(made, slow_terms), without_drift(truth, slow_terms)
    if each_column:
        return float(np.mean([np.corrcoef(x, y)[0, 1] for x, y in zip(a.T, b.T, strict=True)]))
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


@pytest.mark.parametrize("each_column", [False, True])
def test_scores_are_those_of_plain_loops(each_column):
    made, truth = planted(0, 0.4, clips=4, moments=90)
    clips = clip_moments(made, truth, RATE_HZ)
    quick, drifting = score_matrices(clips, each_column)
    for v, true in enumerate(truth):
        terms = slow_terms_for(len(true) / RATE_HZ)
        assert clips.slow_terms(v) == terms > 0
        for u, heard in enumerate(made):
            assert drifting[u, v] == pytest.approx(loop_score(heard, true, 0, each_column))
            # What was made of another song is not quite without mean once brought to this time.
            expected = loop_score(heard, true, terms, each_column)
            assert quick[u, v] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("each_column", [False, True])
def test_scores_of_shifts_are_those_of_plain_loops(each_column, monkeypatch):
    monkeypatch.setattr("soundreel.evidence.song_scores._NUMBERS_AT_ONCE", 200)  # several parts
    made, truth = planted(1, 0.4, clips=2)
    clips = clip_moments(made, truth, RATE_HZ)
    for clip in range(2):
        terms, scores = clips.slow_terms(clip), own_scores_by_shift(clips, clip, each_column)
        a, b = (without_drift(x[clip], terms) for x in (made, truth))
        for shift in range(len(a)):
            by = shift if shift <= len(a) // 2 else shift - len(a)
            both = [t for t in range(len(a)) if 0 <= t + by < len(a)]
            moved, seen = np.array([a[t + by] for t in both]), np.array([b[t] for t in both])
            if each_column:
                products, columns = (moved * seen).sum(0), zip(a.T, b.T, strict=True)
                norms = [np.linalg.norm(x) * np.linalg.norm(y) for x, y in columns]
                score = (products / norms).mean()
            else:
                score = (moved * seen).sum() / (np.linalg.norm(a) * np.linalg.norm(b))
            expected = score * len(a) / len(both)
            assert scores[shift] == pytest.approx(expected, abs=1e-9)
        assert scores[0] == pytest.approx(score_matrices(clips, each_column)[0][clip, clip])


def test_effect_and_nulls_are_those_of_plain_loops():
    made, truth = planted(2, 0.3, clips=3)
    found = usefulness(made, truth, RATE_HZ, draws=400, seed=5)
    s, off = found.score_VV, ~np.eye(3, dtype=bool)
    assert found.effect == pytest.approx(np.diag(s).mean() - s[off].mean())
    possible = []
    for songs in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]:
        paired = [s[u, v] for v, u in enumerate(songs)]
        others = [s[u, v] for v in range(3) for u in range(3) if u != songs[v]]
        possible.append(np.mean(paired) - np.mean(others))
    assert set(found.swap_null_B.round(9)) == set(np.round(possible, 9))
    assert found.p_swap == (1 + (found.swap_null_B >= found.effect - 1e-9).sum()) / 401
    assert found.shift_null_B.max() <= 1 - s[off].mean()


def test_what_was_planted_is_found_and_what_was_not_is_chance():
    follows = usefulness(*planted(0, 0.9), RATE_HZ)
    assert follows.p == 1 / 2_000  # of 8! pairings none is as good
    assert follows.effect > 0.7
    assert follows.interval[0] > 0
    # What was made from a clip's own song shows as a bright diagonal.
    assert (follows.score_VV.argmax(axis=0) == np.arange(8)).all()
    without = [usefulness(*planted(seed, 0), RATE_HZ, draws=199, seed=seed) for seed in range(40)]
    assert abs(np.mean([found.effect for found in without])) < 3 * 0.06 / np.sqrt(40)
    assert 0.35 < np.mean([found.p_swap for found in without]) < 0.65
    # The null's spread is the spread that there is.
    spread = np.std([found.effect for found in without])
    assert np.mean([found.sd for found in without]) == pytest.approx(spread, rel=0.25)


def test_the_very_frames_score_one():
    _, truth = planted(3, 0)
    found = usefulness(truth, truth, RATE_HZ)
    np.testing.assert_allclose(np.diag(found.score_VV), 1)
    against = usefulness([-true for true in truth], truth, RATE_HZ)
    np.testing.assert_allclose(against.score_VV, -found.score_VV)
    assert against.p > 0.99


def test_a_look_alone_and_a_shared_fade_do_not_count():
    _, truth = planted(4, 0)
    looks = [np.repeat(true.mean(0, keepdims=True), len(true), axis=0) for true in truth]
    still = usefulness(looks, truth, RATE_HZ)
    assert (still.effect, still.p, still.mde80) == (0, 1, 0)
    assert not still.score_VV.any()
    ps = []
    for seed in range(60):
        faded = usefulness(*planted(seed, 0, fade=3), RATE_HZ, draws=199, seed=seed)
        ps.append((faded.p_shift, faded.p))
    chance_by_shift, chance = (np.array(ps) <= 0.05).mean(axis=0)
    assert chance_by_shift > 0.3  # shifts alone would be fooled
    assert chance <= 0.1


@pytest.mark.parametrize("phi", [0.5, 0.9])
def test_false_positives_are_as_rare_as_was_said(phi):
    """Of 200 corpora without coupling at most 7% may be called useful (EVIDENCE F)."""
    called = [
        usefulness(
            *planted(1_000 + seed, 0, moments=40, columns=4, phi=phi), RATE_HZ, draws=199, seed=seed
        ).p
        <= 0.05
        for seed in range(200)
    ]
    assert np.mean(called) <= 0.07


def test_drift_is_left_in_only_where_it_is_said():
    rng = np.random.default_rng(0)
    slow = [np.cos(np.pi * np.arange(240) / 240 + phase)[:, None] for phase in np.arange(6)]
    made, truth = ([x + 0.1 * rng.standard_normal((240, 3)) for x in slow] for _ in range(2))
    found = usefulness(made, truth, RATE_HZ)
    assert found.p_swap_with_drift < 0.01 < found.effect_with_drift
    assert found.effect_with_drift > 0.5
    assert found.p > 0.05


def test_curves_of_other_units_count_alike_only_where_it_is_asked_for():
    rng = np.random.default_rng(1)
    truth = [rng.standard_normal((400, 2)) for _ in range(5)]
    made = [true * (1, 0) + 1_000 * rng.standard_normal((400, 2)) * (0, 1) for true in truth]
    together, each = (usefulness(made, truth, RATE_HZ, each_column=how) for how in (False, True))
    assert abs(together.effect) < 0.1
    assert each.effect == pytest.approx(0.5, abs=0.1)


def test_far_shifts_bring_no_moment_near_itself():
    np.testing.assert_array_equal(far_shifts(np.arange(40) / 2), np.arange(12, 29))
    assert len(far_shifts(np.arange(23) / 2)) == 0
    gaps = np.delete(np.arange(80) / 2, np.arange(20, 50))
    shifts = far_shifts(gaps)
    assert len(shifts)
    for shift in range(1, 50):
        nearest = min(abs(gaps[(i + shift) % 50] - gaps[i]) for i in range(50))
        assert (nearest >= 6) == (shift in shifts)
    drawn = drawn_shifts([shifts, shifts[:0]], 500, np.random.default_rng(0))
    assert set(drawn[:, 0]) == set(shifts)
    assert not drawn[:, 1].any()


def test_clips_that_are_too_short_to_shift_are_not_proof():
    made, truth = planted(5, 0.9, moments=16)
    found = usefulness(made, truth, RATE_HZ)
    assert found.shifted_clips == 0
    assert found.p_shift == 1
    assert found.p_swap < 0.01


def test_the_same_seed_gives_the_same_and_times_say_the_same_as_a_rate():
    made, truth = planted(6, 0.1)
    one, other = usefulness(made, truth, RATE_HZ, seed=1), usefulness(made, truth, RATE_HZ, seed=1)
    np.testing.assert_array_equal(one.swap_null_B, other.swap_null_B)
    times = [7 + np.arange(len(true)) / RATE_HZ for true in truth]
    by_times = usefulness(made, truth, times_by_clip=times, seed=1)
    np.testing.assert_array_equal(one.shift_null_B, by_times.shift_null_B)
    assert (usefulness(made, truth, RATE_HZ, seed=2).swap_null_B != one.swap_null_B).any()


def test_pictures_may_come_as_pictures_of_32_bits():
    made, truth = planted(7, 0.5)
    flat = usefulness(made, truth, RATE_HZ)
    shaped = usefulness(
        [x.astype(np.float32).reshape(-1, 2, 2, 3) for x in made],
        [x.astype(np.float32).reshape(-1, 2, 2, 3) for x in truth],
        RATE_HZ,
    )
    assert shaped.effect == pytest.approx(flat.effect, abs=1e-6)
    assert shaped.p == pytest.approx(flat.p, abs=0.002)


def test_how_many_clips_would_settle_it():
    empty = np.zeros(1)
    found = Usefulness(np.zeros((10, 10)), 0.02, 0.05, 0.3, 0.2, empty, empty, 10, 0.0, 1.0)
    assert found.mde80 == pytest.approx(2.49 * 0.05, rel=1e-2)
    assert found.interval == pytest.approx((0.02 - 0.098, 0.02 + 0.098), abs=1e-4)
    # 10 clips x (2.93 x .05 / .1)^2.
    assert found.clips_needed(0.1) == 22
    assert found.clips_needed(0.05) == 86
    with pytest.raises(ValueError, match="above 0"):
        found.clips_needed(0)


def test_what_only_a_program_can_do_wrong():
    made, truth = planted(8, 0, clips=2)
    with pytest.raises(ValueError, match="at least 2 clips"):
        usefulness(made[:1], truth[:1], RATE_HZ)
    with pytest.raises(ValueError, match="1 draw"):
        usefulness(made, truth, RATE_HZ, draws=0)
    with pytest.raises(ValueError, match="at least one"):
        usefulness([], [], RATE_HZ)
    with pytest.raises(ValueError, match="rate"):
        usefulness(made, truth)
    with pytest.raises(ValueError, match="same shape"):
        usefulness([made[0], made[1][:-1]], truth, RATE_HZ)
    with pytest.raises(ValueError, match="at least 8"):
        usefulness([x[:0] for x in made], [x[:0] for x in truth], RATE_HZ)
    with pytest.raises(ValueError, match="at least 8"):
        usefulness([x[:5] for x in made], [x[:5] for x in truth], RATE_HZ)
    with pytest.raises(ValueError, match="no numbers"):
        usefulness([made[0] * np.nan, made[1]], truth, RATE_HZ)
    with pytest.raises(ValueError, match="ascend"):
        usefulness(made, truth, times_by_clip=[np.zeros(len(x)) for x in truth])
    with pytest.raises(ValueError, match="as many times"):
        usefulness(made, truth, times_by_clip=[np.arange(3), np.arange(4)])
