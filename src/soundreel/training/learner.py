"""What a training loop needs of networks and batches, and which ones a run's settings ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from soundreel.cutting.learning import habits_of_pairs
from soundreel.dataset.loading import Pairs
from soundreel.errors import SettingsError
from soundreel.networks.model_folder import Architecture, Direction
from soundreel.networks.precision import Precision
from soundreel.networks.reel import Reel
from soundreel.networks.score import Score
from soundreel.networks.unet import UNet
from soundreel.progress import Listener, silent
from soundreel.training.batches import Batches
from soundreel.training.histories import Seen, WindowBatches, heard_recipe, sight_for
from soundreel.training.moments import MomentBatches, pairs_in_reach
from soundreel.training.presets import Training
from soundreel.training.ranks import Ranks
from soundreel.training.reel_step import ReelNetworks, picture_shape
from soundreel.training.score_step import ScoreNetworks
from soundreel.training.source import InMemory, Source
from soundreel.training.step import Networks


class Learner(Protocol):
    """Networks that learn: `Networks` (pix2pix) or `ReelNetworks`.

    loss_names: of what a step returns, the mean absolute difference last. arguments: what the
    generator is made with. averaged: the running average of the generator, where there is one.
    """

    loss_names: tuple[str, ...]
    architecture: Architecture
    settings: Training
    arguments: dict[str, Any]
    precision: Precision
    device: torch.device
    ranks: Ranks
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.Adam

    @property
    def generator(self) -> nn.Module: ...

    @property
    def discriminator(self) -> nn.Module: ...

    @property
    def averaged(self) -> nn.Module | None: ...

    @property
    def best_generator(self) -> UNet | Reel | Score: ...

    def step(self, step: int, total: int, batch: Any) -> Tensor: ...

    def generate(self, x_BCHW: Tensor, seeds: Sequence[int], /) -> Tensor: ...

    def remember(self) -> None: ...


class AnyBatches(Protocol):
    """The batches that networks learn from."""

    def batch(self, step: int) -> Any: ...

    def ahead(self, first: int, stop: int, workers: int) -> Iterator[Any]: ...


def learner_for(
    source: Source,
    settings: Training,
    direction: Direction,
    precision: Precision,
    device: torch.device,
    ranks: Ranks,
    progress: Listener = silent,
) -> tuple[Learner, AnyBatches]:
    """The networks that the settings ask for, and batches of the source for them.

    Raises: SettingsError if the settings do not go with the source, its recipe or the direction.
    """
    if settings.architecture == "score":
        check_score(source, direction)
        pairs = pairs_in_reach(source)
        sight = sight_for(pairs, settings.score.step_seconds)
        seen = Seen(pairs, sight, progress=progress)
        score = ScoreNetworks(settings, pairs, seen, precision, device, ranks)
        assert isinstance(source, InMemory)
        return score, WindowBatches(source, settings, seen, ranks, device)
    if settings.architecture == "unet":
        networks = Networks(settings, direction, precision, device, ranks)
        return networks, Batches(source, settings, direction, ranks, device)
    check_reel(source, direction)
    reel = ReelNetworks(settings, pairs_in_reach(source), precision, device, ranks)
    batches = MomentBatches(
        source,
        settings,
        reel.shot_N,
        reel.tone_NT,
        picture_shape(settings, source.recipe),
        reel.generator.layout.seen,
        reel.generator.code_numbers,
        ranks,
        device,
    )
    return reel, batches


def check_reel(source: Source, direction: Direction) -> None:
    """Raises: SettingsError if `reel` cannot be trained on these pairs, or in this direction."""
    if direction != "sound-to-picture":
        raise SettingsError(
            "reel goes from sound to picture: train the other direction with --preset score"
        )
    if source.recipe.representation == "waveform":
        raise SettingsError(
            "reel hears frequencies, the dataset has `waveform` sound images: prepare it with "
            "--recipe default or mel"
        )
    pairs_in_reach(source)


def check_score(source: Source, direction: Direction) -> None:
    """Raises: SettingsError if `score` cannot be trained on these pairs, or in this direction."""
    if direction != "picture-to-sound":
        raise SettingsError(
            "score goes from picture to sound: add --direction picture-to-sound, or train the "
            "other direction with --preset reel"
        )
    if source.recipe.sound_images == "stored":
        raise SettingsError(
            "score makes sound, the dataset holds sound images made elsewhere and no sound: "
            "prepare it from videos"
        )
    if source.recipe.representation == "waveform":
        raise SettingsError(
            'score makes frequencies, these sound images are `waveform`: set heard = "mel" under '
            "[training.score]"
        )
    if source.recipe.sound_image_size % 16:
        raise SettingsError(
            f"score makes sound images whose side is a multiple of 16, the dataset's is "
            f"{source.recipe.sound_image_size}: prepare it with another sound_image_size"
        )
    pairs_in_reach(source)


def as_heard(source: Source, held_out_pairs: Pairs, settings: Training) -> tuple[Source, Pairs]:
    """The pairs with the sound images that the settings ask for: other ones for `score`."""
    if settings.architecture != "score" or settings.score.heard == "dataset":
        return source, held_out_pairs
    if source.recipe.sound_images == "stored":
        return source, held_out_pairs  # which `check_score` then refuses
    pairs = pairs_in_reach(source)
    recipe = heard_recipe(pairs.recipe)
    heard = InMemory(replace(pairs, recipe=recipe), settings.seed, settings.balance_clips)
    return heard, replace(held_out_pairs, recipe=recipe)


def learnt_from(source: Source, settings: Training, progress: Listener) -> Mapping[str, Any] | None:
    """What a model keeps of its clips beside weights: their names, and of a `reel` how they cut."""
    if settings.architecture == "unet":
        return None
    pairs = pairs_in_reach(source)
    if settings.architecture == "score":
        return {"looks": list(pairs.clip_ids)}
    habits = habits_of_pairs(pairs, progress)
    return {
        "looks": list(pairs.clip_ids),
        "cuts": habits.model_dump(mode="json"),
    }
