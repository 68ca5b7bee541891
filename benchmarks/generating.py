"""Generating a frame: ours beside the widely used PyTorch pix2pix's test, in interleaved rounds.

    python benchmarks/generating.py [--rounds 5] [--frames 16]

The peer generates frame by frame in training mode (batch statistics, dropout), as its test does.
Ours is `Model.pictures`, what `soundreel render` calls, on random weights.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as `threads.let_threads_rest` does

import torch

from peer import PeerGenerator
from soundreel.networks.bundle import load_model, save_model
from soundreel.networks.precision import Precision
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.training.presets import training_preset
from soundreel.training.step import generator_arguments


def peer(frames: int) -> Callable[[], None]:
    """The peer's forward, frame by frame."""
    generator = PeerGenerator()
    x_BCHW = torch.randn(frames, 3, 256, 256)

    def generate() -> None:
        with torch.no_grad():
            for frame in range(frames):
                generator(x_BCHW[frame : frame + 1])

    return generate


def ours(preset: str, precision: Precision, batch: int, frames: int) -> Callable[[], None]:
    """Model.pictures with the network of a preset."""
    arguments = generator_arguments(training_preset(preset), "sound-to-picture")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model"
        recipe = recipe_from("default")
        save_model(place, UNet(**arguments), arguments, recipe, "sound-to-picture", {})
        model = load_model(place, precision, "cpu")
    x_B1SS = torch.rand(frames, 1, 256, 256) * 2 - 1

    def generate() -> None:
        for first in range(0, frames, batch):
            part = x_B1SS[first : first + batch]
            model.pictures(part, range(first, first + len(part)))

    return generate


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=16)
    chosen = parser.parse_args()
    arms = {"peer, batch 1": peer(chosen.frames)}
    for preset in ("paper", "default", "quick"):
        for precision in ("fp32", "bf16"):
            for batch in (1, 8):
                name = f"{preset}, {precision}, batch {batch}"
                arms[name] = ours(preset, precision, batch, chosen.frames)
    taken: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(chosen.rounds + 1):  # the first round warms up
        for name, generate in arms.items():
            began = time.perf_counter()
            generate()
            if number:
                taken[name].append(1000 * (time.perf_counter() - began) / chosen.frames)
    threads = torch.get_num_threads()
    print(f"{threads} threads, {chosen.rounds} rounds of {chosen.frames}, median ms a frame")
    for name, samples in taken.items():
        ratio = statistics.median(
            p / s for p, s in zip(taken["peer, batch 1"], samples, strict=True)
        )
        spread = f"{min(samples):.0f} to {max(samples):.0f}"
        print(f"{name:28} {statistics.median(samples):7.1f}  ({spread:12})  x {ratio:.2f}")


if __name__ == "__main__":
    main()
