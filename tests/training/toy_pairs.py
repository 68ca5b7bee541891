"""Small pairs whose pictures follow their sound, and settings that train on them in seconds."""

from __future__ import annotations

from typing import Any

import numpy as np

from soundreel.dataset.loading import Pairs
from soundreel.recipe import Recipe
from soundreel.training.presets import Training

SIZE = 64
RECIPE = Recipe.model_validate(
    {
        "name": "toy",
        "sample_rate_hz": 8_000,
        "sound_image_size": SIZE,
        "segment_samples": 126,
        "hop_samples": 32,
        "fft_samples": 126,
        "window_samples": 126 + 63 * 32,
        "picture_size": SIZE,
    }
)


def toy_clip(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A tone that changes its pitch every half second; pitch is height and hue of a bar."""
    rng = np.random.default_rng(seed)
    rate = RECIPE.sample_rate_hz
    pitch = rng.uniform(0, 1, count + 1)
    of_sample = np.repeat(pitch, rate // 2)
    phase = 2 * np.pi * np.cumsum(200 + 3_000 * of_sample) / rate
    sound = (0.5 * np.sin(phase) + 0.001 * rng.standard_normal(len(phase))).astype(np.float32)
    times = 0.5 * (np.arange(count) + 1)
    rows = np.linspace(1, 0, SIZE)[:, None]
    frames = np.empty((count, 3, SIZE, SIZE), np.uint8)
    for frame, level in zip(frames, pitch, strict=False):
        bar = np.exp(-(((rows - level) / 0.15) ** 2)) * np.ones((1, SIZE))
        frame[0], frame[1], frame[2] = 255 * bar, 255 * level, 255 * (1 - bar)
    return sound, frames, times


def toy_pairs(seeds: range, count: int = 8) -> Pairs:
    """`count` pairs of one clip for each seed."""
    clips = [toy_clip(seed, count) for seed in seeds]
    times = np.concatenate([times for _, _, times in clips] or [np.empty(0)])
    return Pairs(
        recipe=RECIPE,
        clip_ids=[f"toy-{seed}" for seed in seeds],
        frames_N3HW=np.concatenate(
            [frames for _, frames, _ in clips] or [np.empty((0, 3, SIZE, SIZE), np.uint8)]
        ),
        clip_N=np.repeat(np.arange(len(clips)), count).astype(np.int64),
        end_sample_N=np.round(times * RECIPE.sample_rate_hz).astype(np.int64),
        time_seconds_N=times,
        sounds=[sound for sound, _, _ in clips],
    )


def toy_settings(**changes: Any) -> Training:
    """Settings of a training that takes a second or two."""
    values: dict[str, Any] = {
        "size": SIZE,
        "width": 4,
        "discriminator_width": 4,
        "batch": 2,
        "steps": 12,
        "gain_db": 3.0,
        "time_mask": 0.2,
        "band_mask": 0.2,
        "ema_decay": 0.9,
        "schedule": "cosine",
        "measure_every": 4,
        "checkpoint_every": 5,
        "sheet_every": 6,
        "sheet_rows": 2,
    }
    if "epochs" in changes:
        del values["steps"]
    return Training.model_validate({**values, **changes})
