"""Which pairs a step sees, and what is done to them first: all decided by the step's number."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from soundreel.dataset.loading import Pairs
from soundreel.errors import SettingsError
from soundreel.networks.bundle import Direction
from soundreel.networks.resample import area_resize, fit_to
from soundreel.recipe import Recipe
from soundreel.seeding import numpy_generator_for
from soundreel.training.presets import Training

_SILENCE = -1.0


class Batches:
    """The batches of a run. Batch n depends on the settings, the pairs and n only.

    Place p = n * batch + i of the run holds a pair of epoch p // N: every epoch is a permutation
    of all N pairs, and a batch may hold the end of one and the beginning of the next.
    """

    def __init__(self, pairs: Pairs, settings: Training, direction: Direction) -> None:
        check_augmentation(settings, pairs.recipe)
        self._pairs = pairs
        self._settings = settings
        self._direction = direction
        # Sequential access touches two epochs at most.
        self._order = lru_cache(maxsize=2)(self._order_of)

    def indices(self, step: int) -> list[int]:
        """The pairs of a step's batch."""
        batch, count = self._settings.batch, len(self._pairs)
        places = range(step * batch, (step + 1) * batch)
        return [int(self._order(place // count)[place % count]) for place in places]

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """What the network sees and what it should make of it, at the network's size.

        Shape: two of B x C x size x size, float32 in [-1, 1]. Sound images have
        `sound_channels` channels, pictures 3.
        """
        settings = self._settings
        indices = self.indices(step)
        first = step * settings.batch
        rngs = [
            numpy_generator_for(settings.seed, "augment", first + i) for i in range(settings.batch)
        ]
        heard = self._direction == "sound-to-picture"
        # Where sound images are stored the sound is not there to be made louder.
        sounds_there = self._pairs.sound_images_NSS is None
        sound_B1SS = (
            louder_or_softer(self._pairs, indices, rngs, settings.gain_db)
            if heard and sounds_there and settings.gain_db
            else self._pairs.sound_images(indices)
        )
        if heard:
            for image_1SS, rng in zip(sound_B1SS, rngs, strict=True):
                silence_stretch(image_1SS, settings.time_mask, rng, dim=2)
                silence_stretch(image_1SS, settings.band_mask, rng, dim=1)
        picture_B3HW = self._pairs.pictures(indices)
        if settings.scale_to is not None:
            sound_B1SS, picture_B3HW = scale_and_crop(
                sound_B1SS, picture_B3HW, settings.scale_to, settings.size, rngs
            )
        else:
            sound_B1SS = fit_to(sound_B1SS, settings.size)
            picture_B3HW = fit_to(picture_B3HW, settings.size)
        if settings.mirror:
            turned = torch.tensor([rng.random() < 0.5 for rng in rngs]).view(-1, 1, 1, 1)
            sound_B1SS = torch.where(turned, sound_B1SS.flip(3), sound_B1SS)
            picture_B3HW = torch.where(turned, picture_B3HW.flip(3), picture_B3HW)
        sound_BCSS = sound_B1SS.expand(-1, settings.sound_channels, -1, -1)
        return (sound_BCSS, picture_B3HW) if heard else (picture_B3HW, sound_BCSS)

    def ahead(self, first: int, stop: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of steps first..stop - 1 in order, the next ones made while one is used.

        workers: threads that make them; 0 makes each when it is asked for.
        """
        if workers == 0:
            yield from (self.batch(step) for step in range(first, stop))
            return
        with ThreadPoolExecutor(workers, "batches") as pool:
            waiting = [pool.submit(self.batch, s) for s in range(first, min(stop, first + workers))]
            for step in range(first, stop):
                made = waiting.pop(0).result()
                if step + workers < stop:
                    waiting.append(pool.submit(self.batch, step + workers))
                yield made

    def _order_of(self, epoch: int) -> np.ndarray:
        rng = numpy_generator_for(self._settings.seed, "order", epoch)
        return rng.permutation(len(self._pairs))


def check_augmentation(settings: Training, recipe: Recipe) -> None:
    """Refuse augmentation that means nothing for a representation.

    Raises: SettingsError.
    """
    if recipe.representation == "waveform" and (settings.time_mask or settings.band_mask):
        raise SettingsError(
            "time_mask and band_mask need a spectrogram, the dataset has `waveform` sound images: "
            "set both to 0"
        )


def louder_or_softer(
    pairs: Pairs, indices: list[int], rngs: list[np.random.Generator], gain_db: float
) -> Tensor:
    """Sound images of windows at a gain drawn evenly from [-gain_db, gain_db], in dB.

    The sound itself is scaled, so that every representation is what it would be of such a sound.
    Shape: B x 1 x S x S.
    """
    windows = []
    for index, rng in zip(indices, rngs, strict=True):
        end = int(pairs.end_sample_N[index])
        sound = pairs.sounds[int(pairs.clip_N[index])]
        begin = max(0, end - pairs.recipe.window_samples)
        gain = np.float32(10 ** (rng.uniform(-gain_db, gain_db) / 20))
        window = np.zeros(end - begin, np.float32)
        heard = sound[begin:end]
        window[: len(heard)] = heard * gain
        windows.append(window)
    scaled = replace(
        pairs,
        clip_ids=[str(i) for i in range(len(indices))],
        clip_N=np.arange(len(indices)),
        end_sample_N=np.array([len(window) for window in windows], np.int64),
        sounds=windows,
    )
    return scaled.sound_images(range(len(indices)))


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
