"""Training a `reel` on small pairs whose pictures follow their sound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from soundreel.cutting.habits import CuttingHabits
from soundreel.errors import SettingsError
from soundreel.networks.bundle import load_model
from soundreel.networks.reel import Reel
from soundreel.progress import Step
from soundreel.rendering.remembered import evened as film_evened
from soundreel.seeding import numpy_generator_for
from soundreel.training.evenly import spread
from soundreel.training.learner import check_reel, learner_for
from soundreel.training.moments import MomentBatches, crop_box, framed
from soundreel.training.presets import Training, training_preset
from soundreel.training.ranks import Alone
from soundreel.training.reel_step import (
    ReelNetworks,
    picture_shape,
    walked,
)
from soundreel.training.run import train_on_pairs
from soundreel.training.shot_tones import shot_tones
from soundreel.training.source import InMemory
from toy_pairs import toy_pairs, toy_settings

CPU = torch.device("cpu")


def reel_settings(**changes: Any) -> Training:
    values = {"architecture": "reel", "width": 8, "discriminator_width": 8, "l1_weight": 3.0}
    values |= {"beta1": 0.0, "beta2": 0.99, "learning_rate": 1e-3, "time_mask": 0.05}
    return toy_settings(**{**values, "band_mask": 0.05, **changes})


def networks_and_batches(settings: Training) -> tuple[ReelNetworks, MomentBatches]:
    pairs = toy_pairs(range(3))
    networks = ReelNetworks(settings, pairs, "fp32", CPU)
    source = InMemory(pairs, settings.seed)
    _, batches = learner_for(source, settings, "sound-to-picture", "fp32", CPU, Alone())
    assert isinstance(batches, MomentBatches)
    return networks, batches


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    settings = reel_settings(steps=40, batch=4, measure_every=20)
    train_on_pairs(toy_pairs(range(4)), toy_pairs(range(8, 10)), out, settings, device="cpu")
    return out


def test_it_learns(trained: Path) -> None:
    rows = [line for line in (trained / "metrics.jsonl").read_text().splitlines() if line]
    assert len(rows) == 2
    first, last = (json.loads(row) for row in rows)
    assert last["l1_loss"] < 0.8 * first["l1_loss"]
    assert {"motion_loss", "divergence_loss"} <= set(last)
    assert (trained / "samples" / "step-00000040.png").is_file()


def test_the_model_keeps_its_looks_its_cuts_and_its_memory(trained: Path) -> None:
    model = load_model(trained, "fp32", "cpu")
    assert model.architecture == "reel"
    assert model.looks == tuple(f"toy-{seed}" for seed in range(4))
    assert CuttingHabits.model_validate(model.habits).shots >= 0
    generator, pairs = model.generator, toy_pairs(range(4))
    assert isinstance(generator, Reel)
    known = generator.references
    assert np.array_equal(known.clip_R.numpy(), pairs.clip_N)
    assert np.allclose(known.seconds_R.numpy(), pairs.time_seconds_N)
    # What is remembered is what the saved weights see and hear, not what they once did.
    with torch.no_grad():
        sound_RA = generator.sound_codes(pairs.sound_images(range(len(pairs))))
    assert torch.allclose(known.sound_RA, sound_RA, atol=2e-2)
    # Codes are of the framed pictures: of the same shot alike, and of no other framing.
    seed = 0
    for place in (0, 9):
        rng = numpy_generator_for(seed, "shot framing", int(known.shot_R[place]))
        box, mirrored = crop_box(rng, 0.12), bool(rng.random() < 0.5)
        picture = framed(pairs.pictures([place]), [box], [mirrored], generator.layout.seen)
        with torch.no_grad():
            code_1Z = generator.layout_codes(picture)
        assert torch.allclose(known.code_RZ[place, :-4], code_1Z[0, :-4], atol=2e-2)
    tone_R4 = shot_tones(pairs, known.shot_R.numpy())
    assert torch.allclose(known.code_RZ[:, -4:], tone_R4, atol=2e-3)
    with torch.no_grad():
        whole_RZ = generator.layout_codes(pairs.pictures(range(len(pairs))))
    assert not torch.allclose(known.code_RZ, whole_RZ, atol=0.1)


def test_a_picture_of_the_model_does_not_depend_on_its_batch(trained: Path) -> None:
    model = load_model(trained, "fp32", "cpu")
    x_B1SS = toy_pairs(range(8, 9)).sound_images(range(4))
    together = model.pictures(x_B1SS, [0] * 4)
    alone = torch.cat([model.pictures(x_B1SS[n : n + 1], [5]) for n in range(4)])
    assert together.shape == (4, 3, 64, 64)
    assert torch.allclose(together, alone, atol=1e-5)


def test_a_stopped_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    pairs, held_out = toy_pairs(range(2)), toy_pairs(range(8, 10))
    settings = reel_settings(steps=8, measure_every=4, checkpoint_every=2)

    def stop_after_five(step: Step) -> None:
        if step.task == "train" and step.done == 5:
            raise KeyboardInterrupt

    train_on_pairs(pairs, held_out, tmp_path / "whole", settings, device="cpu")
    with pytest.raises(KeyboardInterrupt):
        train_on_pairs(
            pairs, held_out, tmp_path / "cut", settings, device="cpu", progress=stop_after_five
        )
    train_on_pairs(pairs, held_out, tmp_path / "cut", settings, device="cpu")
    whole, cut = (
        load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "cut")
    )
    assert whole.keys() == cut.keys()
    for name, tensor in whole.items():
        assert torch.equal(tensor, cut[name]), name


def test_every_part_learns_in_a_step() -> None:
    networks, batches = networks_and_batches(reel_settings(batch=4))
    before = {
        f"{name}.{key}": parameter.detach().clone()
        for name in ("generator", "discriminator")
        for key, parameter in getattr(networks, name).named_parameters()
    }
    networks.step(0, 2, batches.batch(0))
    losses = networks.step(1, 2, batches.batch(1))
    assert losses.shape == (len(networks.loss_names),)
    assert torch.isfinite(losses).all()
    # While no score has passed its hinge, real and made patches pull this bias equally hard.
    del before["discriminator.patch_score.bias"]
    for name in ("generator", "discriminator"):
        for key, parameter in getattr(networks, name).named_parameters():
            if f"{name}.{key}" not in before:
                continue
            assert not torch.equal(parameter, before[f"{name}.{key}"]), f"{name}.{key}"


def test_without_an_adversary_only_the_generator_learns() -> None:
    networks, batches = networks_and_batches(reel_settings(gan_weight=0.0))
    before = [p.detach().clone() for p in networks.discriminator.parameters()]
    losses = networks.step(0, 1, batches.batch(0))
    assert losses[:2].tolist() == [0, 0]
    for was, parameter in zip(before, networks.discriminator.parameters(), strict=True):
        assert torch.equal(was, parameter)


def test_the_average_look_is_learnt_when_looks_are_left_out() -> None:
    always = {"look_dropout": 0.99, "reference_dropout": 0.0}
    networks, batches = networks_and_batches(reel_settings(batch=4, reel=always))
    before_NL = networks.generator.look_NL.detach().clone()
    networks.step(0, 1, batches.batch(0))
    moved_N = (networks.generator.look_NL - before_NL).abs().sum(1) > 0
    assert moved_N.tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("aspect", "size", "shape"),
    [
        ("16/9", 256, (144, 256)),
        ("16/9", 128, (72, 128)),
        ("1", 64, (64, 64)),
        ("9/16", 128, (128, 72)),
        ("4/3", 512, (384, 512)),
        ("ignore", 64, (64, 64)),
    ],
)
def test_pictures_have_the_clips_own_shape(aspect: str, size: int, shape: tuple[int, int]) -> None:
    recipe = toy_pairs(range(1)).recipe
    shaped = type(recipe).model_validate({**recipe.model_dump(), "picture_aspect": aspect})
    assert picture_shape(reel_settings(size=size), shaped) == shape


def test_remembered_frames_are_spread_over_all_clips() -> None:
    pairs = toy_pairs(range(5), count=8)
    places = spread(len(pairs), 10)
    assert len(places) == 10
    assert np.bincount(pairs.clip_N[places]).tolist() == [2] * 5
    assert spread(len(pairs), 1000).tolist() == list(range(40))


def test_what_cannot_be_trained_is_said_in_one_line() -> None:
    source = InMemory(toy_pairs(range(1)), 0)
    with pytest.raises(SettingsError, match="from sound to picture"):
        check_reel(source, "picture-to-sound")
    with pytest.raises(SettingsError, match="settings of its own"):
        training_preset("reel", mirror=True)
    with pytest.raises(SettingsError, match="'eager'"):
        training_preset("reel", step_engine="graph")


def test_codes_are_evened_out_as_along_a_take() -> None:
    mean = torch.arange(4.0)[:, None, None, None] ** 2  # four frames of one moment, one number
    evened = walked(mean, torch.zeros(4, 1, 1, 1), torch.tensor([[0.5]]))
    assert evened.shape == (1, 2, 1)
    assert evened.flatten().tolist() == [(0 + 2 * 1 + 4) / 4 + 0.5, (1 + 2 * 4 + 9) / 4 + 0.5]
    # The same as a film's Hann window over a third of a second gives frames at 12 a second.
    code = (np.arange(5.0) ** 2)[:, None].astype(np.float16)
    film = film_evened(np.arange(5) / 12, code)
    assert film[1:3, 0].tolist() == pytest.approx([1.5, 4.5], abs=1e-2)
