"""What a training loop needs of networks and batches, and which ones a run's settings ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from soundreel.cutting.learning import habits_of_pairs
from soundreel.errors import SettingsError
from soundreel.networks.model_folder import Architecture, Direction
from soundreel.networks.precision import Precision
from soundreel.networks.reel import Reel
from soundreel.networks.unet import UNet
from soundreel.progress import Listener
from soundreel.training.batches import Batches
from soundreel.training.moments import MomentBatches, pairs_in_reach
from soundreel.training.presets import Training
from soundreel.training.ranks import Ranks
from soundreel.training.reel_step import ReelNetworks, picture_shape
from soundreel.training.source import Source
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
    def best_generator(self) -> UNet | Reel: ...

    def step(self, step: int, total: int, batch: Any) -> Tensor: ...

    def generate(self, x_BCHW: Tensor, seeds: Sequence[int]) -> Tensor: ...

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
) -> tuple[Learner, AnyBatches]:
    """The networks that the settings ask for, and batches of the source for them.

    Raises: SettingsError if the settings do not go with the source, its recipe or the direction.
    """
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
            "reel goes from sound to picture: train the other direction with --preset default"
        )
    if source.recipe.representation == "waveform":
        raise SettingsError(
            "reel hears frequencies, the dataset has `waveform` sound images: prepare it with "
            "--recipe default or mel"
        )
    pairs_in_reach(source)


def learnt_from(source: Source, settings: Training, progress: Listener) -> Mapping[str, Any] | None:
    """What a `reel` keeps of its clips beside weights: their names, and how they cut."""
    if settings.architecture == "unet":
        return None
    pairs = pairs_in_reach(source)
    habits = habits_of_pairs(pairs, progress)
    return {
        "looks": list(pairs.clip_ids),
        "cuts": habits.model_dump(mode="json"),
    }
