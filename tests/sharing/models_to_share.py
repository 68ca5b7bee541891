"""Small models, run folders and reports, made here; and a Hub that the client is pointed at."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from PIL import Image

from local_hub import LocalHub, serving_hub
from soundreel.networks.bundle import save_model
from soundreel.networks.model_folder import Direction
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from

ARGUMENTS = {"size": 64, "in_channels": 1, "out_channels": 3, "width": 4, "norm": "frozen-batch"}
FIXED = {"innermost_norm": False, "dropout_at_generation": False}


def model_here(
    folder: Path, seed: int = 0, direction: Direction = "sound-to-picture", **changes
) -> Path:
    """A model folder whose norms have seen something."""
    torch.manual_seed(seed)
    arguments = {**ARGUMENTS, **FIXED, **changes}
    generator = UNet(**arguments)
    for _ in range(3):
        generator(torch.randn(4, generator.in_channels, 64, 64))
    with torch.no_grad():  # as drawn, its pictures are all but grey
        next(iter(generator.ups[-1].parameters())).mul_(20)
    recipe = recipe_from("default", picture_size=64)
    save_model(folder, generator, arguments, recipe, direction, {"preset": "test", "steps": 3})
    return folder


def run_here(folder: Path, **changes) -> Path:
    """A run folder: the model so far, and two sample sheets."""
    model_here(folder / "model", **changes)
    (folder / "samples").mkdir()
    (folder / "metrics.jsonl").write_text("")
    for step, colour in ((100, "red"), (200, "blue")):
        Image.new("RGB", (60, 40), colour).save(folder / "samples" / f"step-{step:07d}.png")
    return folder


def report_here(place: Path, weights_sha256: str) -> Path:
    """A report on a model, as `ask` leaves it: page, numbers, manifest."""
    numbers = {
        "sensitivity": 0.41,
        "usefulness": 0.062,
        "ci_95": [0.031, 0.093],
        "p_value": 0.0005,
        "skill": 0.12,
        "two_afc": 0.71,
        "copy_rate": 0.004,
        "sliced_wasserstein": 221.5,
        "flicker": 0.95,
        "motion_ratio": None,
    }
    told = {"format": "soundreel-evidence", "version": 1, "kind": "model", "verdict": "USES IT"}
    told |= {"songs": ["one", "two", "three"], "model": numbers}
    place.write_text("<html>the report</html>")
    place.with_suffix(".json").write_text(json.dumps(told))
    manifest = place.with_name(f"{place.stem}.manifest.json")
    manifest.write_text(json.dumps({"model": weights_sha256}))
    return place


@contextmanager
def hub_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A Hub, an empty cache, and no token of whoever runs the tests."""
    from huggingface_hub import constants

    from soundreel.sharing import hub as ours

    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub_cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no_token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # a protocol of its own
    monkeypatch.setattr(ours, "WAITS_SECONDS", (0.01, 0.01))
    with serving_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub
