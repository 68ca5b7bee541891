"""Engines: the same pictures as float32 as far as the gate asks, the same bits every time."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from soundreel.errors import ModelError
from soundreel.networks.bundle import load_model, save_model
from soundreel.networks.model_folder import Direction
from soundreel.networks.norms import Norm
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.rendering.engines import (
    GATE_PSNR_DB,
    EngineUnavailable,
    choose_engine,
    open_engine,
    to_frames,
    trial,
)
from soundreel.rendering.engines.gate import all_frames, fidelity

pytestmark = pytest.mark.usefixtures("two_threads")  # an engine has a lane for each

RECIPE = recipe_from()
ARGUMENTS = {
    "size": 64,
    "width": 8,
    "in_channels": 1,
    "norm": "frozen-batch",
    "dropout_at_generation": False,
}
ON_THE_CPU = ["torch-fp32", "torch-bf16", "openvino-bf16", "openvino-int8"]


def lively(**changes) -> UNet:
    """A network with random weights whose pictures depend on its input, as trained ones do."""
    torch.manual_seed(0)
    network = UNet(**{**ARGUMENTS, **changes})
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.weight.mul_(3)
            if isinstance(module, Norm) and module.kind == "frozen-batch":
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.1, 0.5)
    return network


def saved(place: Path, direction: Direction = "sound-to-picture", **changes) -> Path:
    save_model(place, lively(**changes), {**ARGUMENTS, **changes}, RECIPE, direction, {})
    return place


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return saved(tmp_path_factory.mktemp("models") / "lively")


@pytest.fixture(scope="module")
def windows() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    level = torch.rand(11, 1, 1, 1, generator=generator) * 2 - 1
    return (level + 0.4 * torch.randn(11, 1, 256, 256, generator=generator)).clamp(-1, 1)


SEEDS = list(range(11))


@pytest.fixture(scope="module")
def truth(folder, windows) -> np.ndarray:
    return to_frames(load_model(folder, "fp32", "cpu").pictures(windows, SEEDS))


@pytest.fixture(scope="module", params=ON_THE_CPU)
def engine(request, folder):
    if request.param.startswith("openvino"):
        pytest.importorskip("openvino")
    return open_engine(request.param, folder, "cpu")


def test_pictures_are_like_float32(engine, windows, truth):
    assert truth.std() > 10, "pictures of nothing would all be alike"
    found = fidelity(engine, windows, SEEDS, truth)
    assert found.psnr_db > {"torch-fp32": 70, "openvino-int8": GATE_PSNR_DB}.get(engine.name, 42)
    assert found.worst_db <= found.psnr_db


def test_frames_are_the_bytes_of_what_run_returns(engine, windows):
    part = windows[: engine.batch]
    y_B3HW = engine.run(part, SEEDS[: engine.batch])
    assert y_B3HW.dtype == torch.float32
    assert y_B3HW.shape == (engine.batch, 3, 64, 64)
    frames = engine.frames(part, SEEDS[: engine.batch])
    assert frames.dtype == np.uint8
    # A value that lies half way between two bytes may go either way.
    apart = np.abs(frames.astype(int) - to_frames(y_B3HW))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-4


def test_a_picture_has_the_same_bits_every_time_and_in_every_place(engine, windows, folder):
    part, seeds = windows[:8], SEEDS[:8]
    frames = engine.frames(part, seeds)
    np.testing.assert_array_equal(engine.frames(part, seeds), frames)
    order = [3, 1, 7, 0, 2, 6, 5, 4]
    moved = engine.frames(part[order], [seeds[place] for place in order])
    np.testing.assert_array_equal(moved, frames[order])
    for count in (1, 3):
        np.testing.assert_array_equal(engine.frames(part[:count], seeds[:count]), frames[:count])
    again = open_engine(engine.name, folder, "cpu")
    np.testing.assert_array_equal(again.frames(part, seeds), frames)


def test_an_engine_takes_no_more_than_its_batch(engine, windows):
    with pytest.raises(ValueError, match=f"9 windows: give from 1 to {engine.batch}"):
        engine.frames(windows[:9], SEEDS[:9])
    with pytest.raises(ValueError, match="2 seeds for 3 windows"):
        engine.run(windows[:3], SEEDS[:2])
    with pytest.raises(ValueError, match="0 windows"):
        engine.run(windows[:0], [])


def test_what_the_network_takes_goes_in_as_well(engine, windows):
    network_input = torch.nn.functional.avg_pool2d(windows[:2], 4)
    np.testing.assert_allclose(
        engine.run(network_input, SEEDS[:2]), engine.run(windows[:2], SEEDS[:2]), atol=0.05
    )


@pytest.mark.parametrize("name", ["openvino-bf16", "openvino-int8"])
def test_three_channels_and_biases(tmp_path, windows, name):
    pytest.importorskip("openvino")
    changes = {"in_channels": 3, "bias_before_norm": False, "size": 128, "width": 4}
    place = saved(tmp_path / "model", **changes)
    truth = to_frames(load_model(place, "fp32", "cpu").pictures(windows[:4], SEEDS[:4]))
    found = fidelity(open_engine(name, place), windows[:4], SEEDS[:4], truth)
    assert found.passes


def test_the_gate_refuses_a_spoiled_engine(folder, windows, truth):
    good = open_engine("torch-fp32", folder, "cpu")
    assert fidelity(good, windows, SEEDS, truth).psnr_db > 80

    def noisy(x_B1SS, seeds, cue_BK=None):
        y_B3HW = good.run(x_B1SS, seeds)
        return y_B3HW + 0.08 * torch.randn(y_B3HW.shape, generator=torch.Generator())

    def noisy_frames(x_B1SS, seeds, cue_BK=None):
        return to_frames(noisy(x_B1SS, seeds))

    found = fidelity(replace(good, run=noisy, frames=noisy_frames), windows, SEEDS, truth)
    # A deviation of 0.08 is one of 10.2 steps of 255, cut off where the range ends.
    assert 20 * np.log10(255 / 10.2) - 0.1 < found.psnr_db < 32
    assert not found.passes


def test_the_gate_refuses_what_is_no_number_though_the_bytes_are_right(folder, windows, truth):
    good = open_engine("torch-fp32", folder, "cpu")

    def broken(x_B1SS, seeds, cue_BK=None):
        y_B3HW = good.run(x_B1SS, seeds).clone()
        y_B3HW[0, 0, 0, 0] = float("nan")
        return y_B3HW

    assert not fidelity(replace(good, run=broken), windows, SEEDS, truth).passes


def test_one_bad_picture_is_told_apart(folder, windows, truth):
    good = open_engine("torch-fp32", folder, "cpu")
    spoiled = truth.copy()
    spoiled[4] = np.where(spoiled[4] < 128, spoiled[4] + 20, spoiled[4] - 20)
    found = fidelity(good, windows, SEEDS, spoiled)
    assert found.worst_db == pytest.approx(20 * np.log10(255 / 20), abs=1e-6)
    assert found.psnr_db == pytest.approx(found.worst_db + 10 * np.log10(len(truth)), abs=1e-6)


def test_auto_takes_an_engine_that_passed_and_says_why_others_are_not_used(folder, windows):
    choice = choose_engine(folder, windows, SEEDS)
    (used,) = [one for one in choice.trials if one.used]
    assert used.name == choice.engine.name
    assert used.psnr_db is None or used.psnr_db >= GATE_PSNR_DB
    timed = [one.ms_per_frame for one in choice.trials if one.ms_per_frame is not None]
    assert used.ms_per_frame is not None
    assert used.ms_per_frame <= 1.3 * min(timed)
    by_name = {one.name: one for one in choice.trials}
    assert "only used when asked for" in by_name["compiled"].reason
    assert len(choice.table().splitlines()) == len(choice.trials) == 5


@pytest.mark.parametrize("name", ["openvino-bf16", "torch-bf16"])
def test_an_engine_that_is_asked_for_is_taken_untimed_if_it_passes(folder, windows, name):
    if name.startswith("openvino"):
        pytest.importorskip("openvino")
    choice = choose_engine(folder, windows, SEEDS, name)
    assert choice.engine.name == name
    (only,) = choice.trials
    assert only.used
    assert only.ms_per_frame is None
    assert only.psnr_db is not None
    assert only.psnr_db > GATE_PSNR_DB


def test_an_engine_that_is_asked_for_and_fails_is_not_used_and_says_why(
    folder, windows, monkeypatch
):
    real = trial.open_engine

    def spoiled(name, *rest, **more):
        opened = real("torch-fp32" if name == "torch-bf16" else name, *rest, **more)
        if name != "torch-bf16":
            return opened

        def frames(x, seeds, cue_BK=None):
            return opened.frames(x, seeds, cue_BK) // 2

        return replace(opened, name=name, frames=frames)

    monkeypatch.setattr(trial, "open_engine", spoiled)
    choice = choose_engine(folder, windows, SEEDS, "torch-bf16")
    assert choice.engine.name != "torch-bf16"
    refused = next(one for one in choice.trials if one.name == "torch-bf16")
    assert not refused.used
    assert "not used, less like float32 than 35 dB" in refused.reason
    assert sum(one.used for one in choice.trials) == 1
    assert len({one.name for one in choice.trials}) == len(choice.trials)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"dropout_at_generation": True}, "it draws noise when it generates"),
        ({"norm": "batch"}, "it normalises by each picture"),
    ],
)
def test_a_network_that_is_not_fixed_is_only_offered_to_torch(tmp_path, windows, changes, why):
    pytest.importorskip("openvino")
    place = saved(tmp_path / "model", **changes)
    for name in ("openvino-bf16", "openvino-int8", "compiled"):
        with pytest.raises(EngineUnavailable, match=why):
            open_engine(name, place)
    choice = choose_engine(place, windows[:3], SEEDS[:3])
    assert choice.engine.name.startswith("torch")
    reasons = {one.name: one.reason for one in choice.trials}
    assert why in reasons["openvino-int8"]


def test_noise_is_the_seed_s_wherever_the_picture_stands(tmp_path, windows):
    engine = open_engine("torch-fp32", saved(tmp_path / "m", dropout_at_generation=True), "cpu")
    frames = engine.frames(windows[[0, 0, 1]], [5, 6, 5])
    assert (frames[0] != frames[1]).any()
    np.testing.assert_array_equal(engine.frames(windows[:1], [6]), frames[1:2])


def test_a_missing_package_is_named(folder, windows, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineUnavailable, match=r'pip install "soundreel\[fast\]"'):
        open_engine("openvino-int8", folder)
    choice = choose_engine(folder, windows[:2], SEEDS[:2])
    assert choice.engine.name.startswith("torch")
    reasons = {one.name: one.reason for one in choice.trials}
    assert "openvino is not installed" in reasons["openvino-bf16"]
    with pytest.raises(EngineUnavailable):
        choose_engine(folder, windows[:2], SEEDS[:2], "openvino-bf16")


def test_what_cannot_be_had_says_so(folder, tmp_path):
    if not torch.cuda.is_available():
        with pytest.raises(EngineUnavailable, match="there is none here"):
            open_engine("cuda", folder)
    backwards = saved(tmp_path / "back", direction="picture-to-sound")
    with pytest.raises(ModelError, match="--direction sound-to-picture"):
        open_engine("torch-fp32", backwards)


@pytest.mark.slow
def test_compiled(folder, windows, truth):
    engine = open_engine("compiled", folder)
    assert fidelity(engine, windows, SEEDS, truth).psnr_db > 42
    np.testing.assert_array_equal(
        all_frames(engine, windows, SEEDS), all_frames(engine, windows, SEEDS)
    )


ALONE = """
import sys, threading
from pathlib import Path

def no_network(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.__new__"):
        raise RuntimeError(f"a connection was tried: {event} {arguments}")

sys.addaudithook(no_network)
import torch
from soundreel.rendering.engines import open_engine
for name in ("openvino-bf16", "openvino-int8"):
    engine = open_engine(name, Path(sys.argv[1]))
    engine.frames(torch.zeros(1, 1, 256, 256), [0])
assert threading.active_count() == 1, threading.enumerate()
assert not any(name.startswith("openvino_telemetry") and module
               for name, module in sys.modules.items())
"""


def test_openvino_reports_to_nobody_and_prints_nothing(folder, tmp_path):
    pytest.importorskip("openvino")
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(folder)],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""
    assert list(home.iterdir()) == []
