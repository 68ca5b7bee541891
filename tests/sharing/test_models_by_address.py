"""`hf://owner/name` wherever a model is taken: pulled once, and called by its name."""

import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

import soundreel
from models_to_share import hub_here, model_here, run_here
from soundreel.asking import muted_songs, verb
from soundreel.cli import main
from soundreel.errors import ModelError, SharingError
from soundreel.media.sound import write_sound
from soundreel.networks.bundle import describe_model, save_model
from soundreel.networks.unet import UNet
from soundreel.rendering.many import render_songs
from soundreel.sharing.address import HubAddress
from soundreel.sharing.pull import pull
from soundreel.sharing.pulled import pulled_from
from textured_clips import small_recipe, textured_clip

SHORT = {"stop_seconds": Fraction(1), "fps": Fraction(5), "compute": "torch-fp32"}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with hub_here(tmp_path, monkeypatch) as here:
        yield here


@pytest.fixture
def song(tmp_path) -> Path:
    place = tmp_path / "songs" / "song.wav"
    place.parent.mkdir()
    write_sound(place, np.random.default_rng(0).uniform(-0.3, 0.3, 88_200).astype("f4"), 44_100)
    return place


def holds(hub, name: str, folder: Path) -> Path:
    """Put a model folder on the Hub."""
    hub.holds(name, {path.name: path.read_bytes() for path in folder.iterdir()})
    return folder


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def comment(film: Path) -> str:
    with av.open(str(film)) as container:
        return container.metadata["comment"]


def test_a_film_of_a_pulled_model_is_that_of_its_folder_and_names_it(hub, tmp_path, song):
    folder = holds(hub, "me/dusk", model_here(tmp_path / "dusk"))
    films = {
        name: soundreel.render(place, song, tmp_path / f"{name}.mp4", **SHORT)
        for name, place in (("here", folder), ("there", "hf://me/dusk"))
    }
    assert films["there"].path.read_bytes() == films["here"].path.read_bytes()
    assert f"model dusk ({describe_model(folder).weights_sha256[:12]})" in comment(
        films["there"].path
    )


def test_models_in_turns_and_songs_in_a_folder(hub, tmp_path, song):
    holds(hub, "me/dusk", model_here(tmp_path / "a"))
    holds(hub, "you/dusk", model_here(tmp_path / "b", seed=1))
    film = tmp_path / "film.mp4"
    turns = ("--with", "hf://you/dusk", "--stop", "1", "--fps", "5", "--compute", "torch-fp32")
    assert run("render", "hf://me/dusk", song, "--out", film, *turns, "--grid") == 0
    assert "model dusk (" in comment(film)
    assert "dusk (2) (" in comment(film), "two of one name are told apart"
    weights = {describe_model(tmp_path / name).weights_sha256[:12] for name in "ab"}
    assert all(one in comment(film) for one in weights)

    out = tmp_path / "films"
    wishes = {**SHORT, "others": ["hf://you/dusk"], "grid": True}
    made = render_songs("hf://me/dusk", song.parent, out, **wishes)
    assert [one.path.name for one in made.films] == ["song.mp4"]
    asked = len(hub.asked)
    again = render_songs("hf://me/dusk", song.parent, out, **wishes)
    assert [one.name for one in again.there] == ["song.mp4"]
    assert len(hub.asked) - asked == 2, "each model is looked up once, not once a song"


def test_a_blind_pair_of_a_pulled_model(hub, tmp_path, song):
    holds(hub, "me/dusk", model_here(tmp_path / "a"))
    other = tmp_path / "other.wav"
    write_sound(other, np.random.default_rng(1).uniform(-0.5, 0.5, 88_200).astype("f4"), 44_100)
    few = ("--stop", "1", "--fps", "5", "--compute", "torch-fp32")
    assert run("render", "hf://me/dusk", song, "--ab", other, "--out", tmp_path / "ab", *few) == 0


def test_a_model_that_is_not_there_is_one_line(hub, tmp_path, song, capsys):
    out = tmp_path / "film.mp4"
    assert run("render", "hf://me/gone", song, "--out", out) == 1
    assert "hf://me/gone: there is no such model" in capsys.readouterr().err
    with pytest.raises(SharingError, match="not the address of a model"):
        soundreel.render("hf://gone", song, out)
    with pytest.raises(SharingError, match="not the address of a model"):
        soundreel.render(model_here(tmp_path / "m"), song, out, others=["hf://gone"])
    assert not out.exists()


def test_a_wrong_wish_is_told_before_anything_is_pulled(hub, tmp_path, song):
    with pytest.raises(soundreel.SoundreelError, match="a:b"):
        soundreel.render("hf://me/m", song, tmp_path / "film.mp4", look="a:b")
    assert not hub.asked


def test_push_and_render_as_a_person_types_them(hub, tmp_path, song, monkeypatch, capsys):
    made = run_here(tmp_path / "run")
    film = tmp_path / "film.mp4"
    few = ("--stop", "1", "--fps", "5", "--compute", "torch-fp32")
    assert run("render", made, song, "--out", film, *few) == 0
    capsys.readouterr()
    assert run("push", made, "me/m") == 1
    assert "HF_TOKEN" in capsys.readouterr().err
    monkeypatch.setenv("HF_TOKEN", "good")
    assert run("push", made, "me/m", "--film", film, "--no-sheet", "--private") == 0
    assert capsys.readouterr().out.startswith("pushed hf://me/m (README.md, config.json, film.mp4")
    assert hub.repositories["me/m"].private
    assert "sheet.png" not in hub.files("me/m")
    assert run("push", made, "me/m", "--film", film, "--json") == 0
    assert "sheet.png" in json.loads(capsys.readouterr().out)["files"]
    assert run("render", "hf://me/m", song, "--out", tmp_path / "again.mp4", *few) == 0
    assert run("push", made, "m") == 1
    assert "not the address of a model" in capsys.readouterr().err
    assert run("push", made) == 2


def test_a_pulled_model_is_asked_and_called_by_its_address(hub, tmp_path, monkeypatch):
    folder = holds(hub, "me/dusk", model_here(tmp_path / "m"))
    (tmp_path / "recipe.json").write_text("{}")
    told = []

    def asked(dataset, place, *_):
        assert describe_model(place).weights_sha256 == describe_model(folder).weights_sha256
        return SimpleNamespace(model=SimpleNamespace(folder=place), verdict="undecided")

    monkeypatch.setattr(verb, "ask_model", asked)
    monkeypatch.setattr(verb, "model_report", lambda answer, title, when: told.append(title))
    monkeypatch.setattr(verb, "model_json", lambda answer: {})
    monkeypatch.setattr(verb, "_written", lambda out, kind, report, numbers, *_: numbers)
    for place, name in (("hf://me/dusk", "hf://me/dusk"), (folder, "m")):
        numbers = soundreel.ask(tmp_path, model=place, out=tmp_path / "r.html")
        assert numbers == {"name": name}
        assert told[-1] == f"Does {name} use the music?"


@pytest.mark.slow
def test_a_report_is_called_by_the_address(hub, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(muted_songs, "_MOMENTS", 8)  # thousands of pictures else
    recipe = small_recipe(held_out_fraction=0.5, every_seconds="1/2")
    clips = [textured_clip(tmp_path / f"{n}.mp4", n, seconds=16) for n in range(4)]
    dataset = soundreel.prepare(clips, tmp_path / "dataset", recipe)
    arguments = {"size": 64, "width": 4, "norm": "frozen-batch", "in_channels": 1}
    save_model(tmp_path / "m", UNet(**arguments), arguments, recipe, "sound-to-picture", {})
    holds(hub, "me/dusk", tmp_path / "m")
    out = tmp_path / "r.html"
    few = ("--draws", "99", "--workers", "1")
    assert run("ask", dataset.folder, "--model", "hf://me/dusk", "--out", out, *few) == 0
    assert json.loads(out.with_suffix(".json").read_text())["name"] == "hf://me/dusk"
    assert "Does hf://me/dusk use the music?" in out.read_text()
    capsys.readouterr()
    assert run("ask", "--against", out, "--out", tmp_path / "all.html") == 0
    assert "hf://me/dusk" in capsys.readouterr().out


def test_a_pulled_model_as_an_onnx_file(hub, tmp_path, capsys):
    pytest.importorskip("onnxscript")
    holds(hub, "me/dusk", model_here(tmp_path / "m"))
    out = tmp_path / "m.onnx"
    assert run("export", "hf://me/dusk", "--to", "onnx", "--out", out) == 0
    assert capsys.readouterr().out.startswith(f"{out}: sound batch x 1 x 64 x 64 -> picture")
    assert out.is_file()
    assert run("export", tmp_path / "nowhere", "--to", "onnx", "--out", out) == 1
    assert run("export", tmp_path / "m", "--to", "pairs", "--out", tmp_path / "pairs") == 1
    assert run("export", tmp_path / "m", "--to", "cake", "--out", tmp_path / "pairs") == 2


def test_a_look_for_a_model_without_looks_names_it(hub, tmp_path, capsys):
    holds(hub, "me/dusk", model_here(tmp_path / "m"))
    assert run("look", tmp_path, "--model", "hf://me/dusk", "--out", tmp_path / "new") == 1
    assert "--preset reel" in capsys.readouterr().err


def test_only_folders_of_the_cache_come_from_an_address(hub, tmp_path):
    holds(hub, "me/dusk", model_here(tmp_path / "m"))
    assert pulled_from(pull("hf://me/dusk")) == HubAddress("me", "dusk")
    for place in ("runs/first", "run/snapshots/epoch-95", "models--x/snapshots/1", "/", "."):
        assert pulled_from(Path(place)) is None
    with pytest.raises(ModelError, match="no such folder"):
        soundreel.render(tmp_path / "gone", tmp_path / "song.wav", tmp_path / "film.mp4")
