"""`render`, `remix` and `look` as a person types them: looks, cuts, a song alone, what is told."""

import json
import re
from pathlib import Path

import av
import pytest
from PIL import Image
from reel_made_here import LOOKS, drums_here, reel_here

from clips_made_here import counting_clip
from soundreel import box
from soundreel.cli import main
from soundreel.media.probe import probe
from soundreel.networks.bundle import describe_model, load_model, save_model
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.training import new_look

SMALL = ("--fps", "10", "--compute", "torch-fp32")


@pytest.fixture(scope="module")
def reel(tmp_path_factory) -> Path:
    return reel_here(tmp_path_factory.mktemp("models") / "reel")


@pytest.fixture(scope="module")
def unet(tmp_path_factory) -> Path:
    arguments = {"size": 64, "width": 4, "norm": "frozen-batch", "in_channels": 1}
    folder = tmp_path_factory.mktemp("models") / "square"
    save_model(
        folder, UNet(**arguments), arguments, recipe_from(picture_size=64), "sound-to-picture", {}
    )
    return folder


@pytest.fixture(scope="module")
def song(tmp_path_factory) -> Path:
    return drums_here(tmp_path_factory.mktemp("songs") / "drums.wav")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def boxed(reel, monkeypatch) -> Path:
    monkeypatch.setattr(box, "_FOLDER", reel)
    return reel


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def words_of(film: Path) -> dict[str, str]:
    with av.open(str(film)) as container:
        return dict(container.metadata)


# -- looks and cuts --


def test_a_film_of_a_reel_tells_its_look_and_its_cuts(reel, song, here, capsys):
    out = here / "film.mp4"
    assert run("render", reel, song, "--out", out, "--look", "002-green", *SMALL) == 0
    film, look = capsys.readouterr().out.splitlines()
    told = r": 60 frames, 114x64, 10 fps, (\d+) cuts?, sound encoded \w+, torch-fp32"
    assert (found := re.fullmatch(re.escape(str(out)) + told, film)) is not None
    assert int(found[1]) > 1
    assert look == "look 002-green"
    assert words_of(out)["comment"].endswith("seed 0; look 002-green")
    whole = out.read_bytes()

    again = ("render", reel, song, "--out", out, "--look", "walk:2 s", "--json", *SMALL)
    assert run(*again) == 0
    result = json.loads(capsys.readouterr().out)
    (line,) = result["looks"]
    assert line.startswith("walk:2 s -> ")
    assert set(line.partition(" -> ")[2].split(", ")) <= set(LOOKS)
    assert result["cuts"] >= 1
    assert line in words_of(out)["comment"]
    assert out.read_bytes() != whole


def test_a_film_of_a_model_without_looks_tells_of_none(unet, song, here, capsys):
    assert run("render", unet, song, "--out", "film.mp4", "--stop", "1", *SMALL) == 0
    told = capsys.readouterr().out
    assert re.fullmatch(r"film.mp4: 10 frames, 64x64, 10 fps, sound \w+ \w+, torch-fp32\n", told)
    assert "look" not in words_of(Path("film.mp4"))["comment"]
    capsys.readouterr()
    assert run("render", unet, song, "--out", "two.mp4", "--look", "001-red") == 1
    assert "square: has no looks to choose from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("look", "says"), [("004-gold", '"004-gold"'), ("walk:often", "walk:often"), ("a:b", "a:b")]
)
def test_a_look_that_cannot_be_had_is_one_line(look, says, reel, song, here, capsys):
    assert run("render", reel, song, "--out", "film.mp4", "--look", look, *SMALL) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.strip().splitlines()) == 1
    assert says.strip('"') in told.err
    assert not list(here.iterdir())


# -- a song alone --


def test_a_song_alone_is_filmed_by_the_model_in_the_box(boxed, song, here, capsys):
    assert run("render", song, "--stop", "1", *SMALL) == 0
    assert capsys.readouterr().out.startswith("drums.mp4: 10 frames, 114x64")
    assert describe_model(boxed).weights_sha256[:12] in words_of(Path("drums.mp4"))["comment"]
    film = Path("drums.mp4").read_bytes()
    assert run("render", song, "--stop", "2", *SMALL) == 1, "nobody has named what is replaced"
    assert "drums.mp4: is there already" in capsys.readouterr().err
    assert Path("drums.mp4").read_bytes() == film
    assert run("render", song, "--stop", "2", "--out", "drums.mp4", *SMALL) == 0
    assert Path("drums.mp4").read_bytes() != film
    assert run("render", song, "--stop", "1", "--kind", "gif", *SMALL) == 0
    assert run("render", "--song", song, "--stop", "1", "--kind", "webm", *SMALL) == 0
    assert sorted(path.name for path in here.iterdir()) == ["drums.gif", "drums.mp4", "drums.webm"]


def test_a_song_that_is_a_film_is_never_filmed_over(boxed, here, capsys):
    clip = counting_clip(here / "clip.mp4", seconds=1)
    before = clip.read_bytes()
    assert run("render", "clip.mp4", *SMALL) == 1
    assert "clip.mp4: is there already: name the film with --out" in capsys.readouterr().err
    assert clip.read_bytes() == before


def test_without_a_model_in_the_box_a_song_alone_is_one_line(song, here, monkeypatch, capsys):
    monkeypatch.setattr(box, "_FOLDER", here / "box")
    assert run("render", song) == 1
    assert f"{here / 'box'}: no model came with this copy" in capsys.readouterr().err
    assert run("render", song, "--plan", "plan.toml") == 0, "a plan needs no model"


def test_more_of_a_song_alone(boxed, unet, song, here, capsys):
    songs = here / "songs"
    songs.mkdir()
    drums_here(songs / "one.wav", 2)
    few = ("--stop", "1", *SMALL)
    assert run("render", songs, *few) == 2
    assert "--out" in capsys.readouterr().err
    assert run("render", songs, "--out", "films", *few) == 0
    assert (here / "films" / "one.mp4").is_file()
    assert run("render", song, "--with", unet, "--out", "both.mp4", *few) == 0
    assert run("render", song, "--ab", song) == 2
    assert run("render", song, "--with", unet, "--plan", "plan.toml") == 0
    assert f'model = "{boxed}"' in Path("plan.toml").read_text()


@pytest.mark.parametrize("place", ["a model", "hf://owner/name", None])
def test_a_model_alone_is_wrong_usage(place, boxed, reel, here, capsys):
    given = [] if place is None else [reel if place == "a model" else place]
    assert run("render", *given) == 2
    assert "name a song" in capsys.readouterr().err


# -- look --


def test_a_look_is_learnt_from_pictures_and_filmed_in(reel, song, here, monkeypatch, capsys):
    monkeypatch.setattr(new_look, "_STEPS", 10)
    pictures = here / "dusk"
    pictures.mkdir()
    for n in range(3):
        Image.new("RGB", (64, 36), (150 + 30 * n, 90, 20)).save(pictures / f"{n}.png")
    before = describe_model(reel).weights_sha256
    assert run("look", pictures, "--model", reel, "--out", "more", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["name"], result["pictures"]) == ("dusk", 3)
    assert load_model("more").looks == (*LOOKS, "dusk")
    assert describe_model(reel).weights_sha256 == before
    film = ("--out", "film.mp4", "--look", "dusk", "--stop", "1", *SMALL)
    assert run("render", "more", song, *film) == 0
    assert capsys.readouterr().out.splitlines()[1] == "look dusk"
    assert run("look", pictures, "--model", reel, "--out", "more") == 1
    assert "more: is there already" in capsys.readouterr().err
    assert run("look", pictures, "--model", reel, "--out", "less", "--name", LOOKS[0]) == 1
    assert "give another --name" in capsys.readouterr().err


def test_what_no_look_can_be_learnt_for_is_one_line(unet, here, capsys):
    assert run("look", "nowhere", "--model", unet, "--out", "more") == 1
    assert "train one with --preset reel" in capsys.readouterr().err
    assert run("look", "nowhere") == 2


# -- remix --


def test_remix_tells_what_it_is_an_edit_of(song, here, capsys):
    clips = here / "clips"
    clips.mkdir()
    for name, tone_hz in (("one", 300), ("two", 700)):
        counting_clip(clips / f"{name}.mp4", seconds=4, tone_hz=tone_hz)
    assert run("remix", clips, "--song", song, "--out", "film.mp4", "--stop", "3") == 0
    film, note = capsys.readouterr().out.splitlines()
    assert re.match(r"film.mp4: 75 frames, 96x54, 25 fps, \d+ cuts?, sound ", film)
    assert note.startswith("an edit of existing footage made with Soundreel")
    assert note.endswith("pieces: film.edit.json")
    assert probe(Path("film.mp4")).audio is not None

    few = ("--start", "1", "--stop", "2", "--fps", "10", "--size", "48x28", "--json")
    for name in ("one", "two"):
        out = here / f"{name}.mp4"
        assert run("remix", clips, "--song", song, "--out", out, "--look", name, *few) == 0
        result = json.loads(capsys.readouterr().out)
        assert (result["frames"], result["width"], result["height"]) == (10, 48, 28)
        assert (result["fps"], result["clips"], result["cuts"] >= 0) == (10.0, [name], True)
        pieces = json.loads(Path(result["edit_list"]).read_text())["clips"]
        assert [one["id"] for one in pieces] == [name]


def test_what_cannot_be_remixed_is_one_line(song, here, capsys):
    assert run("remix", "--song", song, "--out", "film.mp4") == 1
    assert "name at least one video file" in capsys.readouterr().err
    assert run("remix", "nowhere.mp4", "--song", song, "--out", "film.mp4") == 1
    assert "nowhere.mp4" in capsys.readouterr().err
    assert run("remix", "a.mp4", "--song", song) == 2
