"""Films of any make: flashes on clicks are in step, the same film with another song is not."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flashing_films import click_times, clicking, film_of, flashing_film

from soundreel.asking.change import levelled
from soundreel.asking.film_curves import film_curves
from soundreel.asking.film_lines import at_rate, film_tests, swaps_decide
from soundreel.asking.film_page import film_json, film_report
from soundreel.asking.film_question import ask_films
from soundreel.asking.report.page import write_report
from soundreel.asking.settings import Question
from soundreel.errors import DatasetError
from soundreel.evidence.lag_curve import lag_curve
from soundreel.evidence.nulls import holm
from soundreel.progress import Step

FEW = Question(draws=299)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five films in step, and the same five with other songs."""
    folder = tmp_path_factory.mktemp("films")
    for k in range(5):
        flashing_film(folder / f"own-{k}.mp4", k, k)
        flashing_film(folder / f"other-{k}.mp4", k, k + 50)
    return folder


def lines_of(answer):
    return {line.name: line for line in answer.tests.lines}


def test_flashes_on_clicks_are_in_step_and_with_other_songs_they_are_not(folder):
    own = ask_films(sorted(folder.glob("own-*")), folder / "own.html", FEW)
    assert own.verdict == "in step with its sound"
    assert own.swaps_decide
    align = lines_of(own)["AV-Align"]
    assert align.effect is not None
    assert align.value is not None
    assert align.value > 0.8
    assert align.effect > 0.5
    assert align.low is not None
    assert align.low > 0
    assert align.p_value == max(align.p_swap or 0, align.p_shift or 0)
    assert lines_of(own)["cuts and beats"].why.startswith("0 cuts were found")
    run = [line for line in own.tests.lines if line.p_value is not None]
    np.testing.assert_allclose(
        [line.p_holm or 0 for line in run], holm([line.p_value or 0 for line in run])
    )
    assert own.tests.lags is not None
    assert abs(own.tests.lags.seconds_L[own.tests.lags.correlation_L.argmax()]) <= 0.14
    for film in own.films:
        assert film.av_align is not None
        assert film.av_align_by_chance is not None
        assert film.av_align > 3 * film.av_align_by_chance

    other = ask_films(sorted(folder.glob("other-*")), folder / "other.html", FEW)
    assert other.verdict == "not seen to be in step"
    align = lines_of(other)["AV-Align"]
    assert align.value is not None
    assert align.value < 0.15
    assert align.p_holm is not None
    assert align.p_holm > 0.3


def test_one_film_alone_is_held_against_its_own_song_at_other_times(folder):
    own = ask_films([folder / "own-0.mp4"], folder / "one.html", FEW)
    assert own.verdict == "in step with its sound"
    assert not own.swaps_decide
    for line in own.tests.lines:
        assert line.swap_mean is None
        assert line.p_swap is None
    # A fiftieth of all shifts (a picture either way, of 3 s) is as good as none, about.
    align = lines_of(own)["AV-Align"]
    assert align.p_value is not None
    assert 1 / 100 < align.p_value < 1 / 30
    assert "single film" in " ".join(film_report(own, "", "").opening)
    # A lag is no evidence without another film's: it is drawn, and not tested.
    lags, drawn = lines_of(own)["motion and onsets"], own.tests.lags
    assert lags.value is lags.p_value is lags.p_holm is None
    assert lags.why.startswith("two films are needed")
    assert drawn is not None
    assert abs(drawn.seconds_L[drawn.correlation_L.argmax()]) <= 0.14
    # The song moved by so little has the same peak at another lag.
    assert drawn.correlation_L.max() <= 1.05 * drawn.band

    other = ask_films([folder / "other-0.mp4"], folder / "one.html", FEW)
    assert other.verdict == "not seen to be in step"

    short = flashing_film(folder / "short.mp4", 3, 3, seconds=4)
    answer = ask_films([short], folder / "short.html", FEW)
    assert answer.verdict == "not seen to be in step"
    assert "would need about 11 s" in " ".join(film_report(answer, "", "").opening)


def test_the_lags_of_one_film_are_those_of_two_that_are_the_same(folder):
    clip = film_curves(folder / "own-2.mp4", "a", "a", Fraction(1, 15))
    film = at_rate(clip, Fraction(15))
    one = film_tests([film], Fraction(15), 0.05, 99, 0).lags
    two = lag_curve([film.motion_F] * 2, [film.onset_F] * 2, 15, 0.5, 4.0, draws=9)
    assert one is not None
    np.testing.assert_allclose(one.seconds_L, two.lags_seconds_L)
    np.testing.assert_allclose(one.correlation_L, two.correlation_L, atol=1e-9)


def test_what_cannot_be_asked_is_left_out_and_told_of(folder, tmp_path):
    films = [
        folder / "own-0.mp4",
        film_of(tmp_path / "mute.mp4", lambda _: 0.0, None, 4),
        film_of(tmp_path / "quiet.mp4", lambda _: 0.0, np.zeros(4 * 22_050, np.float32), 4),
        flashing_film(tmp_path / "blink.mp4", 1, 1, seconds=1),
        flashing_film(tmp_path / "slow.mp4", 1, 1, seconds=4, fps=Fraction(5)),
        tmp_path / "gone.mp4",
    ]
    answer = ask_films(films, tmp_path / "r.html", FEW)
    assert [film.id for film in answer.films] == ["own-0"]
    why = {left.id: left.why for left in answer.left_out}
    assert why["mute"] == "has no sound"
    assert why["quiet"] == "its sound is silence"
    assert why["blink"].startswith("has 1.0 s of picture and sound: 3 s")
    assert why["slow"] == "has 5 pictures a second: 8 are needed"
    assert "gone.mp4" in why["gone"]
    with pytest.raises(DatasetError, match=r"no film can be asked \(mute: has no sound\)"):
        ask_films([tmp_path / "mute.mp4"], tmp_path / "r.html", FEW)


def test_films_of_different_rates_are_compared_at_the_lowest(tmp_path):
    films = [
        flashing_film(tmp_path / "a.mp4", 1, 1, seconds=8, fps=Fraction(24)),
        flashing_film(tmp_path / "b.mp4", 2, 2, seconds=8, fps=Fraction(25, 2)),
    ]
    answer = ask_films(films, tmp_path / "r.html", FEW)
    assert answer.fps == Fraction(25, 2)
    assert answer.verdict == "in step with its sound"
    for film in answer.films:
        assert film.av_align is not None
        assert film.av_align_by_chance is not None
        assert film.av_align > 3 * film.av_align_by_chance


def test_asking_again_measures_nothing_and_says_the_same(folder, tmp_path):
    films = [folder / "own-0.mp4", folder / "own-1.mp4"]
    steps: list[Step] = []
    first = ask_films(films, tmp_path / "r.html", FEW, progress=steps.append)
    kept = sorted((tmp_path / "r.curves").iterdir())
    written = [path.stat().st_mtime_ns for path in kept]
    again = ask_films(films, tmp_path / "r.html", FEW)
    assert len(kept) == 2
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "r.curves").iterdir())] == (
        written
    )
    assert again.tests.lines == first.tests.lines
    assert again.digest == first.digest
    manifest = json.loads((tmp_path / "r.manifest.json").read_text())
    assert [film["id"] for film in manifest["films"]] == ["own-0", "own-1"]
    assert steps[-1] == Step("test", 1, 1, "films")


def test_page_and_numbers(folder, tmp_path):
    answer = ask_films(sorted(folder.glob("own-*"))[:2], folder / "two.html", FEW)
    write_report(tmp_path / "r.html", film_report(answer, "In step?", "today"))
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "In step with its sound" in page
    assert "only shifted songs decide" in page
    told = json.loads(json.dumps(film_json(answer), allow_nan=False))
    assert (told["format"], told["kind"], told["fps"]) == ("soundreel-evidence", "film", 15)
    assert told["lines"][0]["effect"] == pytest.approx(
        told["lines"][0]["value"] - told["lines"][0]["shift_mean"]
    )
    assert len(told["films"]) == 2


def test_swaps_decide_where_one_order_of_all_is_rare_enough():
    assert [swaps_decide(count, 0.05) for count in (1, 4, 5, 300)] == [False, False, True, True]


def test_resampling_keeps_how_much_moves_and_when(folder):
    clip = film_curves(folder / "own-0.mp4", "a", "a", Fraction(1, 15))
    moved = np.zeros_like(clip.seen_TP)
    moved[45] = 1.0  # at 3 s
    slow = at_rate(replace(clip, seen_TP=moved), Fraction(10))
    assert slow.motion_F.argmax() == 30
    assert len(slow.motion_F) == len(slow.onset_F) == 120
    late = at_rate(clip, Fraction(15), 0.1)
    np.testing.assert_allclose(late.beat_seconds, clip.beat_seconds + 0.1)
    plain = at_rate(clip, Fraction(15)).onset_F
    lag = np.argmax([np.dot(late.onset_F[4:-4], plain[4 - k : -4 - k]) for k in range(4)])
    assert lag in (1, 2)


def test_passages_that_fade_together_are_no_synchrony():
    """Moves and onsets that know nothing of each other, under one fade."""
    rng = np.random.default_rng(1)
    fade = np.sin(np.linspace(0.05, np.pi - 0.05, 300))
    curves = rng.exponential(1, (2, 300)) * fade
    raw = float(np.corrcoef(curves[0], curves[1]).item(1))
    even_2T = np.stack([levelled(curve_T, 15, 1e-3) for curve_T in curves])
    even = float(np.corrcoef(even_2T[0], even_2T[1]).item(1))
    assert raw > 0.1
    assert abs(even) < 0.5 * raw


def test_still_pictures_are_told_of_and_tested_by_nothing(tmp_path):
    sound = clicking(click_times(1, 5), 5)
    answer = ask_films(
        [film_of(tmp_path / "still.mp4", lambda _: 0.0, sound, 5)], tmp_path / "r.html", FEW
    )
    assert answer.verdict == "not seen to be in step"
    assert film_report(answer, "", "").tone == "open"


def test_no_film_no_tests():
    with pytest.raises(ValueError, match="min"):
        film_tests([], Fraction(15), 0.05, 99, 0)
