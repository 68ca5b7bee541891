"""`soundreel sonify` as a person meets it."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from cyclopts import App

from soundreel.command_line.sounds import loudness_lufs, sonify
from soundreel.errors import MediaError, SettingsError
from soundreel.media.writer import FilmWriter
from soundreel.networks.bundle import save_model
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    arguments = {"size": 64, "width": 4, "norm": "frozen-batch", "in_channels": 3}
    arguments |= {"out_channels": 1, "dropout_at_generation": False}
    torch.manual_seed(2)
    save_model(
        folder / "model", UNet(**arguments), arguments, recipe_from(), "picture-to-sound", {}
    )
    with FilmWriter(folder / "video.mp4", 64, 48, Fraction(10)) as writer:
        for n in range(10):
            writer.write(np.full((48, 64, 3), 20 * n, np.uint8))
    return folder


def command(*arguments):
    app = App(result_action="return_value", exit_on_error=False, print_error=False)
    app.command(sonify)
    return app(["sonify", *map(str, arguments)])


def test_a_song_in_one_line_and_as_json(place, tmp_path, capsys):
    out = tmp_path / "song.wav"
    assert command(place / "model", place / "video.mp4", "--out", out) == 0
    told = capsys.readouterr()
    assert told.out.startswith(f"{out}: 0:01, sound wav, -14.")
    assert told.out.count("\n") == 1
    assert told.err == ""
    assert command(place / "model", place / "video.mp4", "--out", out, "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert values["path"] == str(out)
    assert values["already_there"] is True
    assert values["seconds"] == 1.0
    assert values["loudness_lufs"] == pytest.approx(-14, abs=0.3)


def test_a_film_of_a_span_at_another_loudness(place, tmp_path, capsys):
    out = tmp_path / "film.mp4"
    wishes = ["--start", "0.2", "--stop", "0:00.9", "--loudness", "-20", "--seed", "4", "--json"]
    assert command(place / "model", place / "video.mp4", "--out", out, *wishes) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["seconds"] == 0.7
    assert (values["picture"], values["sound"]) == ("encoded h264", "encoded aac")
    assert values["loudness_lufs"] == pytest.approx(-20, abs=0.3)


def test_what_is_no_loudness_is_one_line():
    assert loudness_lufs("keep") is None
    assert loudness_lufs("-23") == -23
    for text in ("loud", "", "-14 LUFS"):
        with pytest.raises(SettingsError, match="write LUFS, such as -14, or keep"):
            loudness_lufs(text)


@pytest.mark.parametrize("text", ["nan", "inf", "0", "-200"])
def test_a_loudness_that_cannot_be_is_one_line(place, tmp_path, text):
    with pytest.raises(SettingsError, match="give -60 to -5 LUFS"):
        command(
            place / "model", place / "video.mp4", "--out", tmp_path / "a.wav", "--loudness", text
        )


def test_a_missing_video_is_one_line(place, tmp_path):
    with pytest.raises(MediaError, match=r"no\.mp4"):
        command(place / "model", tmp_path / "no.mp4", "--out", tmp_path / "a.wav")
