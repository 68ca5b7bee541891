"""Muting through a model: one that is known to hear the bass alone, and a real one's way."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from soundreel.asking import muting
from soundreel.asking.muting import effects_over, mute, muted_pictures
from soundreel.errors import ModelError
from soundreel.evidence.descriptors import PICTURE_NAMES
from soundreel.networks.bundle import Model, load_model, save_model
from soundreel.networks.model_folder import Direction
from soundreel.networks.unet import UNet
from soundreel.progress import Step
from soundreel.recipe import recipe_from

RATE = 22_050
RECIPE = recipe_from("default", picture_size=64, sample_rate_hz=RATE)
BRIGHTNESS = PICTURE_NAMES.index("brightness")


class HearsTheBass(nn.Module):
    """Pictures as bright as the lowest rows of the sound image are, at the window's end."""

    size, in_channels, depends_on_noise = 64, 1, False

    def __init__(self) -> None:
        super().__init__()
        self.downs = nn.ModuleList([nn.Conv2d(1, 1, 1)])

    def forward(self, x_B1SS: Tensor, _: Any) -> Tensor:
        level_B = x_B1SS[:, 0, -1:, -16:].mean((1, 2))
        return level_B[:, None, None, None].expand(-1, 3, 64, 64)


def hears_the_bass(direction: Direction = "sound-to-picture") -> Model:
    return Model(cast(UNet, HearsTheBass()), RECIPE, direction, {}, Path("toy"), "fp32")


def song(seconds: float = 12.0, seed: int = 0) -> np.ndarray:
    """A bass that swells, a louder tone, clicks, and a hiss."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    sound = 0.25 * np.sin(2 * np.pi * 55 * t) * (0.55 - 0.45 * np.cos(2 * np.pi * t / 3))
    sound += 0.25 * np.sin(2 * np.pi * 660 * t) + 0.02 * rng.standard_normal(len(t))
    sound[:: RATE // 3] += 0.5
    return sound.astype(np.float32)


AT = np.arange(8, 48, 2) / 4


def test_muting_the_bass_is_what_darkens_a_model_that_hears_it():
    found = mute(hears_the_bass(), song(), AT, draws=6, seed=1)
    effect = dict(zip(found.parts, found.effect_DP[:, BRIGHTNESS], strict=True))
    outside = dict(zip(found.parts, found.outside_DP[:, BRIGHTNESS], strict=True))
    shift = dict(zip(found.parts, found.shift_DP[:, BRIGHTNESS], strict=True))
    assert found.picture_names == PICTURE_NAMES
    assert outside["low"] == 1
    assert shift["low"] < -1
    assert effect["low"] > 5 * max(effect["mid"], effect["high"])
    assert outside["mid"] <= 0
    assert outside["high"] <= 0


def test_pictures_without_a_part_are_those_of_a_song_without_it():
    sound = song()
    bass = (0.2 * np.sin(2 * np.pi * 60 * np.arange(len(sound)) / RATE)).astype(np.float32)
    made = muted_pictures(hears_the_bass(), sound + bass, AT, {"bass": bass}, draws=0)
    alone = muted_pictures(hears_the_bass(), sound, AT, draws=0)
    np.testing.assert_allclose(made.muted["bass"], alone.full_TP, atol=1e-2)
    assert not np.allclose(made.muted["bass"], made.full_TP, atol=0.02)
    assert made.full_TP.shape == (len(AT), len(PICTURE_NAMES))
    assert list(made.shares) == ["harmonic", "percussive", "low", "mid", "high", "bass"]
    assert made.controls["low"] == []


def test_a_loaded_model_goes_through_and_says_how_far_it_is(tmp_path):
    arguments = {"size": 64, "in_channels": 1, "out_channels": 3, "width": 8, "norm": "none"}
    torch.manual_seed(0)
    save_model(tmp_path, UNet(**arguments), arguments, RECIPE, "sound-to-picture", {})
    model = load_model(tmp_path, precision="fp32", device="cpu")
    steps: list[Step] = []
    found = muted_pictures(model, song(6), AT[:5], draws=1, seed=2, progress=steps.append)
    again = muted_pictures(model, song(6), AT[:5], draws=1, seed=2)
    np.testing.assert_array_equal(found.controls["mid"][0], again.controls["mid"][0])
    assert steps[-1].done == steps[-1].total == 5 * (1 + 5 * 2)
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert found.full_TP.std(0)[BRIGHTNESS] > 0


def test_many_times_are_thinned_and_songs_are_put_together(monkeypatch):
    monkeypatch.setattr(muting, "MOST_TIMES", 15)
    model = hears_the_bass()
    songs = [
        muted_pictures(model, song(5, seed), np.arange(400) / 100 + 1, draws=3, seed=seed)
        for seed in (1, 2)
    ]
    assert len(songs[0].full_TP) == 15
    assert np.diff(songs[0].end_samples_T).min() > 0
    pooled, first = effects_over(songs), effects_over(songs[:1])
    second = effects_over(songs[1:])
    np.testing.assert_allclose(pooled.effect_DP, (first.effect_DP + second.effect_DP) / 2)


def test_silence_has_no_parts_to_miss():
    found = mute(hears_the_bass(), np.zeros(4 * RATE, np.float32), [0, 1, 2, 3], draws=3)
    np.testing.assert_array_equal(found.effect_DP, 0)
    np.testing.assert_array_equal(found.outside_DP, 0)


def test_what_cannot_be_muted():
    with pytest.raises(ModelError, match="picture-to-sound model"):
        mute(hears_the_bass("picture-to-sound"), song(3), [1.0])
    with pytest.raises(ValueError, match="no times"):
        mute(hears_the_bass(), song(3), [])
    with pytest.raises(ValueError, match="at least 3 controls"):
        mute(hears_the_bass(), song(3), [1.0], draws=2)
