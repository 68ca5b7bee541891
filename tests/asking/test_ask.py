"""`ask` as a person uses it: real little films with planted truth, and what can go wrong."""

import json
from fractions import Fraction

import numpy as np
import pytest

import soundreel
from soundreel.asking.settings import question_from
from soundreel.cli import main
from soundreel.errors import DatasetError, SettingsError
from soundreel.synthetic.corpus import make_corpus
from soundreel.synthetic.truth import PlantedTruth

SMALL = {"width": 64, "height": 36, "fps": Fraction(10)}


@pytest.fixture(scope="module")
def coupled_films(tmp_path_factory):
    """Six films whose brightness, hue and motion are functions of their songs."""
    folder = tmp_path_factory.mktemp("coupled")
    make_corpus(folder, 6, 24.0, PlantedTruth(coupling=1.0), seed=3, **SMALL)
    return folder


def test_films_that_follow_their_songs_are_told_and_the_report_has_all_numbers(
    coupled_films, tmp_path
):
    out = tmp_path / "report.html"
    steps = []
    answer = soundreel.ask(
        coupled_films, out=out, question=question_from(draws=199), workers=1, progress=steps.append
    )
    assert answer.verdict == "YES"
    numbers = json.loads(out.with_suffix(".json").read_text())
    test = numbers["test"]
    assert test["p_value"] <= 0.05
    assert test["ci_95"][0] > 0
    assert test["effect"] == pytest.approx(test["score"] - np.mean(test["swap_null"]), abs=1e-4)
    matrix = np.array(test["matrix_song_by_video"])
    assert np.diagonal(matrix).mean() > matrix[~np.eye(6, dtype=bool)].mean() + 0.2
    assert {line["name"] for line in numbers["secondary"]} >= {"motion and onsets", "AV-Align"}
    page = out.read_text()
    assert numbers["manifest_sha256"] in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert {step.task for step in steps} >= {"measure", "test", "secondary tests"}
    # What was measured is kept, and the same question has the same answer.
    again = soundreel.ask(coupled_films, out=out, question=question_from(draws=199), workers=1)
    assert json.dumps(again.numbers) == json.dumps(answer.numbers)


def test_songs_used_twice_are_invalid_and_named(tmp_path):
    make_corpus(
        tmp_path / "films", 4, 24.0, PlantedTruth(coupling=1.0, duplicate_songs=True), **SMALL
    )
    answer = soundreel.ask(
        tmp_path / "films", out=tmp_path / "r.html", question=question_from(draws=99), workers=1
    )
    assert answer.verdict == "INVALID"
    assert "same song" in " ".join(answer.numbers["leaks"])
    assert "test" not in answer.numbers


def test_the_command_answers_and_goes_on_past_what_it_cannot_use(coupled_films, tmp_path, capsys):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film at all")
    films = sorted(map(str, coupled_films.glob("*.mp4")))[:3]
    out = tmp_path / "report.html"
    code = main(["ask", *films, str(broken), "--out", str(out), "--draws", "99", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert told["verdict"] in ("YES", "UNDECIDED")
    assert told["left_out"][0][0] == "broken"
    assert len(told["numbers"]["videos"]) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "report.pdf"], ".html"),
        (["--out", "r.html"], "name a dataset folder"),
        (["nowhere", "--out", "r.html"], "nowhere"),
        (["nowhere", "--out", "r.html", "--delta", "2"], "delta"),
        (["nowhere", "--out", "r.html", "--draws", "5"], "draws"),
    ],
)
def test_what_cannot_be_asked_is_one_line(arguments, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["ask", *arguments]) == 1
    line = capsys.readouterr().err.strip().splitlines()
    assert len(line) == 1
    assert said in line[0]


def test_one_work_alone_cannot_be_asked(coupled_films, tmp_path):
    with pytest.raises(DatasetError, match="two works"):
        soundreel.ask(
            coupled_films,
            out=tmp_path / "r.html",
            question=question_from(draws=99, together=("*",)),
            workers=1,
        )


def test_a_wrong_setting_is_named():
    with pytest.raises(SettingsError, match="alpha"):
        question_from(alpha=0.9)
