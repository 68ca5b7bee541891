"""A small `reel` with three looks, and a song to film."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from soundreel.cutting.habits import CuttingHabits
from soundreel.media.sound import write_sound
from soundreel.networks.bundle import save_model
from soundreel.networks.reel import Reel
from soundreel.recipe import recipe_from

LOOKS = ("001-red", "002-green", "003-blue")
_ARGUMENTS: dict[str, Any] = {"rows": 36, "columns": 64, "width": 4, "clips": 3, "references": 240}
_HABITS = CuttingHabits(
    shots=20,
    shot_seconds=(0.8, 1.0, 1.6),
    shot_beats=(2.0, 2.0, 4.0),
    on_beat_share=1.0,
    lag_seconds=(0.0, 0.0),
    downbeat_share=0.5,
)


def reel_here(folder: Path) -> Path:
    """A model folder: three clips of two shots of 4 s, that it hears and sees as unlike."""
    torch.manual_seed(0)
    reel = Reel(**_ARGUMENTS)
    shot = torch.arange(6).repeat_interleave(40)
    reel.reference_clip_R.copy_(torch.arange(3).repeat_interleave(80))
    reel.reference_shot_R.copy_(shot)
    reel.reference_seconds_R.copy_(torch.arange(80).repeat(3) / 10)
    reel.reference_sound_RA.copy_(torch.randn(6, 128)[shot] + 0.3 * torch.randn(240, 128))
    reel.reference_code_RZ.copy_(3 * torch.randn(6, reel.code_numbers)[shot])
    learnt = {"looks": list(LOOKS), "cuts": _HABITS.model_dump(mode="json")}
    recipe = recipe_from(picture_size=64, picture_aspect=Fraction(16, 9))
    save_model(folder, reel, _ARGUMENTS, recipe, "sound-to-picture", {}, learnt=learnt)
    return folder


def drums_here(path: Path, seconds: int = 6) -> Path:
    """A drum at 120 beats a minute over noise that swells."""
    rate_hz = 44_100
    rng = np.random.default_rng(0)
    time_N = np.arange(seconds * rate_hz) / rate_hz
    sound = rng.uniform(-1, 1, time_N.size) * (0.02 + 0.1 * time_N / seconds)
    sound += 0.6 * rng.uniform(-1, 1, time_N.size) * np.exp(-30 * (time_N % 0.5))
    write_sound(path, sound.astype(np.float32), rate_hz)
    return path
