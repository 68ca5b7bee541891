"""What `reel` learns from: moments, each a few neighbouring frames and some of the same shot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from soundreel.dataset.loading import Pairs
from soundreel.errors import SettingsError
from soundreel.seeding import numpy_generator_for
from soundreel.timeline import exact_seconds, samples_before
from soundreel.training.batches import (
    check_augmentation,
    made_ahead,
    pairs_of_each,
    silence_stretch,
)
from soundreel.training.presets import Training
from soundreel.training.ranks import Alone, Ranks
from soundreel.training.reach import Reach, reach_for
from soundreel.training.source import InMemory, Source

#: Even draws that a moment needs: two for what is left out, four for each of three pictures that
#: the discriminator sees moved.
EVEN_DRAWS = 2 + 3 * 4
_COLOUR_SHARE = 0.5


@dataclass(frozen=True)
class Moments:
    """M moments of F neighbouring frames each.

    x_B1SS: their sound images, B = M F, a moment's frames one after the other; truth_B3HW: the
    frames. reference_MQ3HW: the Q = F + 2 neighbouring frames, somewhere near in the same shot,
    that the moment's reference codes are of: small, in other light. All float32 in [-1, 1].
    clip_M: each moment's clip; seconds_M: its time in it; tone_MT: its shot's tone; even_MD:
    evenly drawn from [0, 1); noise_MZ: normally drawn, for the reference codes.
    """

    x_B1SS: Tensor
    truth_B3HW: Tensor
    reference_MQ3HW: Tensor
    clip_M: Tensor
    seconds_M: Tensor
    tone_MT: Tensor
    even_MD: Tensor
    noise_MZ: Tensor


class MomentBatches:
    """The batches of a run of `reel`: as `Batches`, a moment for each pair.

    The moment of a pair is the pair and those after it; at a shot's end, those before it; where a
    shot is too short the same frame again, which then does not move.
    """

    def __init__(
        self,
        source: Source,
        settings: Training,
        shot_N: np.ndarray,
        tone_NT: Tensor,
        picture_shape: tuple[int, int],
        seen_shape: tuple[int, int],
        code_numbers: int,
        ranks: Ranks | None = None,
        device: torch.device | None = None,
    ) -> None:
        """Make the batches of a source whose pairs are all in reach.

        shot_N: the shot that each pair belongs to, as `cutting.learning.shots_of_pairs` counts.
        tone_NT: the tone of each pair's shot (see `shot_tones`).
        seen_shape: rows and columns that reference codes are made from.

        Raises: SettingsError if the settings do not go with the recipe or the source.
        """
        check_augmentation(settings, source.recipe)
        ranks = ranks or Alone()
        self._pairs = pairs_in_reach(source)
        self._source = source
        self._settings = settings
        self._tone_NT = tone_NT
        self._shape, self._seen_shape = picture_shape, seen_shape
        self._code_numbers = code_numbers
        self._share = pairs_of_each(settings, ranks.count)
        self._offset = ranks.rank * self._share
        self._reach = reach_for(source, device or torch.device("cpu"))
        self._jitter_samples = samples_before(
            exact_seconds(settings.jitter_seconds), source.recipe.sample_rate_hz
        )
        self._run_NF = runs_of_frames(shot_N, settings.reel.consecutive)
        self._first_N, self._last_N = shot_ends(shot_N)
        self._reach_frames = frames_within(self._pairs, settings.reel.reference_seconds)

    def batch(self, step: int) -> Moments:
        """The part of a step's batch that this process has."""
        settings, count = self._settings, len(self._source)
        first = step * settings.batch + self._offset
        places = range(first, first + self._share)
        made = []
        for epoch, run in groupby(places, lambda place: place // count):
            run = list(run)
            reach, indices = self._reach(epoch, [place % count for place in run])
            made.append(self._made(reach, indices, run))
        if len(made) == 1:
            return made[0]
        joined = [
            torch.cat([getattr(part, name) for part in made])
            for name in Moments.__dataclass_fields__
        ]
        return Moments(*joined)

    def ahead(self, first: int, stop: int, workers: int) -> Iterator[Moments]:
        """The batches of steps first..stop - 1 in order; `workers` as in `Batches.ahead`."""
        return made_ahead(self.batch, first, stop, workers)

    def _made(self, reach: Reach, indices: np.ndarray, places: Sequence[int]) -> Moments:
        settings = self._settings
        rngs = [numpy_generator_for(settings.seed, "moment", place) for place in places]
        run_MF = self._run_NF[indices]
        frames = run_MF.shape[1]
        run_B = run_MF.reshape(-1)
        x_B1SS = self._sound(reach, run_B, rngs, frames)
        reel, reach_frames = settings.reel, self._reach_frames
        away_M = np.array([rng.integers(-reach_frames, reach_frames + 1) for rng in rngs])
        reference_MQ = run_MF[:, :1] + away_M[:, None] + np.arange(-1, frames + 1)
        first_M1, last_M1 = self._first_N[indices][:, None], self._last_N[indices][:, None]
        reference_B = reference_MQ.clip(first_M1, last_M1).reshape(-1)
        boxes_M = [crop_box(rng, reel.zoom) for rng in rngs]
        mirrored_M = [bool(rng.random() < 0.5) and reel.mirror for rng in rngs]
        truth_B3HW = framed(reach.pictures(run_B), boxes_M, mirrored_M, self._shape)
        reference_B3HW = framed(reach.pictures(reference_B), boxes_M, mirrored_M, self._seen_shape)
        device = x_B1SS.device
        return Moments(
            x_B1SS,
            truth_B3HW,
            in_other_light(
                reference_B3HW.unflatten(0, (len(places), -1)), reel.reference_light, rngs
            ),
            torch.from_numpy(self._pairs.clip_N[indices]).to(device),
            torch.from_numpy(self._pairs.time_seconds_N[indices]).to(device),
            self._tone_NT[torch.from_numpy(indices)].to(device),
            torch.tensor(np.array([rng.random(EVEN_DRAWS) for rng in rngs]), dtype=torch.float32),
            torch.tensor(
                np.array([rng.standard_normal(self._code_numbers) for rng in rngs]),
                dtype=torch.float32,
            ).to(device),
        )

    def _sound(
        self, reach: Reach, run_B: np.ndarray, rngs: list[np.random.Generator], frames: int
    ) -> Tensor:
        """Sound images, altered alike for the frames of a moment."""
        settings, jitter = self._settings, self._jitter_samples
        gain_M = np.array(
            [10 ** (rng.uniform(-settings.gain_db, settings.gain_db) / 20) for rng in rngs]
        )
        later_M = np.array([int(rng.integers(-jitter, jitter + 1)) for rng in rngs])
        if reach.holds_sound and (settings.gain_db or jitter):
            gain_B, later_B = gain_M.repeat(frames), later_M.repeat(frames)
            x_B1SS = reach.altered_images(run_B, gain_B, later_B)
        else:
            x_B1SS = reach.sound_images(run_B)
        for moment_F1SS, rng in zip(x_B1SS.unflatten(0, (-1, frames)), rngs, strict=True):
            silence_stretch(moment_F1SS, settings.time_mask, rng, dim=3)
            silence_stretch(moment_F1SS, settings.band_mask, rng, dim=2)
        return x_B1SS


def pairs_in_reach(source: Source) -> Pairs:
    """The pairs of a source. Raises: SettingsError if they are read from shards as they come."""
    if not isinstance(source, InMemory):
        raise SettingsError(
            "reel and score learn from neighbouring frames, which shards do not keep together: "
            "make a dataset folder with `soundreel prepare`, or train with --preset default"
        )
    return source.pairs


def runs_of_frames(shot_N: np.ndarray, frames: int) -> np.ndarray:
    """For each pair the `frames` neighbouring pairs of its moment, of one shot: N x F indices."""
    first_N, last_N = shot_ends(shot_N)
    begin_N = np.arange(len(shot_N))
    # Where the shot ends too soon, the frames before are as good.
    begin_N = np.maximum(first_N, np.minimum(begin_N, last_N - (frames - 1)))
    return np.minimum(begin_N[:, None] + np.arange(frames), last_N[:, None])


def shot_ends(shot_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last pair of each pair's shot; pairs of a shot follow one another."""
    edges = np.flatnonzero(np.diff(shot_N)) + 1
    first = np.concatenate([[0], edges]).astype(np.int64)
    lengths = np.diff(np.concatenate([first, [len(shot_N)]]))
    return np.repeat(first, lengths), np.repeat(first + lengths - 1, lengths)


def frames_within(pairs: Pairs, seconds: float) -> int:
    """How many of the usual steps from pair to pair lie within so many seconds."""
    steps = np.diff(pairs.time_seconds_N)[np.diff(pairs.clip_N) == 0]
    return 0 if len(steps) == 0 else round(seconds / max(float(np.median(steps)), 1e-9))


def crop_box(rng: np.random.Generator, zoom: float) -> tuple[float, float, float]:
    """How much of a picture's sides is kept, 1 - zoom to 1, and how far it lies down and aside.

    The latter two as shares of the room that there is, 0 to 1.
    """
    kept, down, aside = rng.random(3)
    return 1 - zoom * float(kept), float(down), float(aside)


def framed(
    pictures_B3HW: Tensor,
    boxes_M: Sequence[tuple[float, float, float]],
    mirrored_M: Sequence[bool],
    shape: tuple[int, int],
) -> Tensor:
    """Pictures cropped and mirrored, those of a moment alike, at another size: B x 3 x shape.

    boxes_M, mirrored_M: of each moment (see `crop_box`); B is a multiple of M.
    """
    made = []
    for pictures_F3HW, box, mirrored in zip(
        pictures_B3HW.unflatten(0, (len(boxes_M), -1)), boxes_M, mirrored_M, strict=True
    ):
        kept, down, aside = box
        height, width = pictures_F3HW.shape[-2:]
        high, wide = round(height * kept), round(width * kept)
        top, side = round((height - high) * down), round((width - wide) * aside)
        cropped = pictures_F3HW[..., top : top + high, side : side + wide]
        if (high, wide) != shape:
            cropped = F.interpolate(cropped, shape, mode="bicubic", antialias=True).clamp(-1, 1)
        made.append(cropped.flip(-1) if mirrored else cropped)
    return torch.cat(made)


def in_other_light(
    pictures_MQ3HW: Tensor, share: float, rngs: Sequence[np.random.Generator]
) -> Tensor:
    """Pictures as if lit otherwise, those of a moment alike.

    All colours are multiplied by 1 +- share, and each once more by half of that.
    """
    gain_B = np.array([rng.uniform(1 - share, 1 + share) for rng in rngs])
    colour_share = _COLOUR_SHARE * share
    colour_B3 = np.array([rng.uniform(1 - colour_share, 1 + colour_share, 3) for rng in rngs])
    gain_B3 = torch.tensor(gain_B[:, None] * colour_B3, dtype=torch.float32)
    gain_B13HW = gain_B3[:, None, :, None, None].to(pictures_MQ3HW.device)
    return ((pictures_MQ3HW + 1) * gain_B13HW - 1).clamp(-1, 1)
