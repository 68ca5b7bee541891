"""`ask --model --inverse` on models that are known: films that carry loudness, or nothing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import soundreel
from soundreel.asking import cycle_question, model_question, muted_songs
from soundreel.asking.cycle_page import cycle_json, cycle_section
from soundreel.asking.cycle_question import ask_cycle, film_frames, inverse_for
from soundreel.asking.settings import question_from
from soundreel.dataset.build import prepare
from soundreel.dataset.store import Dataset, open_dataset
from soundreel.errors import DatasetError, ModelError, SettingsError
from soundreel.networks.bundle import Model, load_model, save_model
from soundreel.networks.model_folder import Direction
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.sound.representation import sound_images
from soundreel.synthetic.corpus import make_corpus
from soundreel.synthetic.truth import PlantedTruth

RECIPE = recipe_from(
    "default", picture_size=64, every_seconds=Fraction(1, 2), held_out_fraction=0.86
)
QUESTION = question_from(
    draws=199, cycle_seconds="12", cycle_piece_seconds="4", cycle_fps="10", model_moments=16
)
STEPS: list[Any] = []


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    """Seven planted clips of 16 s; six are held out."""
    folder = tmp_path_factory.mktemp("planted")
    films = make_corpus(
        folder / "films",
        7,
        16.0,
        PlantedTruth(coupling=1.0),
        seed=8,
        width=64,
        height=36,
        fps=Fraction(8),
        genres=("synthwave", "house"),
    )
    return prepare(films, folder / "dataset", RECIPE)


class Plain(UNet):
    """A network that is a rule; its one weight says where it computes."""

    def __init__(self, rule: Any, in_channels: int) -> None:
        nn.Module.__init__(self)
        self.size, self.in_channels = 64, in_channels
        self.downs = nn.ModuleList([nn.Conv2d(1, 1, 1)])
        self.rule = rule

    @property
    def depends_on_noise(self) -> bool:
        return False

    def forward(self, x_BCHW: Tensor, masks: Any = ()) -> Tensor:
        return self.rule(x_BCHW).clamp(-1, 1)


def toy(rule: Any, direction: Direction) -> Model:
    channels = 1 if direction == "sound-to-picture" else 3
    return Model(Plain(rule, channels), RECIPE, direction, {}, Path("toy"), "fp32")


def listens(x_B1SS: Tensor) -> Tensor:
    """As bright as the newest eighth of the window is loud."""
    return (2 * x_B1SS[..., -8:].mean((1, 2, 3)) + 0.8)[:, None, None, None].expand(-1, 3, 64, 64)


def is_deaf(x_B1SS: Tensor) -> Tensor:
    return torch.full((len(x_B1SS), 3, 64, 64), 0.2)


@dataclass(frozen=True)
class PlaysTheLight(Model):
    """Composes noise that at each moment is as loud as the frame of that moment is bright."""

    @property
    def seen_before_seconds(self) -> tuple[Fraction, ...]:
        return tuple(Fraction(k, 10) for k in range(14, -1, -1))

    def sound_images(self, y_BF3HW: Tensor, seeds: Sequence[int], cue: Any = None) -> Tensor:
        level_B1F = y_BF3HW.mean((2, 3, 4))[:, None] * 0.5 - 0.4
        level_B1S = nn.functional.interpolate(level_B1F, 256, mode="nearest")
        return level_B1S[:, :, None].expand(-1, -1, 256, -1)


def composer() -> Model:
    return PlaysTheLight(Plain(is_deaf, 3), RECIPE, "picture-to-sound", {}, Path("toy"), "fp32")


def cycled(dataset: Dataset, rule: Any, out: Path):
    STEPS.clear()
    model = toy(rule, "sound-to-picture")
    return ask_cycle(dataset, model, composer(), out, QUESTION, STEPS.append)


def test_songs_are_told_by_films_that_are_as_bright_as_they_are_loud(dataset, tmp_path):
    answer = cycled(dataset, listens, tmp_path / "r.html")
    found = answer.found
    assert len(answer.songs) == 6
    assert found.seconds == 12
    assert found.pieces == 3
    assert found.recall_at_1 > 0.5
    assert found.p_swap < 0.01
    assert found.p_shift < 0.1, "twelve seconds cannot be turned by much"
    assert (found.verdict == "YES") == (found.p_value <= 0.05)
    assert answer.inverse_trained_here is None
    manifest = json.loads((tmp_path / "r.cycle.manifest.json").read_text())
    assert manifest["question"]["cycle_fps"] == "10"
    section = cycle_section(answer)
    assert ("A song is told" in section.paragraphs[1]) == (found.verdict == "YES")
    assert section.tables[1].rows[0][0] == answer.songs[0]
    numbers = json.loads(json.dumps(cycle_json(answer)))
    assert numbers["p_value"] == found.p_value
    filming = [step for step in STEPS if step.task.startswith("film unseen songs")]
    assert len(filming) > 40
    assert filming[-1].done == filming[-1].total == 6 * 120
    assert [step.done for step in filming] == sorted(step.done for step in filming)


def test_films_that_are_all_the_same_carry_nothing(dataset, tmp_path):
    found = cycled(dataset, is_deaf, tmp_path / "r.html").found
    assert found.p_value > 0.05
    assert found.recall_at_1 < 0.5
    assert found.verdict != "YES"


def test_a_film_for_the_composer_hears_what_a_model_hears(dataset):
    model = toy(listens, "sound-to-picture")
    sound_N = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * 44_100).astype(np.float32)
    sound_N[:44_100] *= 0.01
    frames = np.stack(list(film_frames(model, sound_N, Fraction(10), 0)))
    assert frames.shape == (20, 64, 64, 3)
    assert frames.dtype == np.uint8
    x_B1SS = sound_images(torch.from_numpy(sound_N), torch.tensor([0, 79_380]), RECIPE)
    expected = ((listens(x_B1SS).clamp(-1, 1) + 1) * 127.5).round()[:, 0, 0, 0]
    np.testing.assert_allclose([frames[0, 0, 0, 0], frames[18, 0, 0, 0]], expected, atol=1)
    assert frames[18].mean() > frames[9].mean() + 20


@pytest.mark.slow
def test_it_is_a_section_of_the_report_and_of_its_numbers(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(muted_songs, "_MOMENTS", 12)
    monkeypatch.setattr(
        model_question, "load_model", lambda place: toy(listens, "sound-to-picture")
    )
    monkeypatch.setattr(cycle_question, "load_model", lambda place: composer())
    out = tmp_path / "r.html"
    answer = soundreel.ask(
        dataset.folder, out=out, model="toy", inverse="toy", question=QUESTION, workers=1
    )
    page, numbers = out.read_text(), json.loads((tmp_path / "r.json").read_text())
    assert "Does the film carry the music?" in page
    assert page.index("Does the film carry the music?") < page.index("What was looked at")
    assert numbers["cycle"]["songs"] == answer.numbers["cycle"]["songs"]
    assert numbers["cycle"]["recall_at_1_chance"] == pytest.approx(1 / 6)


def untrained(folder: Path, direction: Direction) -> Path:
    inside, outside = (1, 3) if direction == "sound-to-picture" else (3, 1)
    arguments: dict[str, Any] = {
        "size": 64,
        "in_channels": inside,
        "out_channels": outside,
        "width": 4,
        "norm": "none",
    }
    torch.manual_seed(1)
    save_model(folder, UNet(**arguments), arguments, RECIPE, direction, {})
    return folder


def test_models_as_they_are_saved_can_be_asked(dataset, tmp_path):
    """Untrained, and so at chance or near."""
    forward = untrained(tmp_path / "forward", "sound-to-picture")
    backward = untrained(tmp_path / "backward", "picture-to-sound")
    answer = ask_cycle(
        dataset,
        load_model(forward),
        inverse_for(dataset.folder, backward),
        tmp_path / "r.html",
        question_from(draws=99, cycle_seconds="5", cycle_piece_seconds="2", cycle_fps="4"),
    )
    assert answer.found.likeness_VV.shape == (6, 6)
    assert answer.found.pieces == 2
    assert answer.found.verdict != "YES"
    assert answer.manifest["inverse"] != answer.manifest["model"]


def test_what_cannot_be_asked_is_one_line(dataset, tmp_path):
    forward = untrained(tmp_path / "forward", "sound-to-picture")
    backward = untrained(tmp_path / "backward", "picture-to-sound")
    out: dict[str, Any] = {"out": tmp_path / "r.html", "question": QUESTION, "workers": 1}
    with pytest.raises(ModelError, match=r"forward: this is a sound-to-picture .* --inverse"):
        soundreel.ask(dataset.folder, model=forward, inverse=forward, **out)
    with pytest.raises(ModelError, match=r"backward: this is a picture-to-sound"):
        soundreel.ask(dataset.folder, model=backward, inverse=backward, **out)
    with pytest.raises(SettingsError, match="--model, too"):
        soundreel.ask(dataset.folder, inverse=backward, **out)
    with pytest.raises(ModelError, match="nowhere"):
        soundreel.ask(dataset.folder, model=forward, inverse=tmp_path / "nowhere", **out)
    with pytest.raises(SettingsError, match="cycle_fps must be from 1 to 60"):
        question_from(cycle_fps="0.5")
    assert not (tmp_path / "r.manifest.json").exists(), "told before anything is asked"


def test_two_songs_are_too_few(dataset, tmp_path):
    rows = [json.loads(row) for row in (dataset.folder / "clips.jsonl").read_text().splitlines()]
    held_out = [row["id"] for row in rows if row["split"] != "train"][2:]
    folder = tmp_path / "dataset"
    folder.mkdir()
    for file in ("recipe.json", "README.md"):
        (folder / file).write_bytes((dataset.folder / file).read_bytes())
    (folder / "clips").symlink_to(dataset.folder / "clips")
    changed = [row | {"split": "train"} if row["id"] in held_out else row for row in rows]
    (folder / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in changed))
    backward = untrained(tmp_path / "backward", "picture-to-sound")
    with pytest.raises(DatasetError, match=r"holds out 2 clip\(s\).*held_out_fraction"):
        inverse_for(open_dataset(folder).folder, backward)
