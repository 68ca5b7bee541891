"""One training step of `score`: the discriminator learns, then eyes, voices and drawing."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from soundreel.dataset.loading import Pairs
from soundreel.networks.harmony import STRETCHES, as_bytes, harmony_of, image_harmony
from soundreel.networks.losses import l1_loss
from soundreel.networks.model_folder import Architecture
from soundreel.networks.precision import Precision, autocast
from soundreel.networks.reel_losses import feature_l1, pyramid_l1
from soundreel.networks.score import Score
from soundreel.networks.score_judge import ScoreJudge
from soundreel.networks.score_losses import onset_l1
from soundreel.networks.score_voices import clips_voice, nearest_clips
from soundreel.seeding import seed_for
from soundreel.sound.representation import columns_from
from soundreel.timeline import exact_seconds, samples_before
from soundreel.training.evenly import spread
from soundreel.training.histories import SEEN_SIDE, Seen, Sight, Windows
from soundreel.training.optimising import average_in, fused_adam, take_step
from soundreel.training.presets import Training
from soundreel.training.ranks import Alone, Ranks
from soundreel.training.step import rate_share, set_rate

#: Windows of the training clips whose look is remembered.
_LOOKS, _AT_ONCE = 1_024, 32
#: When measured, as if the window ended here in a film.
_PLAYED_SECONDS = 8.0


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
        seen: Seen,
        precision: Precision,
        device: torch.device,
        ranks: Ranks | None = None,
    ) -> None:
        """Networks for these training pairs: a voice for each of their clips.

        seen: the frames of all the pairs' windows.
        """
        self.settings = settings
        self.precision: Precision = precision
        self.device = device
        self.ranks = ranks or Alone()
        self._places_P = spread(len(pairs), _LOOKS)
        harmony_QS, clip_Q = remembered_harmony(pairs, settings.score.remembered_seconds)
        self.arguments = score_arguments(
            settings, pairs, seen.sight, len(clip_Q), len(self._places_P)
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(settings.seed, "weights"))
            self.generator = Score(**self.arguments)
            self.discriminator = ScoreJudge(settings.discriminator_width, len(pairs.clip_ids))
        for network in (self.generator, self.discriminator):
            network.to(device)
            for parameter in network.parameters():
                if parameter.dim() == 4:
                    parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.generator_optimizer = fused_adam(
            [
                {"params": [p for n, p in self.generator.named_parameters() if n != "voice_NV"]},
                {"params": [self.generator.voice_NV], "lr": settings.score.voice_learning_rate},
            ],
            settings.learning_rate,
            settings,
        )
        self.discriminator_optimizer = fused_adam(
            list(self.discriminator.parameters()),
            settings.discriminator_learning_rate,
            settings,
        )
        self.generator.harmony_QS.copy_(harmony_QS)
        self.generator.harmony_clip_Q.copy_(clip_Q)
        self.averaged = copy.deepcopy(self.generator) if settings.ema_decay else None
        self._pairs, self._seen = pairs, seen
        self._remembered_at: int | None = None
        self._steps = 0

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
        average_in(self.averaged, self.generator, settings.ema_decay, step)
        self._steps += 1
        return losses

    def _learn(self, batch: Windows) -> Tensor:
        settings, score, generator = self.settings, self.settings.score, self.generator
        truth_B1SS = batch.truth_B1SS.to(self.device)
        average_B = (batch.even_BD[:, 0] < score.voice_dropout).to(self.device)
        clip_B = batch.clip_B.to(self.device)
        voice_B = torch.where(average_B, generator.average_voice, clip_B)
        harmony_BSG = image_harmony(truth_B1SS)
        untold_B = (batch.even_BD[:, 2] < score.harmony_dropout).to(self.device)
        harmony_BSG = torch.where(untold_B[:, None, None], 0.0, harmony_BSG)
        with self._autocast():
            y_B1SS = generator(
                batch.seen_BF3HW.to(self.device), generator.voice_NV[voice_B], harmony_BSG
            )
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
        take_step(generator, self.generator_optimizer, self.ranks, score.clip_gradients)
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
        take_step(self.discriminator, self.discriminator_optimizer, self.ranks)
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

    @torch.no_grad()
    def remember(self) -> None:
        """Find what is seen in windows of the training clips, as it is seen now."""
        if self._remembered_at == self._steps:
            return
        generator, places = self.best_generator, self._places_P
        seen_BD = torch.cat(
            [
                generator.see(self._seen.windows(part).to(self.device)).float().mean(2)
                for part in np.array_split(places, -(-len(places) // _AT_ONCE))
            ]
        )
        for filled in {self.generator, generator}:
            filled.seen_PD.copy_(seen_BD)
            filled.seen_clip_P.copy_(torch.from_numpy(self._pairs.clip_N[places]))
            filled.seen_scale_D.copy_(seen_BD.std(0, correction=0) + 1e-3)
        self._remembered_at = self._steps

    @torch.inference_mode()
    def generate(self, x_BF3HW: Tensor, seeds: Sequence[int]) -> Tensor:
        """Sound images as the saved model would make them, float32 in [-1, 1], on the CPU.

        In the voice of the training clip that looks most like each window, and with the harmony
        of that clip's beginning. Shape: B x F x 3 x H x W -> B x 1 x S x S.
        """
        self.remember()
        generator, recipe = self.best_generator.eval(), self._pairs.recipe
        x_BF3HW = x_BF3HW.to(self.device)
        cues = [
            clips_voice(generator, {int(clip): 1.0}).cue(generator, recipe, [_PLAYED_SECONDS])
            for clip in nearest_clips(generator, x_BF3HW)
        ]
        voice_BV = torch.cat([cue.voice_BV for cue in cues])
        harmony_BSG = torch.cat([cue.harmony_BSG for cue in cues])
        with self._autocast():
            made_B1SS = generator(x_BF3HW, voice_BV, harmony_BSG)
        return made_B1SS.float().clamp(-1, 1).cpu()

    def _autocast(self) -> torch.autocast:
        return autocast(self.device.type, self.precision)


def remembered_harmony(pairs: Pairs, most_seconds: float) -> tuple[Tensor, Tensor]:
    """The harmony of the clips' sounds from their beginnings: Q x S bytes, and Q clips.

    Of each clip at most `most_seconds`, a row for each stretch (see `harmony`).
    """
    recipe = pairs.recipe
    columns = recipe.sound_image_size // STRETCHES
    stretch_samples = columns * recipe.hop_samples
    most_samples = samples_before(exact_seconds(most_seconds), recipe.sample_rate_hz)
    kept, clips = [], []
    for clip, sound in enumerate(pairs.sounds):
        stretches = min(len(sound), most_samples) // stretch_samples
        if not stretches:
            continue
        sound_N = torch.from_numpy(np.asarray(sound))
        level_SK = columns_from(sound_N, 0, stretches * columns, recipe)
        mean_SQ = level_SK.unflatten(1, (stretches, columns)).mean(2)
        kept.append(as_bytes(harmony_of(mean_SQ[None])[0].T))
        clips.append(torch.full((stretches,), clip))
    empty = torch.empty(0, recipe.sound_image_size, dtype=torch.uint8)
    return torch.cat([empty, *kept]), torch.cat([torch.empty(0, dtype=torch.long), *clips])


def score_arguments(
    settings: Training, pairs: Pairs, sight: Sight, harmonies: int, looks: int
) -> dict[str, Any]:
    """What `Score` is made with; kept in the model's config."""
    return {
        "sound_size": pairs.recipe.sound_image_size,
        "frames": sight.frames,
        "step": str(sight.step_seconds),
        "side": SEEN_SIDE,
        "width": settings.width,
        "clips": len(pairs.clip_ids),
        "harmonies": harmonies,
        "looks": looks,
    }
