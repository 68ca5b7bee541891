"""One training step: ours beside the widely used PyTorch pix2pix's, in interleaved rounds.

    python benchmarks/training_step.py [--rounds 5] [--choices]

The peer is re-typed plainly: batch 1, float32, an Adam that is not fused, a JPEG pair decoded
with PIL, scaled and cropped for every step. Ours draws its batches from memory, as training does.
`--choices` measures instead what was chosen against what was not: layouts, compilers, Adams.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as `threads.let_threads_rest` does

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
from soundreel.training.source import InMemory
from soundreel.training.step import Networks

#: The bars of PERFORMANCE.md, against the peer at batch 1.
BARS = {"paper, precision auto": 1.5, "default (batch 4), precision auto": 2.3}


def peer_step(device: torch.device | None = None) -> Callable[[int], None]:
    """The peer's optimize_parameters, its pair decoded and augmented as its dataset does."""
    where = device or torch.device("cpu")
    generator, discriminator = PeerGenerator().to(where), PeerDiscriminator().to(where)
    adam_g = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999), fused=False)
    adam_d = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999), fused=False)
    bce = nn.BCEWithLogitsLoss()
    encoded = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 128, 3)).astype(np.uint8)
    Image.fromarray(noise).resize((512, 256)).save(encoded, "JPEG")

    def half(pair: Image.Image, left: int) -> torch.Tensor:
        image = pair.crop((left, 0, left + 256, 256)).resize((286, 286), Image.Resampling.BICUBIC)
        pixels = np.asarray(image.crop((11, 7, 267, 263)))
        x_CHW = torch.from_numpy(pixels.transpose(2, 0, 1).copy()).float().div(127.5).sub(1)
        return x_CHW[None].to(where)

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


def noise_pairs(count: int = 32, size: int = 256) -> Pairs:
    """Pairs of noise in the default recipe: what they cost is what any cost."""
    rng = np.random.default_rng(0)
    recipe = recipe_from("default", picture_size=size)
    return Pairs(
        recipe=recipe,
        clip_ids=["noise"],
        frames_N3HW=rng.integers(0, 256, (count, 3, size, size)).astype(np.uint8),
        clip_N=np.zeros(count, np.int64),
        end_sample_N=70_000 + 8_820 * np.arange(count),
        time_seconds_N=np.arange(count) / 5,
        sounds=[rng.uniform(-0.5, 0.5, 80_000 + 8_820 * count).astype(np.float32)],
    )


def our_step(
    settings: Training,
    precision: Precision,
    alter: Callable[[Networks], None] = lambda networks: None,
) -> Callable[[int], None]:
    """A step of ours, its batch included; `alter` changes the networks first."""
    batches = Batches(InMemory(noise_pairs(), 0), settings, "sound-to-picture")
    networks = Networks(settings, "sound-to-picture", precision, torch.device("cpu"))
    alter(networks)

    def step(number: int) -> None:
        networks.step(number, 1_000, batches.batch(number))

    return step


def laid_out(layout: torch.memory_format) -> Callable[[Networks], None]:
    """Weights and inputs in this layout."""

    def alter(networks: Networks) -> None:
        networks.layout = layout
        for network in (networks.generator, networks.discriminator):
            for parameter in network.parameters():
                if parameter.dim() == 4:
                    parameter.data = parameter.data.contiguous(memory_format=layout)

    return alter


def unfused(networks: Networks) -> None:
    """Adam as torch has it by default: many operations for each tensor."""
    for optimizer in (networks.generator_optimizer, networks.discriminator_optimizer):
        for group in optimizer.param_groups:
            group["fused"], group["foreach"] = False, False


Arm = tuple[Callable[[int], None], int]


def kept_arms() -> dict[str, Arm]:
    """What the presets do, as they do it here and in both precisions."""
    from soundreel.networks.precision import resolve_precision

    arms: dict[str, Arm] = {}
    auto = resolve_precision("auto", "cpu")
    for name, label in (("paper", "paper"), ("default", "default (batch 4)"), ("quick", "quick")):
        settings = training_preset(name)
        arms[f"{label}, fp32"] = our_step(settings, "fp32"), settings.batch
        arms[f"{label}, bf16"] = our_step(settings, "bf16"), settings.batch
        # The paper's preset says fp32; `precision = "auto"` is what a person adds for speed.
        arms[f"{label}, precision auto"] = our_step(settings, auto), settings.batch
    return arms


def choice_arms() -> dict[str, Arm]:
    """What was chosen against, one change at a time from the preset `default` and batch 1."""
    four = training_preset("default")
    one = training_preset("default", batch=1)
    eight = training_preset("default", batch=8)
    parts = training_preset("default", accumulate=4)
    compiled = training_preset("default", step_engine="compiled")
    last, plain = torch.channels_last, torch.contiguous_format
    return {
        "default, batch 4": (our_step(four, "bf16"), 4),
        "  contiguous": (our_step(four, "bf16", laid_out(plain)), 4),
        "  Adam not fused": (our_step(four, "bf16", unfused), 4),
        "  compiled": (our_step(compiled, "bf16"), 4),
        "  batch 8": (our_step(eight, "bf16"), 8),
        "  batch 4 in 4 parts": (our_step(parts, "bf16"), 4),
        "  batch 1": (our_step(one, "bf16"), 1),
        "  batch 1, channels_last": (our_step(one, "bf16", laid_out(last)), 1),
    }


def timed(arms: dict[str, Arm], rounds: int) -> dict[str, list[float]]:
    """Milliseconds a sample of each arm in each round, the arms one after the other."""
    taken: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(rounds + 1):  # the first round warms up
        for name, (step, batch) in arms.items():
            began = time.perf_counter()
            step(number)
            if number:
                taken[name].append(1000 * (time.perf_counter() - began) / batch)
    return taken


def main() -> int:
    """Print the table; 1 if a bar is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--choices", action="store_true")
    chosen = parser.parse_args()
    arms = {"peer, batch 1": (peer_step(), 1)}
    arms |= choice_arms() if chosen.choices else kept_arms()
    taken = timed(arms, chosen.rounds)
    peer = taken["peer, batch 1"]
    print(f"{torch.get_num_threads()} threads, {chosen.rounds} rounds, median ms a sample")
    missed = False
    for name, samples in taken.items():
        ratio = statistics.median(p / s for p, s in zip(peer, samples, strict=True))
        spread = f"{min(samples):.0f} to {max(samples):.0f}"
        bar = BARS.get(name)
        told = "" if bar is None else f"  bar {bar}: {'held' if ratio >= bar else 'MISSED'}"
        missed |= bar is not None and ratio < bar
        print(f"{name:32} {statistics.median(samples):7.1f}  ({spread:12})  x {ratio:.2f}{told}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
