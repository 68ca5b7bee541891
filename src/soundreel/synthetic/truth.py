"""What is planted: how much of the picture comes from the music, and which traps are laid.

z_visual = c f(z_audio) + sqrt(1 - c^2) z_own, for three pairs of curves:
brightness from loudness, hue from the spectral centroid, motion from the onset flux.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

#: Cuts come as a Poisson process of this rate.
CUTS_PER_SECOND = 0.3
SAME_TEMPO_BPM = 120.0
#: Share of a video that a fade takes, at its start and again at its end.
FADE_SHARE = 0.1
#: How far a fade goes down, in units of the curves' own spread.
FADE_UNITS = 3.0


class PlantedTruth(BaseModel):
    """The switches of a corpus. Frozen; unknown keys are refused.

    With `coupling` and `cuts_on_beats` at 0 the picture is independent of the music, whatever
    other switches are on: each of those is a way in which tests are known to err.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    coupling: float = Field(default=0.0, ge=0, le=1)
    """c: 1 makes the picture a function of the music."""
    cuts_on_beats: float = Field(default=0.0, ge=0, le=1)
    """q: the share of cuts that is moved to the nearest beat."""
    look_constant: bool = True
    """Every video has a look of its own throughout (in features: its own mean and scale of every
    curve, heard and seen). False: all videos share one look."""
    look_by_genre: bool = False
    """The director chooses the look by the song's genre (in features: the means heard and the
    means seen of a video go together). Between videos only."""
    shared_fades: bool = False
    """Song and picture fade in and out together."""
    random_walk: bool = False
    """The song's level and the picture's own curves wander without returning."""
    matched_smoothness: bool = False
    """Calm songs have calm videos: the picture's own curves are as smooth as their song's."""
    same_tempo_random_phase: bool = False
    """All songs have 120 BPM, and the picture pulses at that tempo, at a phase of its own."""
    per_video_mapping: bool = False
    """Every video has its own rule of which curve heard drives which curve seen, and which way."""
    nonlinear: bool = False
    """f(z) = (z^2 - 1) / sqrt 2: dependent, but without linear correlation. Else f(z) = z."""
    av_offset_seconds: float = Field(default=0.0, ge=0, le=0.3)
    """How much later than the music the picture follows it."""
    duplicate_songs: bool = False
    """The second half of the videos has the songs of the first half."""

    def song_of(self, video: int, videos: int) -> int:
        """Which song a video has."""
        return video % -(-videos // 2) if self.duplicate_songs else video


#: A director with a firm hand: what a newcomer should see.
DIRECTOR = PlantedTruth(coupling=0.92, cuts_on_beats=0.85, look_by_genre=True)


def driven(truth: PlantedTruth, heard_3T: np.ndarray, mapping: np.ndarray) -> np.ndarray:
    """f(z_audio) in the order of the curves seen, by this video's mapping: [..., 3, T]."""
    ordered = np.einsum("...ij,...jt->...it", mapping, heard_3T)
    return (ordered**2 - 1) / np.sqrt(2) if truth.nonlinear else ordered


def coupled(truth: PlantedTruth, driven_3T: np.ndarray, own_3T: np.ndarray) -> np.ndarray:
    """C f(z_audio) + sqrt(1 - c^2) z_own."""
    return truth.coupling * driven_3T + np.sqrt(1 - truth.coupling**2) * own_3T


def mapping_for(truth: PlantedTruth, rng: np.random.Generator) -> np.ndarray:
    """Which curve heard drives which curve seen: a signed permutation [3, 3]; else the identity."""
    if not truth.per_video_mapping:
        return np.eye(3)
    return np.eye(3)[rng.permutation(3)] * rng.choice((-1.0, 1.0), (3, 1))


def fade_depth(count: int) -> np.ndarray:
    """1 at both ends of a video, 0 in between: float64 [count]."""
    place = np.arange(count) / max(1, count - 1)
    return np.clip(1 - np.minimum(place, 1 - place) / FADE_SHARE, 0, 1)


def cut_times(
    truth: PlantedTruth, beats_seconds: np.ndarray, seconds: float, rng: np.random.Generator
) -> np.ndarray:
    """Cuts of a video, ascending: Poisson, a share `cuts_on_beats` moved to the nearest beat."""
    count = rng.poisson(CUTS_PER_SECOND * seconds)
    times = np.sort(rng.uniform(0, seconds, count))
    moved = rng.random(count) < truth.cuts_on_beats
    if len(beats_seconds):
        later = np.searchsorted(beats_seconds, times).clip(0, len(beats_seconds) - 1)
        before, after = beats_seconds[np.maximum(later - 1, 0)], beats_seconds[later]
        nearest = np.where(times - before < np.abs(after - times), before, after)
        times = np.where(moved, nearest, times)
    return np.unique(times)
