"""Whose voice a film is composed in."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from soundreel.errors import SettingsError
from soundreel.networks.bundle import Model, load_model, save_model
from soundreel.networks.score import Score
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.rendering.composing import Watching, composed_columns, composed_sound, window_grid
from soundreel.rendering.voicing import voicing, voicing_of_frames

ARGUMENTS: dict[str, Any] = {
    "sound_size": 64,
    "frames": 3,
    "step": "1/10",
    "side": 64,
    "width": 4,
    "clips": 3,
    "harmonies": 12,
    "looks": 3,
}
RECIPE = recipe_from("mel", sound_image_size=64, window_samples=2_048 + 63 * 245, picture_size=64)
LEVELS = (30, 128, 220)
FPS = Fraction(10)


def film(level: int, count: int = 20) -> list[np.ndarray]:
    """Frames of one brightness, a little different each."""
    rng = np.random.default_rng(level)
    return [(level + rng.integers(-4, 5, (64, 64, 3))).astype(np.uint8) for _ in range(count)]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    """Three clips, dark, grey and bright, with a harmony each."""
    torch.manual_seed(0)
    score = Score(**ARGUMENTS).requires_grad_(False)
    seen_BFHW3 = torch.from_numpy(np.array([film(level, 3) for level in LEVELS]))
    seen_PD = score.see(seen_BFHW3.permute(0, 1, 4, 2, 3).float() / 127.5 - 1).mean(2)
    score.seen_PD.copy_(seen_PD)
    score.seen_clip_P.copy_(torch.arange(3))
    score.seen_scale_D.copy_(seen_PD.std(0) + 1e-3)
    score.harmony_QS.copy_(torch.randint(0, 256, (12, 64)))
    score.harmony_clip_Q.copy_(torch.arange(12) // 4)
    folder: Path = tmp_path_factory.mktemp("models") / "m"
    learnt = {"looks": ["dark", "grey", "bright"]}
    save_model(folder, score, ARGUMENTS, RECIPE, "picture-to-sound", {}, learnt=learnt)
    return load_model(folder, "fp32", "cpu")


def nobody_asks() -> torch.Tensor:
    raise AssertionError("a named voice needs no frames")


@pytest.mark.parametrize(
    ("level", "name"), list(zip(LEVELS, ("dark", "grey", "bright"), strict=True))
)
def test_auto_is_the_clip_that_looks_alike(model: Model, level: int, name: str) -> None:
    chosen, frames = voicing_of_frames(model, None, film(level), FPS)
    assert chosen.name == f"auto -> {name}"
    assert np.array_equal(list(frames), film(level)), "all frames come again"


def test_a_named_voice_plays_its_clips_harmony(model: Model) -> None:
    score = model.generator
    assert isinstance(score, Score)
    chosen = voicing(model, "grey:3, bright:1", nobody_asks)
    cue = chosen.cue([Fraction(2), Fraction(3)])
    assert cue is not None
    assert torch.allclose(cue.voice_BV[0], 0.75 * score.voice_NV[1] + 0.25 * score.voice_NV[2])
    kept_QS = (score.harmony_QS[4:8].float() - 128) / 32
    for pattern_S in cue.harmony_BSG[0].T:
        assert any(torch.equal(pattern_S, kept_S) for kept_S in kept_QS)
    average = voicing(model, "average", nobody_asks)
    cue = average.cue([Fraction(2)])
    assert cue is not None
    assert not cue.harmony_BSG.any()
    assert average.name == "average"


def test_another_seed_begins_elsewhere_in_the_harmony(model: Model) -> None:
    def harmony(seed: int) -> torch.Tensor:
        cue = voicing(model, "dark", nobody_asks, seed).cue([Fraction(1)])
        assert cue is not None
        return cue.harmony_BSG

    assert torch.equal(harmony(7), harmony(7))
    assert len({tuple(harmony(seed).flatten().tolist()) for seed in range(12)}) > 1


def test_what_is_composed_is_in_that_voice(model: Model) -> None:
    """Columns of one window are what the model makes of its frames with its cue."""
    grid = window_grid(RECIPE, 6)

    def columns(look: str) -> torch.Tensor:
        watching = Watching(film(128), FPS, model.picture_shape)
        chosen = voicing(model, look, nobody_asks)
        return torch.cat(list(composed_columns(model, watching, grid, 0, cueing=chosen.cue)), 1)

    dark, bright = columns("dark"), columns("bright")
    assert dark.shape == bright.shape
    assert (dark - bright).abs().mean() > 1e-3
    voice, frames = voicing_of_frames(model, "dark", film(128), FPS)
    sound = np.concatenate(list(composed_sound(model, frames, FPS, cueing=voice.cue, iterations=2)))
    assert len(sound) == 2 * RECIPE.sample_rate_hz


def test_no_frames_and_models_without_voices_have_none(model: Model, tmp_path: Path) -> None:
    chosen, frames = voicing_of_frames(model, None, [], FPS)
    assert chosen.name == ""
    assert list(frames) == []
    arguments: dict[str, Any] = {
        **{"size": 64, "in_channels": 3, "out_channels": 1, "width": 4},
        "norm": "frozen-batch",
    }
    save_model(tmp_path / "u", UNet(**arguments), arguments, RECIPE, "picture-to-sound", {})
    unet = load_model(tmp_path / "u", "fp32", "cpu")
    assert voicing(unet, None, nobody_asks).cue([Fraction(1)]) is None
    with pytest.raises(SettingsError, match="has no voices"):
        voicing(unet, "dark", nobody_asks)


@pytest.mark.parametrize("look", ["walk:sections", "drak", "dark:0"])
def test_what_is_no_voice_is_said_in_one_line(model: Model, look: str) -> None:
    with pytest.raises(SettingsError) as caught:
        voicing(model, look, nobody_asks)
    assert "\n" not in str(caught.value)
