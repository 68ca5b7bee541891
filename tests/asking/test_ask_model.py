"""`ask --model` on models that are known: one that listens, one that is deaf, one that copies."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import soundreel
from soundreel.asking import model_question, muted_songs
from soundreel.asking.settings import question_from
from soundreel.dataset.build import prepare
from soundreel.dataset.loading import load_pairs
from soundreel.dataset.store import open_dataset
from soundreel.errors import DatasetError, ModelError
from soundreel.networks.bundle import Model, save_model
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.synthetic.corpus import make_corpus
from soundreel.synthetic.truth import PlantedTruth
from soundreel.training.run import train

RECIPE = recipe_from(
    "default",
    picture_size=64,
    every_seconds=Fraction(1, 4),
    held_out_fraction=0.5,
    picture_aspect=Fraction(16, 9),
)
QUESTION = question_from(draws=199)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Twelve planted clips whose picture is a function of the music; six are held out."""
    folder = tmp_path_factory.mktemp("planted")
    films = make_corpus(
        folder / "films",
        12,
        20.0,
        PlantedTruth(coupling=1.0),
        seed=5,
        width=64,
        height=36,
        fps=Fraction(8),
        genres=("synthwave",),
    )
    return prepare(films, folder / "dataset", RECIPE)


class Toy(nn.Module):
    """A generator of 64 x 64 pictures, made of what it hears by a plain rule."""

    size, in_channels, depends_on_noise = 64, 1, False

    def __init__(self, rule: Any) -> None:
        super().__init__()
        self.downs = nn.ModuleList([nn.Conv2d(1, 1, 1)])
        self.rule = rule

    def forward(self, x_B1SS: Tensor, _: Any) -> Tensor:
        return self.rule(x_B1SS).clamp(-1, 1)


def loudness_of(x_B1SS: Tensor) -> Tensor:
    """About how loud the end of the window is: B x 1 x 1 x 1."""
    return x_B1SS[..., -16:].mean((1, 2, 3))[:, None, None, None]


def listens(x_B1SS: Tensor) -> Tensor:
    return (2 * loudness_of(x_B1SS) + 0.6).expand(-1, 3, 64, 64)


def is_deaf(x_B1SS: Tensor) -> Tensor:
    return torch.full((len(x_B1SS), 3, 64, 64), -0.3)


def is_erratic(x_B1SS: Tensor) -> Tensor:
    """Another picture for every sound, in no order that has to do with it."""
    drawn_B = torch.frac(1e4 * loudness_of(x_B1SS)).abs()
    return (drawn_B - 0.8).expand(-1, 3, 64, 64)


def ask(dataset, rule, monkeypatch, out, **more) -> Any:
    toy = Model(cast(UNet, Toy(rule)), dataset.recipe, "sound-to-picture", {}, Path("toy"), "fp32")
    monkeypatch.setattr(model_question, "load_model", lambda place: toy)
    monkeypatch.setattr(muted_songs, "_MOMENTS", 12)  # thousands of pictures else
    return soundreel.ask(dataset.folder, out=out, model="toy", question=QUESTION, workers=1, **more)


def test_a_model_that_listens_uses_the_music(dataset, monkeypatch, tmp_path):
    answer = ask(dataset, listens, monkeypatch, tmp_path / "r.html")
    numbers = answer.numbers["model"]
    assert answer.verdict == "uses the music"
    assert numbers["p_value"] <= 0.05
    assert numbers["ci_95"][0] > 0
    assert numbers["two_afc"] > 0.55
    assert numbers["memorisation"] == "does not copy"
    assert "low" in answer.numbers["muting"]["parts"]
    matrix = np.array(numbers["matrix_song_by_video"])
    assert matrix.shape == (6, 6)
    assert "looks" not in answer.numbers  # it has none to choose from
    assert numbers["sliced_wasserstein_in_look"] > 0
    page = (tmp_path / "r.html").read_text()
    assert "It uses the music" in page
    assert json.loads((tmp_path / "r.json").read_text())["kind"] == "model"


@pytest.mark.slow
def test_a_reel_is_asked_of_the_films_that_it_would_make(dataset, monkeypatch, tmp_path):
    """Hardly trained, so nothing is to be said of its verdict; its control is a `reel` too."""
    monkeypatch.setattr(muted_songs, "_MOMENTS", 12)
    small = {"size": 64, "width": 4, "discriminator_width": 4, "batch": 2, "steps": 2}
    small |= {"reel": {"consecutive": 1, "references": 200}}
    train(dataset.folder, tmp_path / "run", "reel", changes=small)
    answer = soundreel.ask(
        dataset.folder,
        out=tmp_path / "r.html",
        model=tmp_path / "run",
        controls=1,
        question=QUESTION,
        workers=1,
    )
    numbers = answer.numbers["model"]
    assert len(numbers["controls"]) == 1
    control = json.loads((tmp_path / "r.controls" / "0" / "run" / "config.json").read_text())
    assert control["settings"]["reel"]["references"] == 200
    looks, names = answer.numbers["looks"], load_pairs(dataset, "train").clip_ids
    assert set(answer.numbers["look_of_song"].values()) <= set(names)
    assert sum(look["songs"] for look in looks) == 6
    usefulness = sum(look["songs"] * look["usefulness"] for look in looks) / 6
    assert usefulness == pytest.approx(numbers["usefulness"])
    realism = sum(look["songs"] * look["realism"] for look in looks) / 6
    assert realism == pytest.approx(numbers["sliced_wasserstein_in_look"])
    assert numbers["sliced_wasserstein_in_look"] > 2 * numbers["sliced_wasserstein_in_look_real"]
    page = (tmp_path / "r.html").read_text()
    assert "Within a look" in page
    assert "look of" in page


def test_a_deaf_model_ignores_the_song(dataset, monkeypatch, tmp_path):
    answer = ask(dataset, is_deaf, monkeypatch, tmp_path / "r.html")
    assert answer.verdict == "ignores the song"
    assert answer.numbers["model"]["sensitivity"] == 0


@pytest.mark.slow
def test_an_erratic_model_is_not_said_to_use_it(dataset, monkeypatch, tmp_path):
    answer = ask(dataset, is_erratic, monkeypatch, tmp_path / "r.html")
    assert answer.verdict in ("responds, but not usefully", "undecided")
    assert answer.numbers["model"]["sensitivity"] > 0.05


def test_a_model_that_copies_training_frames_is_caught(dataset, monkeypatch, tmp_path):
    frames = torch.from_numpy(np.array(load_pairs(dataset, "train").frames_N3HW))

    def copies(x_B1SS: Tensor) -> Tensor:
        place_B = (torch.frac(1e4 * loudness_of(x_B1SS)).abs().flatten() * len(frames)).long()
        return frames[place_B].float() / 127.5 - 1

    answer = ask(dataset, copies, monkeypatch, tmp_path / "r.html")
    assert answer.numbers["model"]["memorisation"] == "copies"
    assert answer.numbers["model"]["copy_rate"] > 0.8
    assert "Does it copy? It copies" in (tmp_path / "r.html").read_text()


def test_songs_that_were_trained_on_make_it_invalid(tmp_path, monkeypatch):
    """The same songs on both sides of the split: by hand, since `prepare` would not do it."""
    films = make_corpus(
        tmp_path / "films",
        4,
        20.0,
        PlantedTruth(coupling=1.0, duplicate_songs=True),
        width=64,
        height=36,
        fps=Fraction(8),
    )
    made = prepare(films, tmp_path / "dataset", RECIPE)
    rows = (made.folder / "clips.jsonl").read_text().splitlines()
    splits = ["train", "train", "val", "val"]  # 0 and 2 share a song, 1 and 3 do
    changed = [
        json.dumps({**json.loads(row), "split": split})
        for row, split in zip(rows, splits, strict=True)
    ]
    (made.folder / "clips.jsonl").write_text("\n".join(changed) + "\n")
    answer = ask(open_dataset(made.folder), listens, monkeypatch, tmp_path / "r.html")
    assert answer.verdict == "INVALID"
    assert "same song" in " ".join(answer.numbers["leaks"])


def test_what_a_model_cannot_be_asked_with_is_one_line(dataset, tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="run folder"):
        ask(dataset, listens, monkeypatch, tmp_path / "r.html", controls=1)
    arguments: dict[str, Any] = {
        "size": 64,
        "in_channels": 1,
        "out_channels": 3,
        "width": 4,
        "norm": "none",
    }
    network = UNet(**arguments)
    other = recipe_from("mel", picture_size=64)
    save_model(tmp_path / "mel", network, arguments, other, "sound-to-picture", {})
    monkeypatch.undo()
    with pytest.raises(ModelError, match="representation"):
        soundreel.ask(dataset.folder, out=tmp_path / "r.html", model=tmp_path / "mel")
    with pytest.raises(soundreel.SoundreelError, match="no dataset folder"):
        soundreel.ask(tmp_path, out=tmp_path / "r.html", model=tmp_path / "mel")


def test_a_dataset_that_holds_nothing_out_is_one_line(tmp_path, monkeypatch, dataset):
    films = sorted((dataset.folder.parent / "films").glob("*.mp4"))[:3]
    alone = RECIPE.model_copy(update={"held_out_fraction": 0.0})
    made = prepare(films, tmp_path / "dataset", alone)
    with pytest.raises(DatasetError, match="holds out 0"):
        ask(made, listens, monkeypatch, tmp_path / "r.html")
