"""Does the calibration tell a test that keeps its promise from one that does not?"""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, kstest

from soundreel.asking.calibration import (
    BAR,
    SWITCHES,
    SwitchRates,
    calibrate_features,
    is_within_bar,
)
from soundreel.asking.calibration_pieces import Corpora, Outcome, Rate, pieces_of, the_test
from soundreel.asking.calibration_power import SIZES, power
from soundreel.asking.calibration_rendered import calibrate_rendered, rendered_plans
from soundreel.errors import SettingsError
from soundreel.evidence.wrong_ways import WRONG_WAYS, shuffled_samples
from soundreel.synthetic.truth import PlantedTruth

small = partial(calibrate_features, videos=8, samples=24, draws=39)


def shuffling_test(clips, groups, design) -> Outcome:
    """What deserves to fail."""
    p_value = shuffled_samples(clips, groups, design)
    verdict = "YES" if p_value <= design.alpha else "UNDECIDED"
    return Outcome(verdict, p_value, p_value, p_value, 0.1, 0.05)


def test_every_switch_is_null_and_stands_alone_but_for_the_last_two():
    plain = PlantedTruth().model_dump()
    changed = {
        name: {key for key, value in truth.model_dump().items() if value != plain[key]}
        for name, truth in SWITCHES.items()
    }
    assert all(truth.coupling == truth.cuts_on_beats == 0 for truth in SWITCHES.values())
    alone = [keys for name, keys in changed.items() if not name.startswith("all")]
    assert [len(keys) for keys in alone] == [0] + [1] * 9
    switches = set(plain) - {"coupling", "cuts_on_beats", "duplicate_songs"}
    assert set().union(*alone) == switches
    together = changed["all, walking"] | changed["all, matched"]
    assert together == switches - {"look_constant"}


def test_the_right_test_passes_and_a_wrong_one_fails():
    right = small(8, wrong_corpora=2)
    assert right.passes
    assert right.duplicates.hits == right.duplicates.trials == 5
    assert [switch.name for switch in right.switches] == list(SWITCHES)
    for switch in right.switches:
        assert switch.whole.trials == 8
        assert set(switch.wrong) == set(WRONG_WAYS)
        assert all(rate.trials == 2 for rate in switch.wrong.values())
        expected = np.maximum(switch.p_swap, switch.p_shift)
        np.testing.assert_array_equal(switch.p_value, expected)
        assert switch.both.hits == np.count_nonzero(expected <= 0.05)
    wrong = small(8, wrong_corpora=0, test=shuffling_test)
    assert not wrong.passes
    failing = {switch.name for switch in wrong.switches if not switch.passes}
    assert "shared fades" in failing
    assert "TOO OFTEN" in wrong.table
    assert "TOO OFTEN" not in right.table
    assert json.loads(json.dumps(wrong.as_json()))["passes"] is False


def test_each_p_value_is_counted_where_it_belongs():
    def test(clips, groups, design) -> Outcome:
        return Outcome("NEGLIGIBLE", 0.5, 0.01, 0.5, 0.1, 0.05)

    found = small(2, wrong_corpora=0, test=test)
    switch = found.switches[0]
    rates = {key: getattr(switch, key).hits for key in ("whole", "both", "swap", "shift")}
    assert rates == {"whole": 2, "both": 0, "swap": 2, "shift": 0}
    assert not found.passes
    passing = replace(found, switches=(replace(switch, whole=Rate(0, 2)),))
    assert passing.passes
    assert not replace(passing, duplicates=Rate(4, 5)).passes


def test_the_same_call_again_goes_on_from_what_is_kept(tmp_path):
    asked = []

    def counting(clips, groups, design) -> Outcome:
        asked.append(design.seed)
        return the_test(clips, groups, design)

    call = partial(
        calibrate_features,
        videos=3,
        samples=16,
        draws=9,
        wrong_corpora=1,
        test=counting,
        kept=tmp_path,
    )
    first = call(20)
    assert len(asked) == 20 * len(SWITCHES)
    assert len(set(asked)) == len(asked)  # no corpus is used twice
    again = call(20)
    assert len(asked) == 20 * len(SWITCHES)
    assert again == first
    broken = next(tmp_path.glob("test-shared-fades-*.json"))
    broken.write_text('[{"verd')
    assert call(20) == first
    assert len(asked) == 20 * len(SWITCHES) + 20
    more = call(23)
    assert len(asked) == 20 * len(SWITCHES) + 20 + 3 * len(SWITCHES)
    assert more.switches[3].p_value[:20] == first.switches[3].p_value
    # Other settings are other answers, in the same folder.
    assert call(20, seed=1) != first
    assert call(20) == first


def test_answers_do_not_depend_on_the_workers():
    def answers(workers):
        return small(1, wrong_corpora=1, workers=workers)

    assert answers(2) == answers(1)


def test_pieces_hold_every_corpus_once():
    kind = Corpora(PlantedTruth())
    pieces = pieces_of("none", "test", kind, 47, 99, 0)
    assert [(piece.first, piece.count) for piece in pieces] == [(0, 20), (20, 20), (40, 7)]
    seeds = [seed for piece in pieces for seed in piece.seeds]
    assert len(set(seeds)) == 47
    assert set(seeds).isdisjoint(pieces_of("other", "test", kind, 20, 99, 0)[0].seeds)
    wrong = pieces_of("none", "wrong", kind, 20, 99, 0)[0]
    assert wrong.seeds == pieces[0].seeds  # the wrong ways see the same corpora


@pytest.mark.parametrize(
    ("hits", "trials", "expected"),
    [
        (0, 1, True),
        (1, 1, True),
        (2, 2, False),
        (2, 8, True),  # 2 of 8 come about in .10 of all cases at .07
        (3, 8, False),
        (35, 500, True),
        (36, 500, False),
        (70, 1000, True),
        (71, 1000, False),
    ],
)
def test_the_bar(hits, trials, expected):
    assert is_within_bar(Rate(hits, trials)) is expected
    if trials < 500:
        assert (binom.sf(hits - 1, trials, BAR) >= 0.05) == expected


def test_a_rate_has_its_interval():
    rate = Rate.of([True, False, False, False])
    assert rate.share == 0.25
    # Clopper and Pearson's by the beta distribution: 1 of 4.
    np.testing.assert_allclose(rate.interval, (0.006309, 0.805880), atol=1e-6)
    assert Rate(0, 0).share == 0


def test_the_protocols_drawing_has_its_couplings_and_smoothness():
    kind = Corpora(PlantedTruth(coupling=0.3), 40, 400, 0.8, "direct")
    clips, songs = kind.drawn(1)
    assert len(set(songs)) == 40
    heard = np.stack([clip.sound_SA for clip in clips])
    seen = np.stack([clip.picture_TP for clip in clips])
    assert heard.shape == (40, 400, 8)
    assert seen.shape == (40, 400, 4)
    for j in range(4):
        r = np.corrcoef(heard[..., j].ravel(), seen[..., j].ravel())[0, 1]
        assert r == pytest.approx(0.3, abs=0.05)
        other = np.corrcoef(heard[..., j + 1].ravel(), seen[..., j].ravel())[0, 1]
        assert other == pytest.approx(0, abs=0.05)
    for curves in (heard, seen):
        assert curves.std() == pytest.approx(1, abs=0.03)
        lagged = np.corrcoef(curves[:, 1:].ravel(), curves[:, :-1].ravel())[0, 1]
        assert lagged == pytest.approx(0.8, abs=0.02)
    faded, _ = replace(kind, truth=PlantedTruth(shared_fades=True)).drawn(1)
    assert np.mean([clip.picture_TP[0] for clip in faded]) == pytest.approx(-3, abs=0.3)
    assert np.mean([clip.sound_SA[200] for clip in faded]) == pytest.approx(0, abs=0.3)


def test_stronger_couplings_are_found_more_often():
    found = power(6, sizes=[SIZES[1]], couplings=(0.0, 0.3), draws=99)
    assert len(found.rows) == 4
    for row in found.rows:
        assert row.power.trials == 6
        assert row.power.hits >= row.found.hits
        assert (row.power.hits >= 5) == (row.coupling == 0.3)
        assert (row.score > 0.1) == (row.coupling == 0.3)
        assert 0.04 < row.mde80 < 0.15
    assert [row.told_power for row in found.rows] == [0.03, None, None, None]
    assert "30 x 40, .8" in found.table
    assert json.loads(json.dumps(found.as_json()))["rows"][0]["power"]["of"] == 6


@pytest.mark.parametrize("call", [calibrate_features, power])
def test_no_corpora_are_refused(call):
    with pytest.raises(SettingsError, match="corpora = 0"):
        call(0)


# -- on films ---------------------------------------------------------------------------------


def test_films_are_made_asked_and_removed_and_answers_kept(tmp_path):
    seen: list[Path] = []

    def ask(films, report):
        assert len(films) == 2
        assert all(film.stat().st_size > 1000 for film in films)
        report.write_text("asked")
        seen.append(report.parent)
        name = report.parent.name
        if name.startswith("duplicates"):
            return "INVALID", None
        return ("YES", 0.001) if name.startswith("coupling") else ("NO", 0.4)

    call = partial(
        calibrate_rendered,
        tmp_path,
        corpora=2,
        ask=ask,
        clips=2,
        clip_seconds=2.0,
        couplings=(0.2, 0.4),
        coupled_corpora=1,
        duplicate_corpora=1,
        width=64,
        height=36,
    )
    found = call()
    assert len(seen) == 5
    assert found.passes
    assert found.false_positives == Rate(0, 2)
    assert found.duplicates == Rate(1, 1)
    assert found.wrongly_invalid == Rate(0, 4)
    assert found.found_at == {0.0: Rate(0, 2), 0.2: Rate(1, 1), 0.4: Rate(1, 1)}
    assert not list(tmp_path.rglob("*.mp4"))
    assert len(list(tmp_path.rglob("report.html"))) == 5
    assert call() == found
    assert len(seen) == 5
    assert "the same song twice: INVALID   1 of 1" in found.table
    assert json.loads(json.dumps(found.as_json()))["passes"] is True
    one = call(corpora=1, couplings=(), duplicate_corpora=0, keep_films=True, seed=1)
    assert one.passes
    assert len(list(tmp_path.rglob("*.mp4"))) == 2


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [("null", "YES"), ("null", "INVALID"), ("duplicates", "NO"), ("coupled", "NO")],
)
def test_films_that_do_not_say_what_was_planted_fail(kind, verdict, tmp_path, monkeypatch):
    monkeypatch.setattr("soundreel.asking.calibration_rendered.make_corpus", lambda *a, **k: [])
    right = {"null": "NO", "duplicates": "INVALID", "coupled": "YES"}
    for plan in rendered_plans(3, couplings=(0.4,)):
        assert (plan.truth.coupling > 0) == (plan.kind == "coupled")
        assert plan.truth.duplicate_songs == (plan.kind == "duplicates")

    def ask(films, report):
        of = report.parent.name.split("-")[0].replace("coupling", "coupled")
        return (verdict if of == kind else right[of]), 0.5

    found = calibrate_rendered(tmp_path, 3, ask, couplings=(0.4,))
    assert not found.passes


def test_switches_take_turns_on_films():
    plans = [plan for plan in rendered_plans(20) if plan.kind == "null"]
    assert {plan.switch for plan in plans} == set(SWITCHES)
    assert len({plan.seed for plan in plans}) == 20
    with pytest.raises(SettingsError, match="couplings"):
        rendered_plans(1, couplings=(0.0,))


# -- the calibration itself -------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_false_positives_stay_below_the_bar_under_every_switch():
    """The protocol's bar: 500 corpora a switch, a rate of at most .07."""
    found = calibrate_features(500, workers=2, wrong_corpora=40)
    assert found.passes, found.table
    shares = {switch.name: switch for switch in found.switches}
    # The traps are there: they catch what is wrong.
    assert shares["shared fades"].wrong["samples shuffled"].share > 0.9
    assert shares["shared fades"].wrong["circular shifts alone"].share > 0.9
    assert shares["shared fades"].wrong["t-test over folds"].share > 0.9
    # Without switches the p-values of each null alone are uniform.
    plain: SwitchRates = shares["none"]
    for p_values in (plain.p_swap, plain.p_shift):
        assert kstest(p_values, "uniform").pvalue > 0.001
