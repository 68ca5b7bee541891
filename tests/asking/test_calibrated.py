"""The calibration that is kept with the program: of the test as it is, and passed."""

from dataclasses import replace

import numpy as np

import soundreel
from soundreel.asking import calibrated as kept
from soundreel.asking import dataset_question
from soundreel.asking.calibration import BAR, SWITCHES
from soundreel.asking.settings import question_from
from textured_clips import textured_clip


def test_what_is_kept_is_a_full_calibration_of_the_test_as_it_is():
    known = kept.calibrated()
    assert known.holds
    assert known.corpora >= 500
    assert set(known.rejections) == set(SWITCHES)
    assert all(of == known.corpora and hits <= BAR * of for hits, of in known.rejections.values())
    assert known.films[1] >= 20
    # p-values of a right test lie on the even spread or above it, up to chance.
    even = (np.arange(len(known.p_values)) + 0.5) / len(known.p_values)
    assert (np.array(known.p_values) >= even - 0.02).all()


def test_a_test_that_was_changed_since_gives_no_verdict(tmp_path, monkeypatch):
    known = kept.calibrated()
    other = replace(known, edition=known.edition + 1)
    monkeypatch.setattr(dataset_question, "calibrated", lambda: other)
    for seed in range(2):
        textured_clip(tmp_path / f"{seed}.mp4", seconds=16, seed=seed)
    films = sorted(tmp_path.glob("*.mp4"))
    answer = soundreel.ask(
        *films, out=tmp_path / "r.html", question=question_from(draws=99), workers=1
    )
    assert answer.verdict == "INVALID"
    assert "has not passed its calibration" in (tmp_path / "r.html").read_text()
