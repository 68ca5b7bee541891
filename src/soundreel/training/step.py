"""One training step: the discriminator learns, then the generator."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from soundreel.networks.bundle import Direction
from soundreel.networks.losses import adversarial_loss, discriminator_loss, l1_loss
from soundreel.networks.patchgan import PatchGAN
from soundreel.networks.precision import Precision, autocast
from soundreel.networks.unet import UNet
from soundreel.seeding import seed_for
from soundreel.training.presets import Training

#: The losses of a step, in this order.
LOSS_NAMES = ("discriminator", "adversarial", "l1")


class Networks:
    """Both networks, their optimizers and the averaged generator: all that training changes.

    Weights are drawn from the settings' seed, on the CPU, so they do not depend on the device.
    """

    def __init__(
        self, settings: Training, direction: Direction, precision: Precision, device: torch.device
    ) -> None:
        self.settings = settings
        self.arguments = generator_arguments(settings, direction)
        self.precision: Precision = precision
        self.device = device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(settings.seed, "weights"))
            self.generator = UNet(**self.arguments)
            self.discriminator = PatchGAN(
                3 + settings.sound_channels,
                settings.discriminator_width,
                bias_before_norm=settings.bias_before_norm,
            )
        # Measured: channels_last pays from a batch of 2, and costs at batch 1 (PERFORMANCE.md).
        self._layout = torch.channels_last if settings.batch > 1 else torch.contiguous_format
        for network in (self.generator, self.discriminator):
            network.to(device)
            for parameter in network.parameters():
                if parameter.dim() == 4:
                    parameter.data = parameter.data.contiguous(memory_format=self._layout)
        self.generator_optimizer = _adam(self.generator, settings.learning_rate, settings)
        self.discriminator_optimizer = _adam(
            self.discriminator, settings.discriminator_learning_rate, settings
        )
        self.averaged = copy.deepcopy(self.generator) if settings.ema_decay else None

    @property
    def best_generator(self) -> UNet:
        """The generator that pictures are made with: the averaged one where there is one."""
        return self.generator if self.averaged is None else self.averaged

    def step(self, step: int, total: int, x_BCHW: Tensor, truth_BCHW: Tensor) -> Tensor:
        """Learn from one batch.

        step: its number, from 0; it decides the dropout masks and the learning rate.
        Returns: the losses before this step, in the order of LOSS_NAMES, on the device; the
        first two are 0 where `gan_weight` is 0.
        """
        settings = self.settings
        x_BCHW = x_BCHW.to(self.device, memory_format=self._layout)
        truth_BCHW = truth_BCHW.to(self.device, memory_format=self._layout)
        share = rate_share(settings.schedule, step, total)
        _set_rate(self.generator_optimizer, settings.learning_rate * share)
        _set_rate(self.discriminator_optimizer, settings.discriminator_learning_rate * share)

        full = truth_BCHW.dtype  # losses are computed in it, whatever the convolutions are in
        self.generator.train()
        first = step * settings.batch
        masks = self.generator.draw_masks(
            [seed_for(settings.seed, "masks", first + i) for i in range(len(x_BCHW))]
        )
        with self._autocast():
            y_BCHW = self.generator(x_BCHW, masks).to(full)

        judged = truth_BCHW.new_zeros(())
        if settings.gan_weight:
            with self._autocast():
                real = self.discriminator(x_BCHW, truth_BCHW)
                fake = self.discriminator(x_BCHW, y_BCHW.detach())
            judged = discriminator_loss(real.to(full), fake.to(full))
            _learn(self.discriminator_optimizer, judged)

        fooled = truth_BCHW.new_zeros(())
        if settings.gan_weight:
            # Gradients pass through the discriminator here, none are kept for its weights. A new
            # autocast: inside the one above, its weights from before its step would be cached.
            self.discriminator.requires_grad_(False)
            with self._autocast():
                fake = self.discriminator(x_BCHW, y_BCHW)
            fooled = adversarial_loss(fake.to(full))
            self.discriminator.requires_grad_(True)
        missed = l1_loss(y_BCHW, truth_BCHW)
        _learn(self.generator_optimizer, settings.gan_weight * fooled + settings.l1_weight * missed)
        self._average(step)
        return torch.stack([judged.detach(), fooled.detach(), missed.detach()])

    @torch.inference_mode()
    def generate(self, x_BCHW: Tensor, seeds: Sequence[int]) -> Tensor:
        """Pictures as the saved model would make them, B x C x size x size, float32, on the CPU."""
        generator = self.best_generator.eval()
        x_BCHW = x_BCHW.to(self.device, memory_format=self._layout)
        masks = generator.draw_masks(seeds) if generator.depends_on_noise else []
        with self._autocast():
            return generator(x_BCHW, masks).float().cpu()

    def _autocast(self) -> torch.autocast:
        return autocast(self.device.type, self.precision)

    @torch.no_grad()
    def _average(self, step: int) -> None:
        if self.averaged is None:
            return
        # Early on the average forgets faster, or it would remember the random weights for long.
        decay = min(self.settings.ema_decay, (1 + step) / (10 + step))
        numbers = zip(_numbers(self.averaged), _numbers(self.generator), strict=True)
        for averaged, newest in numbers:
            averaged.lerp_(newest, 1 - decay)


def generator_arguments(settings: Training, direction: Direction) -> dict[str, Any]:
    """What `UNet` is made with; kept in the model's config."""
    sound_to_picture = direction == "sound-to-picture"
    return {
        "size": settings.size,
        "in_channels": settings.sound_channels if sound_to_picture else 3,
        "out_channels": 3 if sound_to_picture else settings.sound_channels,
        "width": settings.width,
        "norm": settings.norm,
        "bias_before_norm": settings.bias_before_norm,
        "innermost_norm": settings.innermost_norm,
        "dropout": settings.dropout,
        "dropout_at_generation": settings.dropout_at_generation,
    }


def rate_share(schedule: str, step: int, total: int) -> float:
    """The share of the learning rate that a step gets, from 1 down to 0.

    linear: 1 for the first half, then evenly down; cosine: half a cosine down; constant: 1.
    """
    if schedule == "linear":
        return min(1.0, 2 * (total - step) / total)
    if schedule == "cosine":
        return 0.5 + 0.5 * math.cos(math.pi * step / total)
    return 1.0


def _adam(network: nn.Module, rate: float, settings: Training) -> torch.optim.Adam:
    return torch.optim.Adam(
        network.parameters(), rate, (settings.beta1, settings.beta2), eps=1e-8, fused=True
    )


def _set_rate(optimizer: torch.optim.Adam, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _learn(optimizer: torch.optim.Adam, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def _numbers(network: nn.Module) -> Iterable[Tensor]:
    """Parameters and running statistics: all that makes a generator."""
    yield from network.parameters()
    yield from network.buffers()
