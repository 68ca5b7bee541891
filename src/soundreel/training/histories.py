"""What `score` learns from: windows of frames, the clip's last few before each pair's time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from soundreel.dataset.loading import Pairs
from soundreel.networks.resample import area_resize
from soundreel.progress import Listener, Step, silent
from soundreel.recipe import Recipe, recipe_from
from soundreel.seeding import numpy_generator_for
from soundreel.timeline import exact_seconds
from soundreel.training.batches import made_ahead, pairs_of_each
from soundreel.training.presets import Training
from soundreel.training.ranks import Alone, Ranks
from soundreel.training.reach import reach_for
from soundreel.training.source import InMemory

#: Rows and columns of the frames that `score` sees.
SEEN_SIDE = 64
#: Even draws that a window needs: one for its voice, one for the mirror, one for
#: its harmony.
EVEN_DRAWS = 3
_MOST_FRAMES = 32
_AT_ONCE = 256


@dataclass(frozen=True)
class Windows:
    """B windows of F frames each.

    seen_BF3HW: the frames, the oldest first, float32 in [-1, 1]; truth_B1SS: the sound images.
    clip_B: each window's clip; even_BD: evenly drawn from [0, 1).
    """

    seen_BF3HW: Tensor
    truth_B1SS: Tensor
    clip_B: Tensor
    even_BD: Tensor


@dataclass(frozen=True)
class Sight:
    """Which frames of a window are seen: `frames` of them, `step_seconds` apart, the last at t."""

    frames: int
    step_seconds: Fraction

    @property
    def before_seconds(self) -> list[float]:
        """How long before t each one is, the oldest first."""
        return [float(n * self.step_seconds) for n in range(self.frames - 1, -1, -1)]


def sight_for(pairs: Pairs, step_seconds: float) -> Sight:
    """Frames that reach over the whole window, no denser than the pairs lie."""
    steps = np.diff(pairs.time_seconds_N)[np.diff(pairs.clip_N) == 0]
    usual = float(np.median(steps)) if len(steps) else 0.0
    exact = exact_seconds(Fraction(max(step_seconds, usual)).limit_denominator(1000))
    window = Fraction(pairs.recipe.window_samples, pairs.recipe.sample_rate_hz)
    return Sight(min(_MOST_FRAMES, math.ceil(window / exact) + 1), exact)


class Seen:
    """The frames of windows as `score` sees them, small, in memory: 12 kB each.

    places: the pairs whose windows will be asked for; None: all.
    """

    def __init__(
        self,
        pairs: Pairs,
        sight: Sight,
        places: np.ndarray | None = None,
        progress: Listener = silent,
    ) -> None:
        self.sight = sight
        wanted = np.arange(len(pairs)) if places is None else places
        before_WF = frames_before(pairs, sight)[wanted]
        needed_M, row_WF = np.unique(before_WF, return_inverse=True)
        self._row_NF = np.full((len(pairs), sight.frames), -1)
        self._row_NF[wanted] = row_WF.reshape(before_WF.shape)
        self._small_M3HW = np.empty((len(needed_M), 3, SEEN_SIDE, SEEN_SIDE), np.uint8)
        for first in range(0, len(needed_M), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            small = area_resize(pairs.pictures(needed_M[part]), SEEN_SIDE)
            bytes_B3HW = small.add(1).mul(127.5).round().clamp(0, 255).byte()
            self._small_M3HW[part] = bytes_B3HW.numpy()
            done = min(first + _AT_ONCE, len(needed_M))
            progress(Step("make frames small", done, len(needed_M), "frames"))

    def windows(self, places_B: np.ndarray) -> Tensor:
        """The frames of these pairs' windows: B x F x 3 x 64 x 64, float32 in [-1, 1]."""
        row_BF = self._row_NF[places_B]
        assert (row_BF >= 0).all(), "windows of pairs that were not named"
        small_BF3HW = torch.from_numpy(self._small_M3HW[row_BF])
        return small_BF3HW.float().div_(127.5).sub_(1)


def frames_before(pairs: Pairs, sight: Sight) -> np.ndarray:
    """For each pair the pairs whose frames stood on the screen at the sight's times: N x F.

    That is the clip's last pair at or before a time; before the clip's first, the first.
    """
    # A frame that is due a rounding error later stood there already.
    before_F = np.array(sight.before_seconds) - 1e-6
    found_NF = np.empty((len(pairs), sight.frames), np.int64)
    for clip in np.unique(pairs.clip_N):
        of_clip = np.flatnonzero(pairs.clip_N == clip)
        time = pairs.time_seconds_N[of_clip]
        place = np.searchsorted(time, time[:, None] - before_F, side="right") - 1
        found_NF[of_clip] = of_clip[place.clip(0)]
    return found_NF


def heard_recipe(recipe: Recipe) -> Recipe:
    """A dataset's recipe with `mel` sound images of the same size; all else stays."""
    if recipe.representation == "mel":
        return recipe
    mel = recipe_from("mel")
    size = recipe.sound_image_size
    return Recipe.model_validate(
        {
            **recipe.model_dump(),
            "name": "custom",
            "representation": "mel",
            "segment_samples": mel.segment_samples,
            "fft_samples": mel.fft_samples,
            "hop_samples": mel.hop_samples,
            "floor_db": mel.floor_db,
            "ceiling_db": mel.ceiling_db,
            "mel_low_hz": mel.mel_low_hz,
            "mel_high_hz": min(mel.mel_high_hz, recipe.sample_rate_hz / 2),
            "window_samples": mel.segment_samples + (size - 1) * mel.hop_samples,
        }
    )


class WindowBatches:
    """The batches of a run of `score`: as `Batches`, a window for each pair."""

    def __init__(
        self,
        source: InMemory,
        settings: Training,
        seen: Seen,
        ranks: Ranks | None = None,
        device: torch.device | None = None,
    ) -> None:
        ranks = ranks or Alone()
        self._source, self._settings, self._seen = source, settings, seen
        self._share = pairs_of_each(settings, ranks.count)
        self._offset = ranks.rank * self._share
        self._reach = reach_for(source, device or torch.device("cpu"))

    def batch(self, step: int) -> Windows:
        """The part of a step's batch that this process has."""
        settings, count = self._settings, len(self._source)
        first = step * settings.batch + self._offset
        places = range(first, first + self._share)
        images, found = [], []
        for epoch, run in groupby(places, lambda place: place // count):
            reach, indices = self._reach(epoch, [place % count for place in run])
            images.append(reach.sound_images(indices))
            found.append(indices)
        place_B = np.concatenate(found)
        drawn = [numpy_generator_for(settings.seed, "window", p).random(EVEN_DRAWS) for p in places]
        even_BD = torch.tensor(np.array(drawn), dtype=torch.float32)
        seen_BF3HW = self._seen.windows(place_B)
        if settings.score.mirror:
            mirrored_B = (even_BD[:, 1] < 0.5).view(-1, 1, 1, 1, 1)
            seen_BF3HW = torch.where(mirrored_B, seen_BF3HW.flip(-1), seen_BF3HW)
        truth_B1SS = torch.cat(images)
        clip_B = torch.from_numpy(self._source.pairs.clip_N[place_B])
        return Windows(seen_BF3HW, truth_B1SS, clip_B, even_BD)

    def ahead(self, first: int, stop: int, workers: int) -> Iterator[Windows]:
        """The batches of steps first..stop - 1 in order; `workers` as in `Batches.ahead`."""
        return made_ahead(self.batch, first, stop, workers)
