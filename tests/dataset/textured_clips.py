"""Small datasets with pictures and sound that no two moments share, for tests of round trips."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from soundreel.dataset.build import prepare
from soundreel.dataset.store import Dataset
from soundreel.media.sound import write_sound
from soundreel.media.writer import FilmWriter, Song
from soundreel.recipe import Recipe, recipe_from

RATE_HZ = 44_100


def textured_clip(path: Path, seed: int, seconds: float = 2.5, size: int = 64) -> Path:
    """A clip of drifting coloured waves, with a gliding chord in noise as its sound."""
    rng = np.random.default_rng(seed)
    time_N = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    pitch, glide = rng.uniform(200, 2_000, 3), rng.uniform(-300, 300, 3)
    phase = 2 * np.pi * (pitch[:, None] * time_N + glide[:, None] * time_N**2)
    sound = 0.2 * np.sin(phase).sum(0) + 0.02 * rng.standard_normal(len(time_N))
    sound_path = path.with_suffix(".flac")
    write_sound(sound_path, sound.astype(np.float32)[None], RATE_HZ)
    y_HW, x_HW = np.mgrid[:size, :size] / size
    waves = rng.uniform(1, 5, (3, 2))
    with FilmWriter(path, size, size, Fraction(25), Song(sound_path, Fraction(0), None)) as film:
        for n in range(int(seconds * 25)):
            turns = [a * x_HW + b * y_HW + n * (a - b) / 40 for a, b in waves]
            frame = np.stack([128 + 110 * np.sin(2 * np.pi * turn) for turn in turns], -1)
            film.write(frame.astype(np.uint8))
    sound_path.unlink()
    return path


def small_recipe(**changes: Any) -> Recipe:
    """Pictures of 64 x 64 of everything in a clip; windows of 0.1 s, half of it shared."""
    values = {
        "sound_image_size": 64,
        "segment_samples": 126,
        "fft_samples": 126,
        "hop_samples": 70,
        "window_samples": 126 + 63 * 70,
        "picture_size": 64,
        "every_seconds": "1/20",
        "selection": {"letterbox": "keep", "leave_out": ()},
    }
    return recipe_from("default", **{**values, **changes})


def textured_dataset(folder: Path, clips: int = 3, **changes: Any) -> Dataset:
    """A dataset of textured clips, and one of them with an odd name."""
    names = [f"clip {n}" for n in range(clips - 1)] + ["Ænima, 東京 " + "long " * 12]
    made = [textured_clip(folder / f"{name}.mp4", seed) for seed, name in enumerate(names)]
    return prepare(made, folder / "dataset", small_recipe(**changes))
