"""One training step: ours beside the widely used PyTorch pix2pix's, in interleaved rounds.

    python benchmarks/training_step.py [--rounds 5]

The peer is re-typed plainly: batch 1, float32, an Adam that is not fused, a JPEG pair decoded
with PIL, scaled and cropped for every step. Ours draws its batches from memory, as training does.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from PIL import Image
from torch import nn

from peer import PeerDiscriminator, PeerGenerator
from soundreel.dataset.loading import Pairs
from soundreel.networks.precision import Precision
from soundreel.recipe import recipe_from
from soundreel.training.batches import Batches
from soundreel.training.presets import Training, training_preset
from soundreel.training.step import Networks


def peer_step() -> Callable[[int], None]:
    """The peer's optimize_parameters, its pair decoded and augmented as its dataset does."""
    generator, discriminator = PeerGenerator(), PeerDiscriminator()
    adam_g = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999))
    adam_d = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999))
    bce = nn.BCEWithLogitsLoss()
    encoded = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 128, 3)).astype(np.uint8)
    Image.fromarray(noise).resize((512, 256)).save(encoded, "JPEG")

    def half(pair: Image.Image, left: int) -> torch.Tensor:
        image = pair.crop((left, 0, left + 256, 256)).resize((286, 286), Image.Resampling.BICUBIC)
        pixels = np.asarray(image.crop((11, 7, 267, 263)))
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy()).float().div(127.5).sub(1)[None]

    def step(_: int) -> None:
        pair = Image.open(io.BytesIO(encoded.getvalue())).convert("RGB")
        truth, x = half(pair, 0), half(pair, 256)
        y = generator(x)
        for parameter in discriminator.parameters():
            parameter.requires_grad_(True)
        adam_d.zero_grad()
        fake = discriminator(torch.cat((x, y), 1).detach())
        real = discriminator(torch.cat((x, truth), 1))
        loss_d = 0.5 * (bce(fake, torch.zeros_like(fake)) + bce(real, torch.ones_like(real)))
        loss_d.backward()
        adam_d.step()
        for parameter in discriminator.parameters():
            parameter.requires_grad_(False)
        adam_g.zero_grad()
        fake = discriminator(torch.cat((x, y), 1))
        loss_g = bce(fake, torch.ones_like(fake)) + 100 * nn.functional.l1_loss(y, truth)
        loss_g.backward()
        adam_g.step()

    return step


def our_step(settings: Training, precision: Precision) -> Callable[[int], None]:
    """A step of ours, its batch included."""
    recipe = recipe_from("default")
    rng = np.random.default_rng(0)
    pairs = Pairs(
        recipe=recipe,
        clip_ids=["noise"],
        frames_N3HW=rng.integers(0, 256, (32, 3, 256, 256)).astype(np.uint8),
        clip_N=np.zeros(32, np.int64),
        end_sample_N=70_000 + 8_820 * np.arange(32),
        time_seconds_N=np.arange(32) / 5,
        sounds=[rng.uniform(-0.5, 0.5, 400_000).astype(np.float32)],
    )
    batches = Batches(pairs, settings, "sound-to-picture")
    networks = Networks(settings, "sound-to-picture", precision, torch.device("cpu"))

    def step(number: int) -> None:
        networks.step(number, 1_000, *batches.batch(number))

    return step


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    paper, quick = training_preset("paper"), training_preset("quick")
    batch_4 = training_preset("default")
    arms: dict[str, tuple[Callable[[int], None], int]] = {
        "peer, batch 1": (peer_step(), 1),
        "paper, fp32": (our_step(paper, "fp32"), 1),
        "paper, bf16": (our_step(paper, "bf16"), 1),
        "default (batch 4), fp32": (our_step(batch_4, "fp32"), 4),
        "default (batch 4), bf16": (our_step(batch_4, "bf16"), 4),
        f"quick (batch {quick.batch}), fp32": (our_step(quick, "fp32"), quick.batch),
        f"quick (batch {quick.batch}), bf16": (our_step(quick, "bf16"), quick.batch),
    }
    taken: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(rounds + 1):  # the first round warms up
        for name, (step, batch) in arms.items():
            began = time.perf_counter()
            step(number)
            if number:
                taken[name].append(1000 * (time.perf_counter() - began) / batch)
    peer = taken["peer, batch 1"]
    print(f"{torch.get_num_threads()} threads, {rounds} rounds, median ms a sample")
    for name, samples in taken.items():
        ratio = statistics.median(p / s for p, s in zip(peer, samples, strict=True))
        spread = f"{min(samples):.0f} to {max(samples):.0f}"
        print(f"{name:28} {statistics.median(samples):7.1f}  ({spread:12})  x {ratio:.2f}")


if __name__ == "__main__":
    main()
