"""Shot lists: what is written is read again, times mean what they say, mistakes are one line."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundreel.errors import SettingsError
from soundreel.rendering.shot_list import (
    At,
    Length,
    Look,
    Shot,
    ShotList,
    SongTable,
    read_shot_list,
    write_shot_list,
)

BARS = (0.5, 2.5, 4.5, 7.5)  # the last one is slower


def listed(**film) -> ShotList:
    return ShotList(song=SongTable(bars=BARS), film=Look(**film))


@pytest.mark.parametrize(
    ("bar", "seconds"),
    [(1, "1/2"), (2, "5/2"), (1.5, "3/2"), (3.5, 6), (4, "15/2"), (5, "21/2"), (0, 0), (-3, 0)],
)
def test_bars_are_the_songs_own_and_go_on_as_their_neighbours_do(bar, seconds):
    assert listed().seconds_at(At(bar=Fraction(bar))) == Fraction(seconds)


@given(st.fractions(0, 20, max_denominator=1000), st.fractions(0, 8, max_denominator=16))
def test_a_length_in_bars_ends_where_that_bar_is(start, bars):
    shots = listed()
    end = start + shots.seconds_of(Length(bars=bars), start)
    # The same way in two steps as in one.
    half = start + shots.seconds_of(Length(bars=bars / 2), start)
    assert half + shots.seconds_of(Length(bars=bars / 2), half) == end
    assert end >= start


def test_what_is_written_is_read_again(tmp_path):
    shots = ShotList(
        song=SongTable(title='Ein "Lied" \\ é 月', artist="x\ny", bars=BARS, tempo_bpm=120.25),
        film=Look(
            smooth="exponential",
            smooth_seconds=0.2,
            fade_out=Length(bars=Fraction(2)),
            title_card=True,
            credits=("made by", "nobody"),
        ),
        shot=(
            Shot(at=At(bar=Fraction(1)), section="A"),
            Shot(
                at=At(seconds=Fraction("12.345")),
                model=str(tmp_path / "other"),
                seed=3,
                accent_strength=0.0,
                crossfade=Length(bars=Fraction(1)),
            ),
        ),
    )
    place = tmp_path / "plan.toml"
    write_shot_list(place, shots, {1: "the chorus"}, "head\nof two lines")
    assert read_shot_list(place) == shots
    text = place.read_text(encoding="utf-8")
    assert text.startswith("# head\n# of two lines\n")
    assert "# the chorus\n[[shot]]\nat = 12.345\n" in text


def test_a_model_is_sought_from_where_the_list_lies(tmp_path):
    place = tmp_path / "plan.toml"
    place.write_text('[[shot]]\nat = 0\nmodel = "runs/second"\n')
    assert read_shot_list(place).shot[0].model == str(tmp_path / "runs" / "second")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[shot]]\nat = "bar x"', "number 1.*bar 9"),
        ("[[shot]]\nat = -1", "number 1"),
        ("[[shot]]\nat = 0\n[[shot]]\nat = 2\nmodle = 'x'", 'number 2.*did you mean "model"'),
        ('[film]\nsmoth = "beats"', 'did you mean "smooth"'),
        ('[film]\nsmooth = "all"', "beats"),
        ("[film]\naccent_strength = 2", "accent_strength"),
        ("[film]\nfade_in = true", "2 bars"),
        ("[song]\nbars = [2, 1]", "ascend"),
        ("[[shot]]\nat = 3\n[[shot]]\nat = 2", "order"),
        ("[shots]", "not a setting"),
        ("at = [", "not a TOML"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path, text, says):
    place = tmp_path / "plan.toml"
    place.write_text(text)
    with pytest.raises(SettingsError, match=says) as caught:
        read_shot_list(place)
    assert str(place) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bars_that_are_not_known_yet_are_told_apart(tmp_path):
    place = tmp_path / "plan.toml"
    place.write_text('[[shot]]\nat = "bar 3"')
    shots = read_shot_list(place)
    assert shots.counts_bars
    assert not ShotList().counts_bars
    assert ShotList(film=Look(fade_in=Length(bars=Fraction(1)))).counts_bars
    with pytest.raises(SettingsError, match="write seconds"):
        shots.shot_seconds()


def test_a_list_that_is_not_there_says_so(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        read_shot_list(tmp_path / "none.toml")
