"""How good the generator is on clips that it never saw, beside the simplest answer of all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from soundreel.dataset.loading import Pairs
from soundreel.evidence.quality import follow_margins, ms_ssim, sensitivity, sharpness_ratio
from soundreel.networks.losses import l1_loss
from soundreel.networks.model_folder import Direction
from soundreel.networks.resample import fit_to
from soundreel.seeding import seed_for
from soundreel.training.evenly import spread
from soundreel.training.histories import Seen, sight_for
from soundreel.training.learner import Learner
from soundreel.training.presets import Training
from soundreel.training.reel_step import picture_shape

_AT_ONCE = 16
#: Enough for a mean, few enough to take no time.
MEAN_PAIRS = 4096
#: Neighbours in time that are measured together: motion is what changes from one to the next.
_RUN = 4
#: A step in time this many times the usual one is a gap.
_GAP = 1.5
#: Of clips that are trained on, so that a sheet shows what is known by heart.
_KNOWN_ROWS = 2
FOLLOWED = ("brightness", "hue", "motion")


@dataclass(frozen=True)
class Measured:
    """What the generator's pictures are worth beside the truth.

    l1: mean absolute difference from the truth, of pictures in [-1, 1]: 0 to 2.
    mean_l1: of the mean training picture from the truth: what no knowledge of the sound gives.
    ms_ssim: structural similarity to the truth, at most 1.
    sharpness: fine detail of the generator's pictures over that of the truth; 1 is as sharp.
    sensitivity: variance of the pictures over the sounds, over the variance of the truth.
    own_*: correlation, within clips, of brightness, hue and motion with the truth;
    swapped_*: the same when each clip is shown what was made from another clip's song;
    follow_*: own minus swapped. None where there are not two clips to swap.
    follow: the mean of the three.

    For models from picture to sound the sound images are measured, and what only pictures have
    is None.
    """

    l1: float
    mean_l1: float
    ms_ssim: float
    sharpness: float | None
    sensitivity: float
    own_brightness: float | None = None
    own_hue: float | None = None
    own_motion: float | None = None
    swapped_brightness: float | None = None
    swapped_hue: float | None = None
    swapped_motion: float | None = None
    follow_brightness: float | None = None
    follow_hue: float | None = None
    follow_motion: float | None = None
    follow: float | None = None

    @property
    def row(self) -> dict[str, Any]:
        """As columns of metrics.jsonl."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Examples:
    """Rows of a sample sheet: what each is of, what was seen, what was made of it, the truth.

    Of a window of frames, x is B x F x 3 x H x W.
    """

    labels: list[str]
    x_BCHW: Tensor
    y_BCHW: Tensor
    truth_BCHW: Tensor


class HeldOut:
    """The pairs that a run is measured on, at the network's size, and the mean training target.

    measured_on: "held-out" clips, or "training" clips where the dataset holds none out.
    places: the pairs measured, in runs of neighbours over all clips, as indices into `pairs`.
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
        self._training_pairs = training_pairs
        self._settings = settings
        self._direction: Direction = direction
        recipe = training_pairs.recipe
        whole = settings.architecture != "unet"
        self._sound_size = recipe.sound_image_size if whole else settings.size
        square = (settings.size, settings.size)
        self._picture_shape = (
            picture_shape(settings, recipe) if settings.architecture == "reel" else square
        )
        self.places = measured_places(len(self.pairs), settings.measured_pairs)
        self._sight = (
            sight_for(training_pairs, settings.score.step_seconds)
            if settings.architecture == "score"
            else None
        )
        self._seen = self._sight and Seen(self.pairs, self._sight, self.places)
        self.mean_CHW = self._mean_target(training_pairs)
        # The sound's pictures cost the most to make and the least to keep.
        self._sound_M1SS = torch.cat(
            [
                fit_to(self.pairs.sound_images(part), self._sound_size)
                for part in _parts(self.places, _AT_ONCE)
            ]
        )
        self._mean_l1 = float(
            np.average(
                [float(l1_loss(self.mean_CHW, truth)) for _, truth in self._batches()],
                weights=[len(part) for part in _parts(self.places, _AT_ONCE)],
            )
        )

    def measure(self, networks: Learner) -> Measured:
        """Generate all the measured pairs as the saved model would, and compare."""
        made, truths = [], []
        for number, (x_BCHW, truth_BCHW) in enumerate(self._batches()):
            seeds = self._seeds(number * _AT_ONCE, len(x_BCHW))
            made.append(networks.generate(x_BCHW, seeds))
            truths.append(truth_BCHW)
        y_MCHW, truth_MCHW = torch.cat(made), torch.cat(truths)
        pictures = self._direction == "sound-to-picture"
        return Measured(
            l1=float(l1_loss(y_MCHW, truth_MCHW)),
            mean_l1=self._mean_l1,
            ms_ssim=ms_ssim(y_MCHW, truth_MCHW),
            sharpness=sharpness_ratio(y_MCHW, truth_MCHW) if pictures else None,
            sensitivity=sensitivity(y_MCHW, truth_MCHW),
            **(self._follow(y_MCHW, truth_MCHW) if pictures else {}),
        )

    def examples(self, networks: Learner, rows: int) -> Examples:
        """A few of the measured pairs, spread evenly, and below them two that are trained on."""
        chosen = spread(len(self.places), rows)
        x_BCHW, truth_BCHW = self._at(chosen)
        labels = _labels(self.pairs, self.places[chosen])
        seeds = [self._seeds(int(place), 1)[0] for place in chosen]
        if self.measured_on == "held-out":
            known = spread(len(self._training_pairs), _KNOWN_ROWS)
            sound, picture = self._inputs(self._training_pairs, known)
            if self._sight is not None:
                picture = Seen(self._training_pairs, self._sight, known).windows(known)
            known_x, known_truth = self._facing(sound, picture)
            x_BCHW, truth_BCHW = torch.cat([x_BCHW, known_x]), torch.cat([truth_BCHW, known_truth])
            labels += [f"trained on: {label}" for label in _labels(self._training_pairs, known)]
            seeds += self._seeds(len(self.places), len(known))
        return Examples(labels, x_BCHW, networks.generate(x_BCHW, seeds), truth_BCHW)

    def _follow(self, y_M3HW: Tensor, truth_M3HW: Tensor) -> dict[str, float | None]:
        """The columns own_*, swapped_* and follow_*."""
        # By name: a clip that came from shards lies there in several pieces.
        names_M = np.array(self.pairs.clip_ids)[self.pairs.clip_N[self.places]]
        clip_M = np.unique(names_M, return_inverse=True)[1]
        starts_M = run_starts(self.places, clip_M, self.pairs.time_seconds_N[self.places])
        of_clips = [np.flatnonzero(clip_M == clip) for clip in np.unique(clip_M)]
        y_MHWC, truth_MHWC = _bytes_of(y_M3HW), _bytes_of(truth_M3HW)
        found = follow_margins(
            [y_MHWC[of_clip] for of_clip in of_clips],
            [truth_MHWC[of_clip] for of_clip in of_clips],
            [np.flatnonzero(starts_M[of_clip]) for of_clip in of_clips],
        )
        columns: dict[str, float | None] = {}
        for name in FOLLOWED:
            follow = found[name]
            columns[f"own_{name}"] = None if follow is None else follow.own
            columns[f"swapped_{name}"] = None if follow is None else follow.swapped
            columns[f"follow_{name}"] = None if follow is None else follow.margin
        margins = [columns[f"follow_{name}"] for name in FOLLOWED]
        known = [margin for margin in margins if margin is not None]
        columns["follow"] = float(np.mean(known)) if known else None
        return columns

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        for part in _parts(np.arange(len(self.places)), _AT_ONCE):
            yield self._at(part)

    def _at(self, part: np.ndarray) -> tuple[Tensor, Tensor]:
        if self._seen is not None:
            picture = self._seen.windows(self.places[part])
        else:
            picture = fit_to(self.pairs.pictures(self.places[part]), self._picture_shape)
        return self._facing(self._sound_M1SS[torch.from_numpy(part)], picture)

    def _inputs(self, pairs: Pairs, places: np.ndarray) -> tuple[Tensor, Tensor]:
        """Sound images and pictures of pairs, at the network's size."""
        return (
            fit_to(pairs.sound_images(places), self._sound_size),
            fit_to(pairs.pictures(places), self._picture_shape),
        )

    def _facing(self, sound_B1SS: Tensor, picture_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        """What is seen, and what should be made of it."""
        sound_BCSS = sound_B1SS.expand(-1, self._settings.sound_channels, -1, -1)
        to_picture = self._direction == "sound-to-picture"
        return (sound_BCSS, picture_B3HW) if to_picture else (picture_B3HW, sound_BCSS)

    def _seeds(self, first: int, count: int) -> list[int]:
        return [seed_for(self._settings.seed, "held-out", first + i) for i in range(count)]

    def _mean_target(self, pairs: Pairs) -> Tensor:
        total = torch.zeros(())
        places = spread(len(pairs), MEAN_PAIRS)
        for part in _parts(places, _AT_ONCE):
            targets = (
                pairs.pictures(part)
                if self._direction == "sound-to-picture"
                else pairs.sound_images(part).expand(-1, self._settings.sound_channels, -1, -1)
            )
            total = total + targets.double().sum(0)
        to_picture = self._direction == "sound-to-picture"
        shape = self._picture_shape if to_picture else (self._sound_size, self._sound_size)
        return fit_to((total / len(places)).float()[None], shape)[0]


def _labels(pairs: Pairs, places: np.ndarray) -> list[str]:
    return [
        f"{pairs.clip_ids[clip]}  {seconds:.2f} s"
        for clip, seconds in zip(pairs.clip_N[places], pairs.time_seconds_N[places], strict=True)
    ]


def measured_places(count: int, most: int) -> np.ndarray:
    """At most `most` of the numbers 0..count - 1 in runs of neighbours, the runs evenly spread."""
    if count <= most:
        return np.arange(count)
    if most < _RUN:
        return spread(count, most)
    first_R = spread(count // _RUN, most // _RUN) * _RUN
    return (first_R[:, None] + np.arange(_RUN)).reshape(-1)


def run_starts(places: np.ndarray, clip_M: np.ndarray, seconds_M: np.ndarray) -> np.ndarray:
    """Which of the measured pairs do not follow, in time, the one before them: M booleans."""
    if len(places) == 0:
        return np.empty(0, bool)
    near_M = (np.diff(places) == 1) & (np.diff(clip_M) == 0)
    steps = np.diff(seconds_M)
    usual = np.median(steps[near_M]) if near_M.any() else np.inf
    return np.concatenate([[True], ~(near_M & (steps <= _GAP * usual))])


def _parts(places: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for first in range(0, len(places), size):
        yield places[first : first + size]


def _bytes_of(y_B3HW: Tensor) -> np.ndarray:
    bytes_B3HW = y_B3HW.add(1).mul(127.5).round().clamp(0, 255).byte()
    return bytes_B3HW.permute(0, 2, 3, 1).numpy()
