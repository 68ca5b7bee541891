"""One training step of `score`: the discriminator learns, then eyes, voices and drawing."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundreel.dataset.loading import Pairs
from soundreel.networks.losses import l1_loss
from soundreel.networks.model_folder import Architecture
from soundreel.networks.precision import Precision, autocast
from soundreel.networks.reel_losses import feature_l1, pyramid_l1
from soundreel.networks.score import Score
from soundreel.networks.score_judge import ScoreJudge
from soundreel.networks.score_losses import onset_l1
from soundreel.seeding import seed_for
from soundreel.training.histories import SEEN_SIDE, Sight, Windows
from soundreel.training.presets import Training
from soundreel.training.ranks import Alone, Ranks
from soundreel.training.step import rate_share, set_rate


class ScoreNetworks:
    """Both networks of `score`, their optimizers and the averaged generator.

    Weights are drawn from the settings' seed, on the CPU.
    """

    loss_names: tuple[str, ...] = ("discriminator", "adversarial", "onsets", "l1")
    architecture: Architecture = "score"

    def __init__(
        self,
        settings: Training,
        pairs: Pairs,
        sight: Sight,
        precision: Precision,
        device: torch.device,
        ranks: Ranks | None = None,
    ) -> None:
        """Networks for these training pairs: a voice for each of their clips."""
        self.settings = settings
        self.precision: Precision = precision
        self.device = device
        self.ranks = ranks or Alone()
        self.arguments = score_arguments(settings, pairs, sight)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(settings.seed, "weights"))
            self.generator = Score(**self.arguments)
            self.discriminator = ScoreJudge(settings.discriminator_width, len(pairs.clip_ids))
        for network in (self.generator, self.discriminator):
            network.to(device)
            for parameter in network.parameters():
                if parameter.dim() == 4:
                    parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.generator_optimizer = self._adam(
            [
                {"params": [p for n, p in self.generator.named_parameters() if n != "voice_NV"]},
                {"params": [self.generator.voice_NV], "lr": settings.score.voice_learning_rate},
            ],
            settings.learning_rate,
        )
        self.discriminator_optimizer = self._adam(
            list(self.discriminator.parameters()), settings.discriminator_learning_rate
        )
        self.averaged = copy.deepcopy(self.generator) if settings.ema_decay else None

    @property
    def best_generator(self) -> Score:
        """The generator that sound is made with: the averaged one where there is one."""
        return self.generator if self.averaged is None else self.averaged

    def step(self, step: int, total: int, batch: Windows) -> Tensor:
        """Learn from one batch, or from this process's part of it.

        Returns: the losses before this step, in the order of `loss_names`, on the device.
        """
        settings = self.settings
        share = rate_share(settings.schedule, step, total)
        ours, voices = self.generator_optimizer.param_groups
        ours["lr"] = settings.learning_rate * share
        voices["lr"] = settings.score.voice_learning_rate * share
        set_rate(self.discriminator_optimizer, settings.discriminator_learning_rate * share)
        losses = self._learn(batch)
        # Early on the average forgets faster, or it would remember the random weights for long.
        self._average(1 - min(settings.ema_decay, (1 + step) / (10 + step)))
        return losses

    def _learn(self, batch: Windows) -> Tensor:
        settings, score, generator = self.settings, self.settings.score, self.generator
        truth_B1SS = batch.truth_B1SS.to(self.device)
        average_B = (batch.even_BD[:, 0] < score.voice_dropout).to(self.device)
        clip_B = batch.clip_B.to(self.device)
        voice_B = torch.where(average_B, generator.average_voice, clip_B)
        with self._autocast():
            y_B1SS = generator(batch.seen_BF3HW.to(self.device), generator.voice_NV[voice_B])
        y_B1SS = y_B1SS.float()
        zero = torch.zeros((), device=self.device)
        judged = fooled = features = zero
        if settings.gan_weight:
            judged = self._teach_judge(truth_B1SS, y_B1SS.detach(), voice_B)
            fooled, features = self._ask_judge(truth_B1SS, y_B1SS, voice_B)
        onsets = onset_l1(y_B1SS, truth_B1SS)
        loss = (
            settings.gan_weight * fooled
            + settings.l1_weight * pyramid_l1(y_B1SS, truth_B1SS)
            + score.onset_weight * onsets
            + score.feature_weight * features
        )
        self.generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._take_step(generator, self.generator_optimizer, score.clip_gradients)
        missed = l1_loss(y_B1SS.detach().clamp(-1, 1), truth_B1SS)
        return torch.stack([judged, fooled.detach(), onsets.detach(), missed])

    def _teach_judge(self, truth_B1SS: Tensor, made_B1SS: Tensor, voice_B: Tensor) -> Tensor:
        """Real patches above 1 and made ones below -1: the hinge loss of Lim and Ye 2017."""
        with self._autocast():
            real = self.discriminator(truth_B1SS, voice_B).score_BP.float()
            fake = self.discriminator(made_B1SS, voice_B).score_BP.float()
        loss = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._take_step(self.discriminator, self.discriminator_optimizer)
        return loss.detach()

    def _ask_judge(
        self, truth_B1SS: Tensor, made_B1SS: Tensor, voice_B: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The adversarial loss, and how differently made and true images are seen."""
        judge = self.discriminator
        judge.requires_grad_(False)
        with self._autocast():
            made = judge(made_B1SS, voice_B)
            with torch.no_grad():
                real = judge(truth_B1SS, voice_B)
            features = feature_l1([m.float() for m in made.maps], [m.float() for m in real.maps])
        judge.requires_grad_(True)
        return -made.score_BP.float().mean(), features

    def remember(self) -> None:
        """Nothing: a `score` remembers no training frames."""

    @torch.inference_mode()
    def generate(self, x_BF3HW: Tensor, seeds: Sequence[int]) -> Tensor:
        """Sound images in the average voice, B x 1 x S x S, float32 in [-1, 1], on the CPU."""
        generator = self.best_generator.eval()
        voice_BV = generator.voice_NV[-1:].expand(len(x_BF3HW), -1)
        with self._autocast():
            made_B1SS = generator(x_BF3HW.to(self.device), voice_BV)
        return made_B1SS.float().clamp(-1, 1).cpu()

    def _take_step(
        self, network: nn.Module, optimizer: torch.optim.Adam, longest: float | None = None
    ) -> None:
        if self.ranks.count > 1:
            self.ranks.average(p.grad for p in network.parameters() if p.grad is not None)
        if longest is not None:
            nn.utils.clip_grad_norm_(network.parameters(), longest)
        optimizer.step()

    def _autocast(self) -> torch.autocast:
        return autocast(self.device.type, self.precision)

    @torch.no_grad()
    def _average(self, newest_share: float) -> None:
        if self.averaged is None:
            return
        for averaged, newest in zip(
            self.averaged.parameters(), self.generator.parameters(), strict=True
        ):
            averaged.lerp_(newest, newest_share)

    def _adam(self, parameters: list[Any], rate: float) -> torch.optim.Adam:
        settings = self.settings
        return torch.optim.Adam(
            parameters, rate, (settings.beta1, settings.beta2), eps=1e-8, fused=True
        )


def score_arguments(settings: Training, pairs: Pairs, sight: Sight) -> dict[str, Any]:
    """What `Score` is made with; kept in the model's config."""
    return {
        "sound_size": pairs.recipe.sound_image_size,
        "frames": sight.frames,
        "step": str(sight.step_seconds),
        "side": SEEN_SIDE,
        "width": settings.width,
        "clips": len(pairs.clip_ids),
    }
