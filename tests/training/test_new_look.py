"""A look learnt from new pictures: the rest of the model stays as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from soundreel.errors import MediaError, ModelError, SettingsError
from soundreel.networks.bundle import load_model
from soundreel.networks.reel import Reel
from soundreel.training.new_look import learn_look, read_pictures
from soundreel.training.run import train_on_pairs
from toy_pairs import toy_pairs, toy_settings

COLOURS = {"red": (200, 30, 30), "blue": (20, 40, 220)}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A model that has seen two looks; so it has learnt that looks decide colours."""
    pairs = toy_pairs(range(2))
    frames = np.empty_like(pairs.frames_N3HW)
    for clip, colour in enumerate(COLOURS.values()):
        of_clip = pairs.clip_N == clip
        bar = pairs.frames_N3HW[of_clip][:, :1] / 255
        frames[of_clip] = (bar * np.array(colour)[:, None, None]).astype(np.uint8)
    pairs = type(pairs)(**{**vars(pairs), "frames_N3HW": frames})
    settings = toy_settings(
        architecture="reel",
        width=8,
        discriminator_width=8,
        batch=4,
        steps=200,
        learning_rate=5e-4,
        l1_weight=3.0,
        gan_weight=0.0,
        beta1=0.0,
        beta2=0.99,
        measure_every=200,
        checkpoint_every=200,
        sheet_every=200,
        # Bars that jump are cuts, so each would have a tone: here looks alone tell colours.
        reel={"tone": False},
    )
    out = tmp_path_factory.mktemp("runs") / "run"
    train_on_pairs(pairs, toy_pairs(range(0)), out, settings, device="cpu")
    return out


def bars(folder: Path, colour: tuple[int, int, int], size: tuple[int, int] = (64, 64)) -> Path:
    """Pictures of bars of one colour."""
    folder.mkdir()
    rows = np.linspace(1, 0, size[0])[:, None, None]
    for number, level in enumerate((0.2, 0.5, 0.8)):
        bar = np.exp(-(((rows - level) / 0.15) ** 2)) * np.ones((1, size[1], 1))
        Image.fromarray((bar * np.array(colour)).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


def test_a_new_look_draws_its_pictures_better_than_the_average(model: Path, tmp_path: Path) -> None:
    found = learn_look(bars(tmp_path / "azure", (20, 40, 220)), model, tmp_path / "m")
    assert found.name == "azure"
    assert found.pictures == 3
    assert found.l1 < 0.9 * found.average_l1
    before, after = load_model(model, "fp32", "cpu"), load_model(tmp_path / "m", "fp32", "cpu")
    old, new = before.generator, after.generator
    assert isinstance(old, Reel)
    assert isinstance(new, Reel)
    assert after.looks == (*before.looks, "azure")
    assert after.habits == before.habits
    # All else is as it was: the clips' looks, the average one, and every weight.
    assert torch.equal(new.look_NL[:-2], old.look_NL[:-1])
    assert torch.equal(new.look_NL[-1], old.look_NL[-1])
    others = {k: v for k, v in new.state_dict().items() if "reference" not in k and k != "look_NL"}
    for key, value in others.items():
        assert torch.equal(value, old.state_dict()[key]), key
    known = new.references
    assert (known.clip_R[-3:] == 2).all()
    assert len(known.shot_R.unique()) == len(old.references.shot_R.unique()) + 3
    # It is nearer to the look of its own colour than to the other one.
    red, blue = old.look_NL[:2]
    learnt = new.look_NL[2]
    assert (learnt - blue).norm() < (learnt - red).norm()


@pytest.mark.slow
def test_the_same_pictures_teach_the_same_look(model: Path, tmp_path: Path) -> None:
    pictures = bars(tmp_path / "pictures", (200, 30, 30))
    looks = []
    for name in ("one", "other"):
        learn_look(pictures, model, tmp_path / name, name=name)
        generator = load_model(tmp_path / name, "fp32", "cpu").generator
        assert isinstance(generator, Reel)
        looks.append(generator.look_NL[2])
    assert torch.equal(looks[0], looks[1])


def test_pictures_are_cropped_to_the_models_shape_and_others_are_said(tmp_path: Path) -> None:
    folder = bars(tmp_path / "pictures", (200, 30, 30), size=(64, 200))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not asked for")
    pictures, left_out = read_pictures(folder, (36, 64))
    assert pictures.shape == (3, 3, 36, 64)
    assert len(left_out) == 1
    assert "broken.jpg" in left_out[0]


def test_a_picture_is_seen_as_it_was_taken(tmp_path: Path) -> None:
    upright = np.zeros((64, 36, 3), np.uint8)
    upright[:20] = 255  # the sky is above
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side: turn by 90 degrees to look at it
    Image.fromarray(np.rot90(upright)).save(tmp_path / "photo.png", exif=exif)
    picture, _ = read_pictures(tmp_path / "photo.png", (64, 36))
    assert picture[0, :, :18].min() > 0.9
    assert picture[0, :, 24:].max() < -0.9


def test_what_is_wrong_is_said_in_one_line(model: Path, tmp_path: Path) -> None:
    pictures = bars(tmp_path / "pictures", (200, 30, 30))
    with pytest.raises(SettingsError, match="has a look of that name"):
        learn_look(pictures, model, tmp_path / "m", name="toy-0")
    with pytest.raises(SettingsError, match="no comma or colon"):
        learn_look(pictures, model, tmp_path / "m", name="a:0.5")
    with pytest.raises(SettingsError, match="there already"):
        learn_look(pictures, model, model)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match="holds no picture"):
        learn_look(tmp_path / "empty", model, tmp_path / "m")
    with pytest.raises(MediaError, match="no such file"):
        learn_look(tmp_path / "nowhere", model, tmp_path / "m")
    plain = tmp_path / "plain"
    train_on_pairs(
        toy_pairs(range(1)), toy_pairs(range(0)), plain, toy_settings(steps=1), device="cpu"
    )
    with pytest.raises(ModelError, match="has no looks"):
        learn_look(pictures, plain, tmp_path / "m")
    assert not (tmp_path / "m").exists()
