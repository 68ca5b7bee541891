"""One training step: the discriminator learns, then the generator."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from soundreel.networks.losses import adversarial_loss, discriminator_loss, l1_loss
from soundreel.networks.model_folder import Architecture, Direction
from soundreel.networks.norms import Norm, statistics_left_alone
from soundreel.networks.patchgan import PatchGAN
from soundreel.networks.precision import Precision, autocast
from soundreel.networks.unet import UNet
from soundreel.seeding import seed_for
from soundreel.training.batches import Batch
from soundreel.training.graph import GraphedStep
from soundreel.training.presets import Training
from soundreel.training.ranks import Alone, Ranks

Network = Callable[..., Tensor]


class Networks:
    """Both networks, their optimizers and the averaged generator: all that training changes.

    Weights are drawn from the settings' seed, on the CPU, so they do not depend on the device.
    """

    #: The losses of a step, in this order.
    loss_names: tuple[str, ...] = ("discriminator", "adversarial", "l1")
    architecture: Architecture = "unet"

    def __init__(
        self,
        settings: Training,
        direction: Direction,
        precision: Precision,
        device: torch.device,
        ranks: Ranks | None = None,
    ) -> None:
        self.settings = settings
        self.arguments = generator_arguments(settings, direction)
        self.precision: Precision = precision
        self.device = device
        self.ranks = ranks or Alone()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(settings.seed, "weights"))
            self.generator = UNet(**self.arguments)
            self.discriminator = PatchGAN(
                3 + settings.sound_channels,
                settings.discriminator_width,
                bias_before_norm=settings.bias_before_norm,
            )
        # Measured: channels_last pays from a batch of 2, and costs at batch 1 (PERFORMANCE.md).
        self.layout = torch.channels_last if settings.batch > 1 else torch.contiguous_format
        for network in (self.generator, self.discriminator):
            network.to(device)
            for parameter in network.parameters():
                if parameter.dim() == 4:
                    parameter.data = parameter.data.contiguous(memory_format=self.layout)
            if self.ranks.count > 1:
                for module in network.modules():
                    if isinstance(module, Norm):
                        module.across = self.ranks.add_up
        self.generator_optimizer = self._adam(self.generator, settings.learning_rate)
        self.discriminator_optimizer = self._adam(
            self.discriminator, settings.discriminator_learning_rate
        )
        self.averaged = copy.deepcopy(self.generator) if settings.ema_decay else None
        self._newest_share = torch.zeros((), device=device)
        self._make: Network = self.generator
        self._judge: Network = self.discriminator
        if settings.step_engine == "compiled":
            # The same modules and weights, their forward and backward compiled.
            self._make = torch.compile(self.generator)
            self._judge = torch.compile(self.discriminator)
        self._learn_from: Callable[[Tensor, Tensor, list[Tensor]], Tensor] = self.learn
        if settings.step_engine == "graph":
            self._learn_from = GraphedStep(self.learn, device)

    @property
    def best_generator(self) -> UNet:
        """The generator that pictures are made with: the averaged one where there is one."""
        return self.generator if self.averaged is None else self.averaged

    def step(self, step: int, total: int, batch: Batch) -> Tensor:
        """Learn from one batch, or from this process's part of it.

        step: its number, from 0; with `total` it decides the learning rate.
        Returns: the losses before this step, in the order of `loss_names`, on the device; the
        first two are 0 where `gan_weight` is 0. With several processes, of this one's part.
        """
        settings = self.settings
        x_BCHW = batch.x_BCHW.to(self.device, memory_format=self.layout, non_blocking=True)
        truth_BCHW = batch.truth_BCHW.to(self.device, memory_format=self.layout, non_blocking=True)
        masks = [mask.to(self.device) for mask in self.generator.draw_masks(batch.seeds)]
        share = rate_share(settings.schedule, step, total)
        set_rate(self.generator_optimizer, settings.learning_rate * share)
        set_rate(self.discriminator_optimizer, settings.discriminator_learning_rate * share)
        # Early on the average forgets faster, or it would remember the random weights for long.
        self._newest_share.fill_(1 - min(settings.ema_decay, (1 + step) / (10 + step)))
        return self._learn_from(x_BCHW, truth_BCHW, masks)

    def learn(self, x_BCHW: Tensor, truth_BCHW: Tensor, masks: list[Tensor]) -> Tensor:
        """All of a step that happens on the device, at the rates that are set."""
        self.generator.train()
        parts = self.settings.accumulate
        losses = torch.zeros(len(self.loss_names), dtype=truth_BCHW.dtype, device=self.device)
        inputs = list(zip(x_BCHW.chunk(parts), truth_BCHW.chunk(parts), strict=True))
        masks_of = [[mask.chunk(parts)[part] for mask in masks] for part in range(parts)]
        made: list[Tensor] = []
        if self.settings.gan_weight:
            self.discriminator_optimizer.zero_grad(set_to_none=True)
            for (x, truth), noise in zip(inputs, masks_of, strict=True):
                y = self._made(x, truth, noise, again=parts > 1)
                made.append(y)
                losses[0] += self._teach_discriminator(x, truth, y) / parts
            self._take_step(self.discriminator, self.discriminator_optimizer)
        self.generator_optimizer.zero_grad(set_to_none=True)
        for part, ((x, truth), noise) in enumerate(zip(inputs, masks_of, strict=True)):
            # One part is made once, for both; of several, each is made again to save memory.
            y = made[part] if made and parts == 1 else self._made(x, truth, noise, again=False)
            losses[1:] += self._teach_generator(x, truth, y) / parts
        self._take_step(self.generator, self.generator_optimizer)
        self._average()
        return losses

    def _made(self, x: Tensor, truth: Tensor, masks: list[Tensor], again: bool) -> Tensor:
        """Pictures in the truth's precision; `again`: without gradients, another time to come."""
        if again:
            with torch.no_grad(), statistics_left_alone(self.generator), self._autocast():
                return self._make(x, masks).to(truth.dtype)
        with self._autocast():
            return self._make(x, masks).to(truth.dtype)

    def _teach_discriminator(self, x: Tensor, truth: Tensor, y: Tensor) -> Tensor:
        with self._autocast():
            real = self._judge(x, truth)
            fake = self._judge(x, y.detach())
        judged = discriminator_loss(real.to(truth.dtype), fake.to(truth.dtype))
        (judged / self.settings.accumulate).backward()
        return judged.detach()

    def _teach_generator(self, x: Tensor, truth: Tensor, y: Tensor) -> Tensor:
        settings = self.settings
        fooled = truth.new_zeros(())
        if settings.gan_weight:
            # Gradients pass through the discriminator here, none are kept for its weights. A new
            # autocast: inside the one above, its weights from before its step would be cached.
            self.discriminator.requires_grad_(False)
            with self._autocast():
                fake = self._judge(x, y)
            fooled = adversarial_loss(fake.to(truth.dtype))
            self.discriminator.requires_grad_(True)
        missed = l1_loss(y, truth)
        loss = settings.gan_weight * fooled + settings.l1_weight * missed
        (loss / settings.accumulate).backward()
        return torch.stack([fooled.detach(), missed.detach()])

    def _take_step(self, network: nn.Module, optimizer: torch.optim.Adam) -> None:
        if self.ranks.count > 1:
            self.ranks.average(p.grad for p in network.parameters() if p.grad is not None)
        optimizer.step()

    def remember(self) -> None:
        """Nothing: a U-Net remembers no training frames (see `ReelNetworks`)."""

    @torch.inference_mode()
    def generate(self, x_BCHW: Tensor, seeds: Sequence[int]) -> Tensor:
        """Pictures as the saved model would make them, B x C x size x size, float32, on the CPU."""
        generator = self.best_generator.eval()
        x_BCHW = x_BCHW.to(self.device, memory_format=self.layout)
        masks = generator.draw_masks(seeds) if generator.depends_on_noise else []
        with self._autocast():
            return generator(x_BCHW, masks).float().cpu()

    def _autocast(self) -> torch.autocast:
        return autocast(self.device.type, self.precision)

    @torch.no_grad()
    def _average(self) -> None:
        if self.averaged is None:
            return
        numbers = zip(_numbers(self.averaged), _numbers(self.generator), strict=True)
        for averaged, newest in numbers:
            averaged.lerp_(newest, self._newest_share.to(averaged.dtype))

    def _adam(self, network: nn.Module, rate: float) -> torch.optim.Adam:
        settings = self.settings
        graphed = settings.step_engine == "graph"
        return torch.optim.Adam(
            network.parameters(),
            # A graph reads its rate from where it lies; a number would be captured for good.
            torch.tensor(rate, device=self.device) if graphed else rate,
            (settings.beta1, settings.beta2),
            eps=1e-8,
            fused=True,
            capturable=graphed,
        )


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


def set_rate(optimizer: torch.optim.Adam, rate: float) -> None:
    """Learn at this rate from now on."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def _numbers(network: nn.Module) -> Iterable[Tensor]:
    """Parameters and running statistics: all that makes a generator."""
    yield from network.parameters()
    yield from network.buffers()
