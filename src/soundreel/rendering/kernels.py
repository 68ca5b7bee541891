"""Which neighbours a frame is mixed with: none across a beat, many in between.

Everything here depends on a frame's place and on the song alone, so a film that is made in
parts, or goes on after a break, has the same frames as one made in one go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np

from soundreel.errors import SettingsError
from soundreel.rendering.onsets import onsets
from soundreel.sound.rhythm import OnsetEnvelope
from soundreel.timeline import exact_seconds, frame_count

Smoothing = Literal["none", "exponential", "beats"]

#: Spread of the mixing in seconds: the Gaussian's standard deviation, the exponential's time
#: constant. `benchmarks/smoothing.py` shows what others come to.
DEFAULT_SECONDS = Fraction(3, 25)
#: A Gaussian's tail beyond 3 deviations is 0.3 %, an exponential's beyond 4 constants 2 %.
_GAUSSIAN_REACH, _EXPONENTIAL_REACH = 3, 4
_MOST_REACH = 36

#: Weights are whole numbers of this share: so small, and a power of two, that sums of 256 levels
#: are exact in float32, in whatever order a processor adds them.
WEIGHT_UNITS = 65_536

#: The rise in the sound that divides a weight by e: this share of what a song's strong onsets
#: have (their 9th decile), so that its kicks part the film and its hi-hats hardly do; and in a
#: song without strong ones, at least so many dB.
_PARTING_SHARE, _LEAST_PARTING_DB = 0.35, 3.0
#: What a cut divides a weight by, as a power of e: nothing is left in whole units.
_CUT = 64.0
#: A picture shows an onset some frames after its window has reached it. This long after it
#: most of the jump is kept, and a picture is not yet seen to lag (ITU-R BT.1359-1: from 45 ms
#: between sound and a later picture; the next frame comes half a frame later on average).
_REACTION_SECONDS = Fraction(3, 100)


@dataclass(frozen=True, eq=False)
class Kernel:
    """The weights of the neighbours of every frame of a film; picklable, two floats a frame.

    kind: what shape it has. frames: how many the whole film has. reach: K, in frames.
    spread_frames: the Gaussian's standard deviation or the exponential's time constant.
    barrier_T: how far apart in weight (natural logarithm) each frame is from the one before it,
      summed from the film's start: float64, T = frames, ascending. A cut is so high that
      nothing mixes across it.
    keeps_contrast: whether what averaging takes from the picture's contrast is given back.
    """

    kind: Smoothing
    frames: int
    reach: int
    spread_frames: float
    barrier_T: np.ndarray
    keeps_contrast: bool

    def weights(self, n: int) -> np.ndarray:
        """The shares of frames n - K to n + K in frame n: 2K + 1, float32, in [0, 1].

        They sum to 1 exactly, are multiples of 1 / 65,536, and are 0 outside the film.
        """
        return (self.units(n) / WEIGHT_UNITS).astype(np.float32)

    def units(self, n: int) -> np.ndarray:
        """As `weights`, in whole units of 1 / 65,536: int64."""
        if not 0 <= n < self.frames:
            raise ValueError(f"frame {n} of a film of {self.frames}")
        step_K = np.arange(-self.reach, self.reach + 1)
        inside_K = (n + step_K >= 0) & (n + step_K < self.frames)
        if self.kind == "exponential":
            depth_K = np.where(step_K <= 0, -step_K / self.spread_frames, np.inf)
        else:
            depth_K = 0.5 * (step_K / self.spread_frames) ** 2
        place_K = (n + step_K).clip(0, self.frames - 1)
        depth_K = depth_K + np.abs(self.barrier_T[place_K] - self.barrier_T[n])
        weight_K = np.where(inside_K, np.exp(-depth_K), 0)
        unit_K = np.floor(weight_K / weight_K.sum() * WEIGHT_UNITS).astype(np.int64)
        unit_K[self.reach] += WEIGHT_UNITS - unit_K.sum()
        return unit_K


def smoothing_kernel(
    kind: Smoothing,
    frames: int,
    fps: Fraction,
    onset: OnsetEnvelope | None = None,
    seconds: Fraction | float = DEFAULT_SECONDS,
    start_seconds: Fraction = Fraction(0),
    cuts: Sequence[int] = (),
) -> Kernel:
    """How a film of `frames` at `fps` is smoothed in time.

    kind:
      - none: every frame as it is.
      - exponential: the frames before, each step back worth less; blurs the beats as all else.
      - beats: a Gaussian over the frames before and after, divided by e for every so many dB
        (see `onsets`) by which the sound grew between the two frames. Nothing mixes across a
        strong onset; between onsets all is calm. The contrast that averaging takes is given
        back.
    onset: of the whole song, from its start, for `beats`; None: no onsets, an even Gaussian.
    seconds: the standard deviation (beats) or the time constant (exponential).
    start_seconds: where in the song the film starts.
    cuts: frames with which another picture begins, that is to stay another one.

    Raises: SettingsError for an unknown kind, or a spread that is negative or too long to be
    held in memory (36 frames of reach).
    """
    if kind not in get_args(Smoothing):
        raise SettingsError(
            f"smoothing {kind!r} is unknown: choose one of {', '.join(get_args(Smoothing))}"
        )
    spread = exact_seconds(seconds) * fps
    tails = _EXPONENTIAL_REACH if kind == "exponential" else _GAUSSIAN_REACH
    reach = 0 if kind == "none" or spread == 0 else math.ceil(tails * spread)
    if reach > _MOST_REACH:
        most = math.floor(Fraction(1000 * _MOST_REACH, tails) / fps) / 1000
        raise SettingsError(
            f"smoothing over {float(seconds):g} s is too long at {float(fps):g} frames a second: "
            f"give at most {most:g} s"
        )
    barrier_T = np.zeros(frames)
    if kind == "beats" and onset is not None:
        barrier_T = _barriers(frames, fps, onset, start_seconds)
    if cuts and kind != "none":
        height_T = np.zeros(frames)
        height_T[list(cuts)] = _CUT
        barrier_T = barrier_T + np.cumsum(height_T)
    return Kernel(kind, frames, reach, max(float(spread), 1e-9), barrier_T, kind == "beats")


def _barriers(
    frames: int, fps: Fraction, envelope: OnsetEnvelope, start_seconds: Fraction
) -> np.ndarray:
    found = onsets(envelope)
    barrier_T = np.zeros(frames)
    if len(found) == 0:
        return barrier_T
    parting_db = max(_LEAST_PARTING_DB, _PARTING_SHARE * float(np.quantile(found.rise_db_E, 0.9)))
    for seconds, rise_db in zip(found.seconds_E, found.rise_db_E, strict=True):
        # The first frame of the new picture: everything before it lies beyond the barrier.
        first = frame_count(Fraction(float(seconds)) + _REACTION_SECONDS - start_seconds, fps)
        if 0 < first < frames:
            barrier_T[first] += rise_db / parting_db
    return np.cumsum(barrier_T)
