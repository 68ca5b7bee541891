"""Skill and two-alternative choice: known losses, known answers, plain loops."""

import numpy as np
import pytest
from planted_models import RATE_HZ, planted

from soundreel.evidence.following import slow_terms_for, without_drift
from soundreel.evidence.skill import BASELINES, Losses, losses_by_clip, skill
from soundreel.evidence.two_afc import rate_of, rates_by_shift, two_afc


def test_losses_are_those_of_plain_loops():
    made, truth = planted(0, 0.5, clips=3)
    training = np.random.default_rng(0).uniform(-1, 1, (50, 12))
    of_mean = training[7]
    found = losses_by_clip(
        made, truth, RATE_HZ, made_of_mean_D=of_mean, training_frames_ND=training
    )
    assert tuple(found.baseline_V) == BASELINES
    for v, true in enumerate(truth):
        mean = [[abs(x - y) for x, y in zip(training.mean(0), row, strict=True)] for row in true]
        assert found.baseline_V["training mean frame"][v] == pytest.approx(np.mean(mean))
        assert found.baseline_V["G(mean input)"][v] == pytest.approx(np.abs(of_mean - true).mean())
        assert found.model_V[v] == pytest.approx(np.abs(made[v] - true).mean())
        others = [
            np.mean(
                [
                    np.abs(made[u][t * len(made[u]) // len(true)] - true[t]).mean()
                    for t in range(len(true))
                ]
            )
            for u in range(3)
            if u != v
        ]
        assert found.baseline_V["G(swapped song)"][v] == pytest.approx(np.mean(others))
        shifts = range(12, len(true) - 12 + 1)
        by_shift = [np.abs(np.roll(made[v], -k, axis=0) - true).mean() for k in shifts]
        assert min(by_shift) <= found.baseline_V["G(shifted)"][v] <= max(by_shift)
        every = np.abs(training[:, None] - true).mean()
        assert found.baseline_V["random training frame"][v] == pytest.approx(every, rel=0.1)


def test_a_model_that_follows_beats_itself_with_another_sound():
    made, truth = planted(1, 0.95)
    # Of clips that look alike: the look of one that was never seen cannot be known.
    made = [x - x.mean(0) for x in made]
    truth = [x - x.mean(0) for x in truth]
    training = np.concatenate(truth[:4])
    losses = losses_by_clip(
        made[4:], truth[4:], RATE_HZ, made_of_mean_D=np.zeros(12), training_frames_ND=training
    )
    found = skill(losses)
    assert found.loss == pytest.approx(losses.model_V.mean())
    for name in BASELINES:
        beside = found.beside[name]
        assert 0.3 < beside.low <= beside.skill <= beside.high < 1


def test_skill_by_hand():
    losses = Losses(np.array([1.0, 1.0, 1.0]), {"twice": np.full(3, 2.0), "same": np.ones(3)})
    found = skill(losses)
    assert (found.beside["twice"].skill, found.beside["twice"].low) == (0.5, 0.5)
    assert (found.beside["same"].skill, found.beside["same"].high) == (0, 0)
    uneven = skill(Losses(np.array([1.0, 3.0]), {"b": np.array([2.0, 2.0])})).beside["b"]
    assert (uneven.low, uneven.skill, uneven.high) == (-0.5, 0, 0.5)
    perfect = skill(Losses(np.zeros(2), {"zero": np.zeros(2), "one": np.ones(2)}))
    assert (perfect.beside["zero"].skill, perfect.beside["one"].skill) == (0, 1)
    assert skill(Losses(np.ones(2), {"zero": np.zeros(2)})).beside["zero"].skill == -np.inf


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    held = 0
    for seed in range(200):
        model, baseline = rng.gamma(20, 0.8 / 20, 30), rng.gamma(20, 1 / 20, 30)
        beside = skill(Losses(model, {"b": baseline}), draws=399, seed=seed).beside["b"]
        held += beside.low <= 0.2 <= beside.high
    assert 0.88 <= held / 200 <= 0.99


def test_a_baseline_that_some_clips_lack_is_measured_on_the_others():
    some = np.array([2.0, np.nan, 4.0])
    found = skill(Losses(np.array([1.0, 50.0, 1.0]), {"b": some, "none": some * np.nan}))
    assert found.beside["b"].skill == pytest.approx(1 - 2 / 6)
    assert "none" not in found.beside
    made, truth = planted(2, 0.5, moments=16)
    short = losses_by_clip(
        made, truth, RATE_HZ, made_of_mean_D=np.zeros(12), training_frames_ND=truth[0]
    )
    assert np.isnan(short.baseline_V["G(shifted)"]).all()
    assert "G(shifted)" not in skill(short).beside


def test_skill_refuses_what_only_a_program_can_do_wrong():
    made, truth = planted(3, 0, clips=2)
    with pytest.raises(ValueError, match="at least 2 clips"):
        skill(Losses(np.ones(1), {}))
    with pytest.raises(ValueError, match="losses of 3 clips"):
        skill(Losses(np.ones(2), {"b": np.ones(3)}))
    with pytest.raises(ValueError, match="no number"):
        skill(Losses(np.array([1, np.nan]), {}))
    with pytest.raises(ValueError, match="columns"):
        losses_by_clip(made, truth, 2.0, made_of_mean_D=made[0], training_frames_ND=truth[0])
    with pytest.raises(ValueError, match="no training frame"):
        losses_by_clip(made, truth, 2.0, made_of_mean_D=made[0][0], training_frames_ND=made[0][:0])


def loop_rate(made, truth, time, away: float = 6, by: int = 0) -> float:
    """What was made for moment t + by stands at t, where there is such a moment."""
    won = []
    for t in range(max(0, -by), min(len(truth), len(truth) - by)):
        for other in range(len(truth)):
            if abs(time[t] - time[other]) >= away:
                own = round(float(((made[t + by] - truth[t]) ** 2).sum()), 9)
                far = round(float(((made[t + by] - truth[other]) ** 2).sum()), 9)
                won.append(1 if own < far else 0.5 if own == far else 0)
    return float(np.mean(won))


@pytest.mark.parametrize("gaps", [False, True])
def test_rates_are_those_of_plain_loops(gaps, monkeypatch):
    monkeypatch.setattr("soundreel.evidence.two_afc._NUMBERS_AT_ONCE", 300)  # several parts
    made, truth = (x[0] for x in planted(4, 0.4, clips=1, moments=40))
    truth[20:24] = truth[20]  # a picture that stands still
    count = len(truth)
    time = np.arange(count) / 2
    if gaps:
        time[25:] += 4.3
    rates = rates_by_shift(made, truth, time, 6)
    for shift in (0, 1, 13, count // 2, count // 2 + 1, count - 5, count - 1):
        by = shift if shift <= count // 2 else shift - count
        assert rates[shift] == pytest.approx(loop_rate(made, truth, time, by=by), abs=1e-9)
    expected = loop_rate(made, truth, time)
    assert rate_of(made, truth, time, 6) == rates[0] == pytest.approx(expected, abs=1e-9)


def test_the_right_moment_is_told_by_a_model_that_follows_only():
    made, truth = planted(5, 0.9)
    found = two_afc(made, truth, RATE_HZ)
    assert found is not None
    assert found.p == 1 / 2_000
    assert 0.5 < found.low < found.rate < found.high <= 1
    assert found.rate > 0.85
    # As the loop has it, without each clip's mean and drift.
    quick = [
        [without_drift(x, slow_terms_for(len(x) / RATE_HZ)) for x in of] for of in (made, truth)
    ]
    expected = loop_rate(quick[0][2], quick[1][2], np.arange(len(truth[2])) / RATE_HZ)
    assert found.rate_VV[2, 2] == pytest.approx(expected)
    same = two_afc(truth, truth, RATE_HZ)
    assert same is not None
    assert same.rate == 1
    still = two_afc([np.full_like(x, 0.3) for x in made], truth, RATE_HZ)
    assert still is not None
    assert (still.rate, still.p) == (pytest.approx(0.5), 1)


def test_two_afc_calls_chance_chance():
    called = []
    for seed in range(80):
        found = two_afc(*planted(seed, 0, moments=40, columns=4), RATE_HZ, draws=199, seed=seed)
        assert found is not None
        called.append(found.p <= 0.05)
    assert np.mean(called) <= 0.1  # .05 and two standard errors of 80


def test_clips_without_moments_far_enough_apart_are_left_out():
    made, truth = planted(6, 0.9, moments=10)
    assert two_afc(made, truth, RATE_HZ) is None
    long_made, long_truth = planted(7, 0.9, clips=1)
    found = two_afc([*made, *long_made], [*truth, *long_truth], RATE_HZ)
    assert found is not None
    assert found.rate_VV.shape == (1, 1)
    assert (found.low, found.high, found.p_swap) == (0, 1, 1)
