"""`loop` as a person types it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cyclopts import App

from soundreel.command_line.looping import loop
from soundreel.errors import ModelError, SettingsError
from soundreel.media.sound import write_sound
from soundreel.networks.bundle import save_model
from soundreel.networks.model_folder import Direction
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from

SMALL = ("--fps", "6", "--compute", "torch-fp32", "--generations", "1")


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("loop")
    ways: list[tuple[str, Direction, int, int]] = [
        ("forward", "sound-to-picture", 1, 3),
        ("backward", "picture-to-sound", 3, 1),
    ]
    for name, direction, inside, outside in ways:
        arguments: dict[str, Any] = {"size": 64, "width": 4, "norm": "none"}
        arguments |= {"in_channels": inside, "out_channels": outside}
        torch.manual_seed(1)
        network = UNet(**arguments)
        save_model(folder / name, network, arguments, recipe_from(picture_size=64), direction, {})
    sound_N = np.random.default_rng(0).uniform(-0.4, 0.4, 50_000).astype(np.float32)
    write_sound(folder / "song.wav", sound_N, 44_100)
    return {name: str(folder / name) for name in ("song.wav", "forward", "backward")}


def typed(*arguments: object) -> int:
    app = App(result_action="return_value", exit_on_error=False, print_error=False)
    app.default(loop)
    return app([str(argument) for argument in arguments])


def test_a_loop_is_told_in_one_line_and_as_json(places, tmp_path, capsys):
    out = tmp_path / "around"
    way = ("--model", places["forward"], "--inverse", places["backward"], "--out", out)
    assert typed(places["song.wav"], *way, "--stop", "1", *SMALL) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{out / 'index.html'}: 2 films; ")
    assert said.count("\n") == 1
    assert typed(places["song.wav"], *way, "--stop", "1", *SMALL, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert Path(told["side_by_side"]).name == "generations.mp4"
    assert [one["number"] for one in told["generations"]] == [0, 1]
    assert set(told["generations"][1]["sound_from_first"]) == {"loudness", "onsets", "spectrum_db"}


def test_mistakes_are_lines(places, tmp_path):
    out = ("--out", tmp_path / "around")
    one = ("--model", places["forward"], "--inverse", places["forward"])
    with pytest.raises(ModelError, match="sound-to-picture model"):
        typed(places["song.wav"], *one, *out)
    way = ("--model", places["forward"], "--inverse", places["backward"])
    with pytest.raises(SettingsError, match="not a time"):
        typed(places["song.wav"], *way, *out, "--start", "soon")
