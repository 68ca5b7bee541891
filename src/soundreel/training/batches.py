"""Which pairs a step sees, and what is done to them first: all decided by the step's number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from soundreel.errors import SettingsError
from soundreel.networks.model_folder import Direction
from soundreel.networks.resample import area_resize, fit_to
from soundreel.recipe import Recipe
from soundreel.seeding import numpy_generator_for, seed_for
from soundreel.timeline import samples_before
from soundreel.training.presets import Training
from soundreel.training.ranks import Alone, Ranks
from soundreel.training.reach import Reach, reach_for
from soundreel.training.source import Source

_SILENCE = -1.0

T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """What one process learns from in one step.

    x_BCHW: what the network sees; truth_BCHW: what it should make of it; both at the network's
    size, float32 in [-1, 1]. Sound images have `sound_channels` channels, pictures 3.
    seeds: of each pair's dropout masks.
    """

    x_BCHW: Tensor
    truth_BCHW: Tensor
    seeds: tuple[int, ...]


class Batches:
    """The batches of a run. Batch n depends on the settings, the pairs and n only.

    Place p = n * batch + i of the run holds a pair of epoch p // N, and a batch may hold the end
    of one epoch and the beginning of the next. Of several processes each has an equal stretch of
    every batch, so that the batches are the same however many there are.
    """

    def __init__(
        self,
        source: Source,
        settings: Training,
        direction: Direction,
        ranks: Ranks | None = None,
        device: torch.device | None = None,
    ) -> None:
        """Make the batches of a source; on a GPU, from pairs held there whole where they fit.

        Raises: SettingsError if the settings do not go with the recipe, the source or the number
        of processes.
        """
        check_augmentation(settings, source.recipe)
        ranks = ranks or Alone()
        share = pairs_of_each(settings, ranks.count)
        self._source = source
        self._settings = settings
        self._direction: Direction = direction
        self._share = share
        self._offset = ranks.rank * self._share
        self._reach = reach_for(source, device or torch.device("cpu"))
        self._jitter_samples = samples_before(
            Fraction(settings.jitter_seconds), source.recipe.sample_rate_hz
        )

    def batch(self, step: int) -> Batch:
        """The part of a step's batch that this process has, on the device that holds the pairs."""
        settings, count = self._settings, len(self._source)
        first = step * settings.batch + self._offset
        places = range(first, first + self._share)
        sounds, pictures = [], []
        for epoch, run in groupby(places, lambda place: place // count):
            run = list(run)
            reach, indices = self._reach(epoch, [place % count for place in run])
            sound_B1SS, picture_B3HW = self._made(reach, indices, run)
            sounds.append(sound_B1SS)
            pictures.append(picture_B3HW)
        sound_BCSS = torch.cat(sounds).expand(-1, settings.sound_channels, -1, -1)
        picture_B3HW = torch.cat(pictures)
        heard = self._direction == "sound-to-picture"
        return Batch(
            sound_BCSS if heard else picture_B3HW,
            picture_B3HW if heard else sound_BCSS,
            tuple(seed_for(settings.seed, "masks", place) for place in places),
        )

    def ahead(self, first: int, stop: int, workers: int) -> Iterator[Batch]:
        """The batches of steps first..stop - 1 in order, the next ones made while one is used.

        workers: threads that make them; 0 makes each when it is asked for.
        """
        return made_ahead(self.batch, first, stop, workers)

    def _made(
        self, reach: Reach, indices: np.ndarray, places: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Sound images and pictures of some pairs, augmented by their places in the run."""
        settings = self._settings
        rngs = [numpy_generator_for(settings.seed, "augment", place) for place in places]
        heard = self._direction == "sound-to-picture"
        gain_db = settings.gain_db if heard else 0.0
        # Where sound images are stored the sound is not there to be made louder, or moved.
        if reach.holds_sound and (gain_db or self._jitter_samples):
            gain_B = [10 ** (rng.uniform(-gain_db, gain_db) / 20) if gain_db else 1 for rng in rngs]
            jitter = self._jitter_samples
            later_B = [int(rng.integers(-jitter, jitter + 1)) if jitter else 0 for rng in rngs]
            sound_B1SS = reach.altered_images(indices, np.array(gain_B), np.array(later_B))
        else:
            sound_B1SS = reach.sound_images(indices)
        if heard:
            for image_1SS, rng in zip(sound_B1SS, rngs, strict=True):
                silence_stretch(image_1SS, settings.time_mask, rng, dim=2)
                silence_stretch(image_1SS, settings.band_mask, rng, dim=1)
        picture_B3HW = reach.pictures(indices)
        if settings.scale_to is not None:
            sound_B1SS, picture_B3HW = scale_and_crop(
                sound_B1SS, picture_B3HW, settings.scale_to, settings.size, rngs
            )
        else:
            sound_B1SS = fit_to(sound_B1SS, settings.size)
            picture_B3HW = fit_to(picture_B3HW, settings.size)
        if settings.mirror:
            turned = torch.tensor([rng.random() < 0.5 for rng in rngs]).view(-1, 1, 1, 1)
            turned = turned.to(sound_B1SS.device)
            sound_B1SS = torch.where(turned, sound_B1SS.flip(3), sound_B1SS)
            picture_B3HW = torch.where(turned, picture_B3HW.flip(3), picture_B3HW)
        return sound_B1SS, picture_B3HW


def made_ahead(make: Callable[[int], T], first: int, stop: int, workers: int) -> Iterator[T]:
    """What `make` makes of first..stop - 1 in order, the next ones made while one is used."""
    if workers == 0:
        yield from (make(step) for step in range(first, stop))
        return
    with ThreadPoolExecutor(workers, "batches") as pool:
        waiting = [pool.submit(make, s) for s in range(first, min(stop, first + workers))]
        for step in range(first, stop):
            made = waiting.pop(0).result()
            if step + workers < stop:
                waiting.append(pool.submit(make, step + workers))
            yield made


def pairs_of_each(settings: Training, processes: int) -> int:
    """How many pairs of a batch each process learns from.

    Raises: SettingsError if they cannot share it evenly.
    """
    if settings.batch % processes:
        raise SettingsError(
            f"batch = {settings.batch} cannot be shared evenly by {processes} processes: give a "
            f"multiple of {processes} in --config"
        )
    share = settings.batch // processes
    if share % settings.accumulate:
        raise SettingsError(
            f"accumulate = {settings.accumulate} does not divide the {share} pairs of a batch that "
            "each process has: give another in --config"
        )
    return share


def check_augmentation(settings: Training, recipe: Recipe) -> None:
    """Refuse augmentation that means nothing for a representation.

    Raises: SettingsError.
    """
    if recipe.representation == "waveform" and (settings.time_mask or settings.band_mask):
        raise SettingsError(
            "time_mask and band_mask need a spectrogram, the dataset has `waveform` sound images: "
            "set both to 0"
        )
    if recipe.sound_images == "stored" and settings.jitter_seconds:
        raise SettingsError(
            "jitter_seconds needs the sound, the dataset holds sound images made elsewhere: set it "
            "to 0"
        )


def silence_stretch(image_1SS: Tensor, share: float, rng: np.random.Generator, dim: int) -> None:
    """Silence, in place, a stretch of columns (dim 2) or rows (dim 1): SpecAugment, Park 2019.

    Its length is drawn evenly from 0 to `share` of the side, its place from where it fits.
    """
    if not share:
        return
    side = image_1SS.shape[dim]
    length = int(rng.integers(0, int(share * side) + 1))
    begin = int(rng.integers(0, side - length + 1))
    image_1SS.narrow(dim, begin, length).fill_(_SILENCE)


def scale_and_crop(
    sound_B1SS: Tensor,
    picture_B3HW: Tensor,
    scale_to: int,
    size: int,
    rngs: list[np.random.Generator],
) -> tuple[Tensor, Tensor]:
    """Scale both pictures of each pair and crop the same random place out of both."""
    sounds, pictures = area_resize(sound_B1SS, scale_to), area_resize(picture_B3HW, scale_to)
    cropped = []
    for i, rng in enumerate(rngs):
        top, left = rng.integers(0, scale_to - size + 1, 2)
        rows, columns = slice(top, top + size), slice(left, left + size)
        cropped.append((sounds[i, :, rows, columns], pictures[i, :, rows, columns]))
    return torch.stack([s for s, _ in cropped]), torch.stack([p for _, p in cropped])
