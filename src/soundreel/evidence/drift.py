"""How far a song or a film has drifted from another: what stays of it, what is lost.

Arrays only. Shapes: T moments, K bands, S rows and columns of a small picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from soundreel.evidence.descriptors import picture_descriptors
from soundreel.evidence.following import within_correlation
from soundreel.evidence.realism import small_pictures
from soundreel.evidence.song_likeness import HeardCurves

_COLOURS = ("saturation", "hue_cos", "hue_sin")


@dataclass(frozen=True)
class SoundDrift:
    """A sound beside another, moment by moment.

    loudness, onsets: correlations of these curves, -1 to 1; 1 of a sound with itself, 0 where one
      of them does not move.
    spectrum_db: log-spectral distance: root mean square difference of the levels of mel bands in
      a moment, the mean over moments; what one of the two is louder throughout is taken out, so
      that turning the volume is no drift.
    """

    loudness: float
    onsets: float
    spectrum_db: float


@dataclass(frozen=True, eq=False)
class SeenCurves:
    """A film as it is compared with another.

    small_TSS3: its pictures at 32 x 32, uint8. brightness_T: mean luma, 0 to 1. colour_TC:
    saturation and mean hue as a vector (see `descriptors.picture_descriptors`).
    """

    small_TSS3: np.ndarray
    brightness_T: np.ndarray
    colour_TC: np.ndarray


@dataclass(frozen=True)
class FilmDrift:
    """A film beside another, moment by moment.

    brightness, colour: correlations of these curves, -1 to 1 (colour: the mean of its three).
    pixels: mean absolute difference of the pictures at 32 x 32, of full scale: 0 is equal.
    """

    brightness: float
    colour: float
    pixels: float


def sound_drift(one: HeardCurves, other: HeardCurves) -> SoundDrift:
    """How far one sound is from another; of the longer only as much as there is of the shorter.

    Raises: ValueError if either has no moment.
    """
    count = _shared(len(one), len(other))
    apart_TK = one.level_TK[:count] - other.level_TK[:count]
    apart_TK = apart_TK - apart_TK.mean()
    return SoundDrift(
        loudness=_correlation(one.loudness_db_T[:count], other.loudness_db_T[:count]),
        onsets=_correlation(one.onset_T[:count], other.onset_T[:count]),
        spectrum_db=float(np.sqrt(np.square(apart_TK).mean(axis=1)).mean()),
    )


def seen_curves(frames: Iterable[np.ndarray]) -> SeenCurves:
    """The curves of a film's frames, H x W x 3 uint8, of one size, as they are decoded.

    Memory grows by some 3 KB a frame.
    """
    small: list[np.ndarray] = []

    def passing() -> Iterable[np.ndarray]:
        for frame_HW3 in frames:
            small.append(small_pictures(frame_HW3[None])[0])
            yield frame_HW3

    seen = picture_descriptors(passing())
    return SeenCurves(
        small_TSS3=np.stack(small) if small else np.empty((0, 32, 32, 3), np.uint8),
        brightness_T=seen["brightness"],
        colour_TC=np.stack([seen[name] for name in _COLOURS], axis=1),
    )


def film_drift(one: SeenCurves, other: SeenCurves) -> FilmDrift:
    """How far one film is from another, frame by frame, over those that both have.

    Raises: ValueError if either has no frame.
    """
    count = _shared(len(one.brightness_T), len(other.brightness_T))
    apart = np.abs(one.small_TSS3[:count].astype(np.int16) - other.small_TSS3[:count])
    colours = [
        _correlation(one.colour_TC[:count, c], other.colour_TC[:count, c])
        for c in range(len(_COLOURS))
    ]
    return FilmDrift(
        brightness=_correlation(one.brightness_T[:count], other.brightness_T[:count]),
        colour=float(np.mean(colours)),
        pixels=float(apart.mean() / 255),
    )


def _correlation(one_T: np.ndarray, other_T: np.ndarray) -> float:
    return within_correlation(one_T, other_T, slow_terms=0)


def _shared(one: int, other: int) -> int:
    if min(one, other) == 0:
        raise ValueError(f"{one} and {other} moments: each needs one or more")
    return min(one, other)
