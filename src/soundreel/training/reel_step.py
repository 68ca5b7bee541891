"""One training step of `reel`: the discriminator learns, then sound, looks, layout and drawing."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from soundreel.cutting.learning import shots_of_pairs
from soundreel.dataset.loading import Pairs
from soundreel.networks.losses import l1_loss
from soundreel.networks.model_folder import Architecture
from soundreel.networks.precision import Precision, autocast
from soundreel.networks.reel import Reel
from soundreel.networks.reel_judge import (
    ReelJudge,
    Scores,
    discriminator_hinge,
    generator_hinge,
)
from soundreel.networks.reel_losses import (
    code_divergence,
    feature_l1,
    motion_l1,
    moved_and_cut,
    pyramid_l1,
)
from soundreel.recipe import Recipe
from soundreel.seeding import numpy_generator_for, seed_for
from soundreel.training.evenly import spread
from soundreel.training.moments import Moments, crop_box, framed
from soundreel.training.optimising import average_in, fused_adam, take_step
from soundreel.training.presets import Training
from soundreel.training.ranks import Alone, Ranks
from soundreel.training.shot_tones import shot_tones
from soundreel.training.step import rate_share, set_rate

#: Moments of one clip that are so near in time may well have the same picture.
_APART_SECONDS = 1.0
_AT_ONCE = 32


class ReelNetworks:
    """Both networks of `reel`, their optimizers and the averaged generator.

    Weights are drawn from the settings' seed, on the CPU. What the model remembers of its
    training frames is found anew whenever pictures are to be made (see `remember`).
    """

    loss_names: tuple[str, ...] = ("discriminator", "adversarial", "motion", "divergence", "l1")
    architecture: Architecture = "reel"

    def __init__(
        self,
        settings: Training,
        pairs: Pairs,
        precision: Precision,
        device: torch.device,
        ranks: Ranks | None = None,
    ) -> None:
        """Networks for these training pairs: a look for each of their clips."""
        self.settings = settings
        self.precision: Precision = precision
        self.device = device
        self.ranks = ranks or Alone()
        self._pairs = pairs
        self._places_R = spread(len(pairs), settings.reel.references)
        self.arguments = reel_arguments(settings, pairs, len(self._places_R))
        judge_arguments = {
            name: self.arguments[name]
            for name in ("rows", "columns", "clips", "sound_size", "evenly_in_hz", "low_row_first")
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(settings.seed, "weights"))
            self.generator = Reel(**self.arguments)
            self.discriminator = ReelJudge(
                consecutive=settings.reel.consecutive,
                width=settings.discriminator_width,
                **judge_arguments,
            )
        for network in (self.generator, self.discriminator):
            network.to(device)
            for parameter in network.parameters():
                if parameter.dim() == 4:
                    parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.generator_optimizer = fused_adam(
            [
                {"params": [p for n, p in self.generator.named_parameters() if n != "look_NL"]},
                {"params": [self.generator.look_NL], "lr": settings.reel.look_learning_rate},
            ],
            settings.learning_rate,
            settings,
        )
        self.discriminator_optimizer = fused_adam(
            list(self.discriminator.parameters()),
            settings.discriminator_learning_rate,
            settings,
        )
        self.averaged = copy.deepcopy(self.generator) if settings.ema_decay else None
        self.shot_N = shots_of_pairs(pairs)
        self._shot_R = self.shot_N[self._places_R]
        self.tone_NT = (
            shot_tones(pairs, self.shot_N) if settings.reel.tone else torch.zeros(len(pairs), 0)
        )
        self._remembered_at: int | None = None
        self._steps = 0

    @property
    def best_generator(self) -> Reel:
        """The generator that pictures are made with: the averaged one where there is one."""
        return self.generator if self.averaged is None else self.averaged

    def step(self, step: int, total: int, batch: Moments) -> Tensor:
        """Learn from one batch, or from this process's part of it.

        Returns: the losses before this step, in the order of `loss_names`, on the device.
        """
        settings = self.settings
        share = rate_share(settings.schedule, step, total)
        ours, looks = self.generator_optimizer.param_groups
        ours["lr"] = settings.learning_rate * share
        looks["lr"] = settings.reel.look_learning_rate * share
        set_rate(self.discriminator_optimizer, settings.discriminator_learning_rate * share)
        losses = self._learn(batch)
        average_in(self.averaged, self.generator, settings.ema_decay, step)
        self._steps += 1
        return losses

    def _learn(self, batch: Moments) -> Tensor:
        settings, reel = self.settings, self.settings.reel
        generator, frames = self.generator, self.settings.reel.consecutive
        x_B1SS = batch.x_B1SS.to(self.device)
        truth_BCHW = batch.truth_B3HW.to(self.device, memory_format=torch.channels_last)
        clip_M, even_MD = batch.clip_M.to(self.device), batch.even_MD
        average_M = (even_MD[:, 0] < reel.look_dropout).to(self.device)
        look_M = torch.where(average_M, generator.average_look, clip_M)
        with self._autocast():
            seen_RCHW = batch.reference_MQ3HW.to(self.device).flatten(0, 1)
            mean_RCHW, log_variance_RCHW = generator.layout(seen_RCHW)
        divergence = code_divergence(mean_RCHW, log_variance_RCHW)
        tone_MT = batch.tone_MT.to(self.device)
        numbers = batch.noise_MZ.shape[1] - tone_MT.shape[1], tone_MT.shape[1]
        noise_MN, noise_MT = batch.noise_MZ.to(self.device).split(numbers, 1)
        map_MFN = walked(mean_RCHW, log_variance_RCHW, noise_MN)
        random_M11 = (even_MD[:, 1] < reel.reference_dropout).to(self.device)[:, None, None]
        map_MFN = torch.where(random_M11, noise_MN[:, None], map_MFN)
        tone_M1T = (tone_MT + reel.tone_noise * noise_MT)[:, None]
        code_MFZ = torch.cat([map_MFN, tone_M1T.expand(-1, frames, -1)], 2)
        look_BL = generator.look_NL[look_M].repeat_interleave(frames, 0)
        with self._autocast():
            y_BCHW = generator(x_B1SS, generator.cues(look_BL, code_MFZ.flatten(0, 1))).float()
        # Neighbouring pictures side by side in the channels; the newest one's sound is told.
        truth_MCHW, y_MCHW = self._beside(truth_BCHW), self._beside(y_BCHW)
        newest_M1SS = x_B1SS[frames - 1 :: frames]
        judged = torch.zeros((), device=self.device)
        fooled = torch.zeros((), device=self.device)
        features = torch.zeros((), device=self.device)
        if settings.gan_weight:
            judged = self._teach_judge(batch, truth_MCHW, y_MCHW.detach(), newest_M1SS, look_M)
            fooled, features = self._ask_judge(batch, truth_MCHW, y_MCHW, newest_M1SS, look_M)
        moved = (
            motion_l1(y_BCHW.unflatten(0, (-1, frames)), truth_BCHW.unflatten(0, (-1, frames)))
            if frames > 1
            else torch.zeros((), device=self.device)
        )
        loss = (
            settings.gan_weight * fooled
            + settings.l1_weight * pyramid_l1(y_BCHW, truth_BCHW)
            + reel.motion_weight * moved
            + reel.divergence_weight * divergence
            + reel.feature_weight * features
        )
        self.generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        take_step(generator, self.generator_optimizer, self.ranks, reel.clip_gradients)
        missed = l1_loss(y_BCHW.detach(), truth_BCHW)
        return torch.stack([judged, fooled.detach(), moved.detach(), divergence.detach(), missed])

    def _teach_judge(
        self, batch: Moments, truth: Tensor, made: Tensor, x_M1SS: Tensor, look_M: Tensor
    ) -> Tensor:
        judge, reel = self.discriminator, self.settings.reel
        with self._autocast():
            told_MA = judge.told(x_M1SS, look_M)
            seen = judge.see(moved_and_cut(truth, batch.even_MD[:, 2:6]))
            real = _float(judge.score(seen, told_MA))
            fake = _float(
                judge.score(judge.see(moved_and_cut(made, batch.even_MD[:, 6:10])), told_MA)
            )
            loss = discriminator_hinge(real, fake)
            if reel.wrong_sound_weight and len(x_M1SS) > 1:
                # True pictures with their neighbour's sound are no better than made ones, unless
                # that is a moment of the same clip and nearly of the same time.
                other_MA = judge.told(x_M1SS.roll(1, 0), look_M)
                wrong_M = _float(judge.score(seen, other_MA)).whole_B
                clip_M, seconds_M = batch.clip_M, batch.seconds_M
                apart_M = (clip_M != clip_M.roll(1)) | (
                    (seconds_M - seconds_M.roll(1)).abs() > _APART_SECONDS
                )
                wrong = (torch.relu(1 + wrong_M) * apart_M.to(wrong_M)).mean()
                loss = loss + reel.wrong_sound_weight * wrong
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        take_step(judge, self.discriminator_optimizer, self.ranks)
        return loss.detach()

    def _ask_judge(
        self, batch: Moments, truth: Tensor, made: Tensor, x_M1SS: Tensor, look_M: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The adversarial loss, and how differently made and true pictures are seen."""
        judge = self.discriminator
        drawn_M4 = batch.even_MD[:, 10:14]
        features = torch.zeros((), device=self.device)
        judge.requires_grad_(False)
        with self._autocast():
            seen = judge.see(moved_and_cut(made, drawn_M4))
            fooled = generator_hinge(_float(judge.score(seen, judge.told(x_M1SS, look_M))))
            if self.settings.reel.feature_weight:
                with torch.no_grad():
                    real = judge.see(moved_and_cut(truth, drawn_M4))
                features = feature_l1(
                    [m.float() for m in seen.maps], [m.float() for m in real.maps]
                )
        judge.requires_grad_(True)
        return fooled, features

    def _beside(self, pictures_BCHW: Tensor) -> Tensor:
        """The frames of a moment as channels: B x 3 x H x W -> M x 3F x H x W."""
        beside = pictures_BCHW.unflatten(0, (-1, self.settings.reel.consecutive)).flatten(1, 2)
        return beside.contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def generate(self, x_BCHW: Tensor, seeds: Sequence[int]) -> Tensor:
        """Pictures as the saved model makes them without cues, float32, on the CPU.

        Shape: B x 1 x S x S -> B x 3 x H x W.
        """
        self.remember()
        generator = self.best_generator.eval()
        # As `Model.pictures` does: the nearest sound is found in float32.
        sound_BA = generator.sound_codes(x_BCHW.to(self.device))
        cue_BK = generator.cues_by_sound(sound_BA)
        with self._autocast():
            return generator.draw(sound_BA, cue_BK).float().cpu()

    @torch.no_grad()
    def remember(self) -> None:
        """Find the sound and reference codes of the remembered training frames as they are now.

        Each shot is remembered framed in a way of its own, once for all.
        """
        if self._remembered_at == self._steps:
            return
        generator, places_R, settings = self.best_generator, self._places_R, self.settings
        sounds, codes = [], []
        for first in range(0, len(places_R), _AT_ONCE):
            part = places_R[first : first + _AT_ONCE]
            drawn = [
                numpy_generator_for(settings.seed, "shot framing", n) for n in self.shot_N[part]
            ]
            picture_B3HW = framed(
                self._pairs.pictures(part),
                [crop_box(rng, settings.reel.zoom) for rng in drawn],
                [bool(rng.random() < 0.5) and settings.reel.mirror for rng in drawn],
                generator.layout.seen,
            )
            sounds.append(generator.sound_codes(self._pairs.sound_images(part).to(self.device)))
            with self._autocast():
                map_BCHW, _ = generator.layout(picture_B3HW.to(self.device))
            tone_BT = self.tone_NT[torch.from_numpy(part)].to(self.device)
            codes.append(torch.cat([map_BCHW.float().flatten(1), tone_BT], 1))
        for filled in {self.generator, generator}:
            filled.reference_sound_RA.copy_(torch.cat(sounds))
            filled.reference_code_RZ.copy_(torch.cat(codes))
            filled.reference_clip_R.copy_(torch.from_numpy(self._pairs.clip_N[places_R]))
            filled.reference_shot_R.copy_(torch.from_numpy(self._shot_R))
            filled.reference_seconds_R.copy_(torch.from_numpy(self._pairs.time_seconds_N[places_R]))
        self._remembered_at = self._steps

    def _autocast(self) -> torch.autocast:
        return autocast(self.device.type, self.precision)


def picture_shape(settings: Training, recipe: Recipe) -> tuple[int, int]:
    """Rows and columns of `reel`'s pictures: the clips' own shape, the longer side `size`."""
    aspect = float(recipe.shape_aspect)
    shorter = 2 * round(settings.size / max(aspect, 1 / aspect) / 2)
    return (shorter, settings.size) if aspect >= 1 else (settings.size, shorter)


def reel_arguments(settings: Training, pairs: Pairs, references: int) -> dict[str, Any]:
    """What `Reel` is made with; kept in the model's config."""
    recipe = pairs.recipe
    rows, columns = picture_shape(settings, recipe)
    return {
        "rows": rows,
        "columns": columns,
        "width": settings.width,
        "clips": len(pairs.clip_ids),
        "references": references,
        "sound_size": recipe.sound_image_size,
        "evenly_in_hz": recipe.representation != "mel",
        "low_row_first": recipe.representation == "psd",
        "code_channels": settings.reel.code_channels,
        "code_side": settings.reel.code_side,
        "tone": settings.reel.tone,
    }


def walked(mean_RCHW: Tensor, log_variance_RCHW: Tensor, noise_MZ: Tensor) -> Tensor:
    """The codes of moments' frames, M x F x Z, evened out as along a take of a film.

    mean_RCHW, log_variance_RCHW: of each moment's Q = F + 2 reference frames, R = M Q.

    Each is a mean of its frame's code and those beside it, by 1 : 2 : 1; the noise is one for the
    whole moment, so that nothing shakes here that does not in a film.
    """
    mean_MQZ = mean_RCHW.flatten(1).unflatten(0, (len(noise_MZ), -1))
    deviation_MQZ = (0.5 * log_variance_RCHW).exp().flatten(1).unflatten(0, mean_MQZ.shape[:2])
    before, itself, after = mean_MQZ[:, :-2], mean_MQZ[:, 1:-1], mean_MQZ[:, 2:]
    evened_MFZ = 0.25 * before + 0.5 * itself + 0.25 * after
    return evened_MFZ + noise_MZ[:, None] * deviation_MQZ[:, 1:-1]


def _float(scores: Scores) -> Scores:
    return Scores(scores.whole_B.float(), scores.patches_BP.float())
