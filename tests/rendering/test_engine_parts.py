"""The parts of engines: kernels rewritten, numbers as 8 bits, what is kept beside a model."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from soundreel.networks.bundle import load_model, save_model
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.rendering.engines import calibration
from soundreel.rendering.engines.calibration import calibration_windows, levels_of
from soundreel.rendering.engines.graph import as_convolution
from soundreel.rendering.engines.int8 import (
    Levels,
    Sampler,
    best_levels,
    levels_for,
    quantised_weight,
)
from soundreel.sound.representation import sound_images

ARGUMENTS = {"size": 64, "width": 4, "in_channels": 1, "norm": "frozen-batch"}


@pytest.fixture
def folder(tmp_path) -> Path:
    torch.manual_seed(0)
    arguments = {**ARGUMENTS, "dropout_at_generation": False}
    save_model(tmp_path / "m", UNet(**arguments), arguments, recipe_from(), "sound-to-picture", {})
    return tmp_path / "m"


@pytest.fixture
def few_windows(monkeypatch) -> list[int]:
    """Calibration on two windows, and how often it was done."""
    done = []

    def windows(recipe):
        done.append(1)
        return torch.linspace(-1, 1, 2 * 256 * 256).view(2, 1, 256, 256)

    monkeypatch.setattr(calibration, "calibration_windows", windows)
    return done


@pytest.mark.parametrize(("inputs", "outputs", "size"), [(1, 1, 1), (3, 5, 4), (8, 2, 7)])
def test_a_transposed_convolution_as_a_convolution(inputs, outputs, size):
    x_BCHW = torch.randn(2, inputs, size, size, dtype=torch.float64)
    kernel = torch.randn(inputs, outputs, 4, 4).double()
    wanted = F.conv_transpose2d(x_BCHW, kernel, None, 2, 1)
    rewritten = torch.from_numpy(as_convolution(kernel.numpy())).double()
    wide = F.conv2d(x_BCHW, rewritten, None, 1, 1)
    # depth to space, "blocks first": channel (row phase, column phase, output)
    wide = wide.view(2, 2, 2, outputs, size + 1, size + 1).permute(0, 3, 4, 1, 5, 2)
    laid_out = wide.reshape(2, outputs, 2 * size + 2, 2 * size + 2)[..., 1:-1, 1:-1]
    torch.testing.assert_close(laid_out, wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("low", "high"), [(-0.37, 2.9), (0.0, 7.1), (-3.0, 0.1), (0.0, 0.001)])
def test_zero_is_a_level_and_values_are_half_a_step_off_at_most(low, high):
    levels = levels_for(low, high)
    assert levels.nearest(torch.zeros(1)).item() == 0
    x = torch.linspace(max(low, levels.low), min(high, levels.high), 999)
    assert (levels.nearest(x) - x).abs().max() <= levels.step / 2 + 1e-6
    assert levels.low == pytest.approx(low, abs=levels.step)
    assert levels.high == pytest.approx(high, abs=1.1 * levels.step + 1e-3 * high)


def test_a_few_values_far_out_are_cut_off():
    sample = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    sample[0] = 9.0
    whole, best = levels_for(-9, 9), best_levels(sample, -9, 9)
    assert 4 < best.high < 7

    def error(levels):
        return (levels.nearest(sample) - sample).square().mean()

    assert error(best) < error(whole)


def test_weights_are_rounded_channel_by_channel():
    weight = np.random.default_rng(0).normal(size=(3, 4, 2, 2)).astype(np.float32)
    weight[1] *= 1000
    weight[2] = 0
    small, scale = quantised_weight(weight)
    assert small.dtype == np.int8
    assert np.abs(small[:2]).max(axis=(1, 2, 3)).tolist() == [127, 127]
    assert (np.abs(small * scale - weight) <= scale / 2 * 1.001).all()


def test_a_channel_that_never_speaks_has_levels_too():
    sampler = Sampler()
    sampler.see(torch.zeros(1, 4, 8, 8))
    assert sampler.levels().step > 0


def test_a_sampler_knows_the_extremes_and_keeps_little():
    sampler = Sampler()
    x_BCHW = torch.rand(1, 64, 64, 64)
    x_BCHW[0, 5, 6, 7] = -2.0
    sampler.see(x_BCHW)
    levels = sampler.levels()
    assert -2.0 - levels.step <= levels.low < 0
    assert 0.25 < levels.high < 1.1


def test_calibration_hears_silence_and_songs_and_is_the_same_each_time():
    recipe = recipe_from()
    x_B1SS = calibration_windows(recipe)
    assert 50 <= len(x_B1SS) <= 128
    assert x_B1SS.shape[1:] == (1, 256, 256)
    silence = sound_images(torch.zeros(1), torch.tensor([0]), recipe)
    torch.testing.assert_close(x_B1SS[:1], silence)
    loudness_B = x_B1SS[1:].mean((1, 2, 3))
    assert loudness_B.std() > 0.1
    assert torch.equal(calibration_windows(recipe), x_B1SS)


@pytest.mark.parametrize("name", ["mel", "paper", "paper-waveform"])
def test_calibration_knows_every_recipe(name, monkeypatch):
    monkeypatch.setattr(calibration, "GENRES", ["house"])
    x_B1SS = calibration_windows(recipe_from(name))
    assert x_B1SS.abs().max() <= 1
    assert x_B1SS.std() > 0.01


def test_calibration_is_done_once(folder, few_windows):
    first = levels_of(load_model(folder, "fp32", "cpu"))
    (kept,) = (folder / "engines").iterdir()
    written = kept.stat().st_mtime_ns
    assert levels_of(load_model(folder, "fp32", "cpu")) == first
    assert kept.stat().st_mtime_ns == written
    assert len(few_windows) == 1
    assert list(first) == [f"down{n}" for n in range(6)] + [f"up{n}" for n in range(6)]
    assert all(isinstance(each, Levels) for each in first.values())


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "null",
        '{"down0": [1, 2]}',
        lambda rows: rows | {"up0": [-1.0, 0]},
        lambda rows: rows | {"up0": [1.0]},
        lambda rows: rows | {"up0": [1.0, 300]},
        lambda rows: rows | {"up0": ["x", 0]},
    ],
)
def test_what_was_kept_and_is_damaged_is_made_again(folder, few_windows, damage):
    levels_of(load_model(folder, "fp32", "cpu"))
    (kept,) = (folder / "engines").iterdir()
    whole = kept.read_text()
    kept.write_text(damage if isinstance(damage, str) else json.dumps(damage(json.loads(whole))))
    levels_of(load_model(folder, "fp32", "cpu"))
    assert len(few_windows) == 2
    assert kept.read_text() == whole


def test_what_was_kept_for_other_weights_goes(folder, few_windows):
    (folder / "engines").mkdir()
    stale = folder / "engines" / "0123456789abcdef-int8-1.json"
    stale.write_text("{}")
    levels_of(load_model(folder, "fp32", "cpu"))
    assert not stale.exists()


def test_where_the_model_cannot_be_written_it_is_kept_in_the_user_s_cache(
    folder, few_windows, tmp_path, monkeypatch
):
    (folder / "engines").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = levels_of(load_model(folder, "fp32", "cpu"))
    assert len(list((tmp_path / "cache" / "soundreel" / "engines").iterdir())) == 1
    assert levels_of(load_model(folder, "fp32", "cpu")) == first
    assert len(few_windows) == 1
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("in the way too")
    assert levels_of(load_model(folder, "fp32", "cpu")) == first
