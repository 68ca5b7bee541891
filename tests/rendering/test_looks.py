"""Looks: what a person writes is what is meant, and mistakes are one line that helps."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundreel.errors import SettingsError
from soundreel.rendering.looks import LookWish, Walk, look_name, look_shares, read_look
from soundreel.rendering.shot_list import read_shot_list

CLIPS = ("001-aurora", "002-autumn", "010-Harbour", "002")


def shares(text: str) -> tuple[float, ...]:
    return look_shares(read_look(text), CLIPS)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("001-aurora", (1, 0, 0, 0, 0)),
        ("average", (0, 0, 0, 0, 1)),
        ("001", (1, 0, 0, 0, 0)),
        ("010-harb", (0, 0, 1, 0, 0)),
        ("002", (0, 0, 0, 1, 0)),
        ("001:0.7, 002:0.3", (0.7, 0, 0, 0.3, 0)),
        ("001:7,average:1", (0.875, 0, 0, 0, 0.125)),
        ("001,010", (0.5, 0, 0.5, 0, 0)),
        ("001:1,001-aurora:1,010:2", (0.5, 0, 0.5, 0, 0)),
    ],
)
def test_names_and_their_shares(text, meant):
    assert shares(text) == pytest.approx(meant, abs=1e-12)


def test_words_that_are_decided_by_sound():
    assert read_look(" Auto ") == LookWish("auto")
    assert read_look("walk:sections").walk == Walk("sections")
    assert read_look("walk:4 bars").walk == Walk("bars", Fraction(4))
    assert read_look("walk: 1 bar").walk == Walk("bars", Fraction(1))
    assert read_look("walk:2.5").walk == Walk("seconds", Fraction(5, 2))
    assert read_look("walk:10 seconds").walk == Walk("seconds", Fraction(10))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("aurora", 'did you mean "001-aurora"'),
        ("001-arora", 'did you mean "001-aurora"'),
        ("zzz", "it has 001-aurora, 002-autumn"),
        ("00", "may be 001-aurora, 002-autumn, 002"),
        ("001:0.5,002", "give each one"),
        ("001:half,002:1", "'half' is not a share"),
        ("001:0,002:1", "'0' is not a share"),
        ("001:nan", "'nan' is not a share"),
        ("001,,002", "a name is missing"),
        ("", "a name is missing"),
        ("walk:0 bars", "walk:sections"),
        ("walk:often", "walk:sections"),
    ],
)
def test_mistakes_are_one_line_that_says_what_would_do(text, said):
    with pytest.raises(SettingsError, match="look ") as caught:
        shares(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_long_list_of_clips_is_cut_short():
    with pytest.raises(SettingsError, match="and 88 more"):
        look_shares(read_look("zzz"), [f"clip-{k}" for k in range(100)])


@given(
    st.lists(st.tuples(st.sampled_from([*CLIPS, "average"]), st.floats(0.001, 1000)), min_size=1)
)
def test_shares_sum_to_one_and_keep_their_proportions(parts):
    found = shares(",".join(f"{name}:{share!r}" for name, share in parts))
    whole = sum(share for _, share in parts)
    for place, name in enumerate([*CLIPS, "average"]):
        wanted = sum(share for one, share in parts if one == name) / whole
        assert found[place] == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_what_a_person_is_told():
    assert look_name((0, 1.0, 0, 0, 0), CLIPS) == "002-autumn"
    assert look_name((0, 0, 0, 0, 1.0), CLIPS) == "average"
    assert look_name((0.7, 0, 0, 0.3, 0), CLIPS) == "001-aurora 0.70 + 002 0.30"


def test_a_shot_list_says_at_once_what_cannot_be_a_look(tmp_path):
    place = tmp_path / "plan.toml"
    place.write_text('[film]\nlook = "a:0.7,b:0.3"\ndrive = "walk"\n[[shot]]\nat = 0\nlook = "a"\n')
    shots = read_shot_list(place)
    assert (shots.film.look, shots.film.drive, shots.shot[0].look) == ("a:0.7,b:0.3", "walk", "a")
    for wrong in ('[[shot]]\nat = 0\nlook = "a:x"', "[film]\nlook = 3", '[film]\ndrive = "run"'):
        place.write_text(wrong)
        with pytest.raises(SettingsError, match=r"plan\.toml: in .*(look|drive)") as caught:
            read_shot_list(place)
        assert "\n" not in str(caught.value)
