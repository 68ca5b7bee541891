"""How good the generator is on clips that it never saw, beside the simplest answer of all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from soundreel.dataset.loading import Pairs
from soundreel.networks.bundle import Direction
from soundreel.networks.losses import l1_loss
from soundreel.networks.resample import fit_to
from soundreel.seeding import seed_for
from soundreel.training.presets import Training
from soundreel.training.step import Networks

_AT_ONCE = 16
#: Enough for a mean, few enough to take no time.
_MEAN_PAIRS = 4096


@dataclass(frozen=True)
class Measured:
    """Mean absolute differences of pictures in [-1, 1], from 0 to 2.

    l1: of the generator's pictures from the truth.
    mean_l1: of the mean training picture from the truth: what no knowledge of the sound gives.
    """

    l1: float
    mean_l1: float


class HeldOut:
    """The pairs that a run is measured on, at the network's size, and the mean training target.

    measured_on: "held-out" clips, or "training" clips where the dataset holds none out.
    places: the pairs measured, spread evenly over all, as indices into `pairs`.
    mean_CHW: the mean training target: the mean frame, or the mean sound image.
    """

    def __init__(
        self,
        training_pairs: Pairs,
        held_out_pairs: Pairs,
        settings: Training,
        direction: Direction,
    ) -> None:
        self.measured_on: Literal["held-out", "training"] = (
            "held-out" if len(held_out_pairs) else "training"
        )
        self.pairs = held_out_pairs if len(held_out_pairs) else training_pairs
        self._settings = settings
        self._direction = direction
        self.places = spread(len(self.pairs), settings.measured_pairs)
        self.mean_CHW = self._mean_target(training_pairs)
        # The sound's pictures cost the most to make and the least to keep.
        self._sound_M1SS = torch.cat(
            [
                fit_to(self.pairs.sound_images(part), settings.size)
                for part in _parts(self.places, _AT_ONCE)
            ]
        )
        self._mean_l1 = float(
            np.average(
                [float(l1_loss(self.mean_CHW, truth)) for _, truth in self._batches()],
                weights=[len(part) for part in _parts(self.places, _AT_ONCE)],
            )
        )

    def measure(self, networks: Networks) -> Measured:
        """Generate all the measured pairs as the saved model would, and compare."""
        losses, counts = [], []
        for number, (x_BCHW, truth_BCHW) in enumerate(self._batches()):
            y_BCHW = networks.generate(x_BCHW, self._seeds(number * _AT_ONCE, len(x_BCHW)))
            losses.append(float(l1_loss(y_BCHW, truth_BCHW)))
            counts.append(len(x_BCHW))
        return Measured(float(np.average(losses, weights=counts)), self._mean_l1)

    def examples(self, networks: Networks, rows: int) -> tuple[np.ndarray, Tensor, Tensor, Tensor]:
        """A few pairs, spread evenly: their indices, what was seen, what was made, the truth."""
        chosen = spread(len(self.places), rows)
        x_BCHW, truth_BCHW = self._at(chosen)
        seeds = [self._seeds(int(place), 1)[0] for place in chosen]
        return self.places[chosen], x_BCHW, networks.generate(x_BCHW, seeds), truth_BCHW

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        for part in _parts(np.arange(len(self.places)), _AT_ONCE):
            yield self._at(part)

    def _at(self, part: np.ndarray) -> tuple[Tensor, Tensor]:
        sound = self._sound_M1SS[torch.from_numpy(part)]
        sound = sound.expand(-1, self._settings.sound_channels, -1, -1)
        picture = fit_to(self.pairs.pictures(self.places[part]), self._settings.size)
        return (sound, picture) if self._direction == "sound-to-picture" else (picture, sound)

    def _seeds(self, first: int, count: int) -> list[int]:
        return [seed_for(self._settings.seed, "held-out", first + i) for i in range(count)]

    def _mean_target(self, pairs: Pairs) -> Tensor:
        total = torch.zeros(())
        places = spread(len(pairs), _MEAN_PAIRS)
        for part in _parts(places, _AT_ONCE):
            targets = (
                pairs.pictures(part)
                if self._direction == "sound-to-picture"
                else pairs.sound_images(part).expand(-1, self._settings.sound_channels, -1, -1)
            )
            total = total + targets.double().sum(0)
        return fit_to((total / len(places)).float()[None], self._settings.size)[0]


def spread(count: int, most: int) -> np.ndarray:
    """At most `most` of the numbers 0..count - 1, evenly spread, in order."""
    if count <= most:
        return np.arange(count)
    return (np.arange(most) * count + count // 2) // most


def _parts(places: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for first in range(0, len(places), size):
        yield places[first : first + size]
