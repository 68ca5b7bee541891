"""Does a model show its training frames again? The distance to the nearest one, beside two scales.

How near is near is told by the pictures themselves: how far a training frame is from itself once
it was encoded again, softened or moved by a pixel, and how near real frames that were not
trained on come to the training frames by themselves. A copy is within the one and nearer than
the other; either alone would be unfair, the first to a look in which all frames are alike, the
second to soft pictures, which are near everything.

Shapes: N made pictures, M training frames, K held-out frames, H rows, W columns, P values of a
small picture.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np

from soundreel.evidence.proportion import binomial_interval
from soundreel.evidence.realism import SMALL_SIDE, lab_of, small_pictures
from soundreel.seeding import numpy_generator_for

#: A copy is at most so many times as far from a training frame as the frame's altered versions.
_ALTERED_TIMES = 3.0
_ALTERED_FRAMES = 200
_JPEG_QUALITY = 50
#: The size at which they are altered, so that a pixel's shift is the same part of every picture.
_ALTERED_SIDE = 128
#: Of unseen real frames so many pass for copies (at most the nearest one, where there are few).
_UNSEEN_SHARE = 0.01
#: With fewer held-out frames, what unseen frames do by themselves is not known.
FEWEST_HELD_OUT = 20
#: "Does not copy" needs the share of copies to be below this with confidence.
_TOLERATED = 0.1
_AT_ONCE = 1024

Verdict = Literal["copies", "does not copy", "cannot tell"]


@dataclass(frozen=True)
class Memorisation:
    """What came back of the training frames. Distances are colour differences (Lab, CIE 1976).

    verdict, reason: and in one line, why.
    copies of judged, copy_rate, low, high: the share of copies and its 95% interval.
    plain: made pictures not judged, as they show one colour only, as a training frame does.
    altered_distance: of training frames to their own altered versions (median).
    copy_distance: nearer is a copy. unseen_distance: nearer than this are 1% of held-out frames.
    median_ratio: median distance of the judged made pictures over that of held-out frames: near
      or above 1 is like unseen frames; it is small for copies, and lower for soft pictures.
    distance_N, nearest_N, is_copy_N: of each made picture, and the index of its training frame.
    held_out_distance_K: of each held-out frame that is judged.
    """

    verdict: Verdict
    reason: str
    copies: int
    judged: int
    copy_rate: float
    low: float
    high: float
    plain: int
    altered_distance: float
    copy_distance: float
    unseen_distance: float
    median_ratio: float
    distance_N: np.ndarray
    nearest_N: np.ndarray
    is_copy_N: np.ndarray
    held_out_distance_K: np.ndarray


def memorisation(
    made_NHW3: np.ndarray,
    training_MHW3: np.ndarray,
    held_out_KHW3: np.ndarray,
    seed: int,
) -> Memorisation:
    """For each made picture the nearest training frame, and whether it is a copy of it.

    made_NHW3, training_MHW3, held_out_KHW3: uint8 RGB; each set of one size, best all of one.
      Training frames are read in chunks, so they may be a memory-mapped file; M may be 50,000.
      Held out are whole films (songs): other frames of the training films are too near.

    The distance is the root mean square colour difference (Lab, Euclidean) of the pictures
    averaged down to 32 x 32: brightness, contrast and colour count, what is finer does not.

    A made picture is a copy if its distance is below both
    - three times the median, over up to 200 training frames, of the largest distance to the
      frame's own altered versions (at 128 x 128 pixels: JPEG of quality 50, Gaussian blur of one
      pixel, a shift by one pixel), and
    - the 1% quantile of the held-out frames' distances, lower neighbour (of fewer than 100 the
      smallest).
    Plain pictures (black, fades: no further than the first of these from their own mean colour)
    that come as near to a training frame are left out, made or held out: they are copies of all
    of their kind.

    - "copies": the interval's lower end is above what unseen frames give by chance: 1%, or
      1 / (K + 1) where K is small.
    - "does not copy": the upper end is below 10%.
    - "cannot tell": neither; or fewer than 20 held-out frames; or unseen frames come as near as
      altered ones, so that a copy would not stand out.
    The interval (Clopper-Pearson) takes pictures as independent. Frames of one film are not:
    give pictures that are seconds apart. A soft blend of a few frames of one training shot may
    count as a copy of one of them: look at the pairs.

    Source: the comparison with held-out data follows Meehan, Chaudhuri and Dasgupta 2020, "A
    non-parametric test to detect data-copying in generative models" (arXiv 2004.05675).

    Raises: ValueError for other shapes or types, or no made picture or training frame.
    """
    sets = {"made": made_NHW3, "training": training_MHW3, "held-out": held_out_KHW3}
    for name, pictures in sets.items():
        if pictures.ndim != 4 or pictures.shape[-1] != 3 or pictures.dtype != np.uint8:
            raise ValueError(
                f"{name} pictures are {pictures.shape} {pictures.dtype}: "
                "N x height x width x 3 uint8 is needed"
            )
        if len(pictures) == 0 and name != "held-out":
            raise ValueError(f"no {name} pictures: at least one is needed")
    made_NP, held_out_KP = _described(made_NHW3), _described(held_out_KHW3)
    altered = _altered_distance(training_MHW3, numpy_generator_for(seed, "altered"))
    near = _ALTERED_TIMES * altered
    nearest, distance = _nearest(np.concatenate([made_NP, held_out_KP]), training_MHW3)
    nearest_N, distance_N = nearest[: len(made_NP)], distance[: len(made_NP)]
    is_plain_N = (_spread(made_NP) <= near) & (distance_N < near)
    held_out_distance_K = distance[len(made_NP) :]
    is_plain_K = (_spread(held_out_KP) <= near) & (held_out_distance_K < near)
    held_out_distance_K = held_out_distance_K[~is_plain_K]
    judged, held_out = int((~is_plain_N).sum()), len(held_out_distance_K)
    unseen = (
        float(np.quantile(held_out_distance_K, _UNSEEN_SHARE, method="lower"))
        if held_out
        else float("nan")
    )
    is_copy_N = ~is_plain_N & (distance_N < near) & (distance_N < unseen)
    copies = int(is_copy_N.sum())
    low, high = binomial_interval(copies, judged)
    by_chance = max(_UNSEEN_SHARE, 1 / (held_out + 1))
    verdict: Verdict
    if held_out < FEWEST_HELD_OUT:
        verdict = "cannot tell"
        reason = f"{held_out} held-out frames with something in them: {FEWEST_HELD_OUT} are needed"
    elif unseen <= altered:
        verdict = "cannot tell"
        reason = "unseen real frames come as near to training frames as altered copies of them"
    elif judged == 0:
        verdict, reason = "cannot tell", "all made pictures are of one colour"
    elif low > by_chance:
        verdict, reason = "copies", f"{copies} of {judged} are copies, more than by chance"
    elif high < _TOLERATED:
        verdict, reason = "does not copy", f"{copies} of {judged} are copies"
    else:
        verdict = "cannot tell"
        reason = f"{copies} of {judged} are copies: too few pictures to say"
    between = float(np.median(held_out_distance_K)) if held_out else float("nan")
    return Memorisation(
        verdict=verdict,
        reason=reason,
        copies=copies,
        judged=judged,
        copy_rate=copies / judged if judged else float("nan"),
        low=low,
        high=high,
        plain=int(is_plain_N.sum()),
        altered_distance=altered,
        copy_distance=near,
        unseen_distance=unseen,
        median_ratio=(
            float(np.median(distance_N[~is_plain_N])) / between
            if judged and between > 0
            else float("nan")
        ),
        distance_N=distance_N,
        nearest_N=nearest_N,
        is_copy_N=is_copy_N,
        held_out_distance_K=held_out_distance_K,
    )


def _described(pictures_NHW3: np.ndarray) -> np.ndarray:
    """Small pictures in Lab, N x P float32, so scaled that their distance is a root mean square."""
    if len(pictures_NHW3) == 0:
        return np.empty((0, SMALL_SIDE * SMALL_SIDE * 3), np.float32)
    lab_NSS3 = lab_of(small_pictures(pictures_NHW3))
    return lab_NSS3.reshape(len(lab_NSS3), -1) / np.float32(SMALL_SIDE)


def _spread(described_NP: np.ndarray) -> np.ndarray:
    """Distance of each picture from one that is all of its mean colour."""
    lab_NA3 = described_NP.reshape(len(described_NP), SMALL_SIDE * SMALL_SIDE, 3)
    return np.sqrt(np.square(lab_NA3 - lab_NA3.mean(axis=1, keepdims=True)).sum(axis=(1, 2)))


def _nearest(x_NP: np.ndarray, training_MHW3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each picture the index of the nearest training frame, and the distance to it."""
    square_N = np.square(x_NP).sum(axis=1)
    index_N = np.zeros(len(x_NP), np.int64)
    least_N = np.full(len(x_NP), np.inf, np.float32)
    distance_N = np.empty(len(x_NP))
    for start in range(0, len(training_MHW3), _AT_ONCE):
        some_BP = _described(training_MHW3[start : start + _AT_ONCE])
        # Squared distance, less the picture's own square, which is the same for all frames.
        square_NB = np.square(some_BP).sum(axis=1) - 2 * (x_NP @ some_BP.T)
        at_N = square_NB.argmin(axis=1)
        square_at_N = square_NB[np.arange(len(x_NP)), at_N] + square_N
        # Where it is the nearest so far, exactly: the products round to about 0.05.
        for n in np.flatnonzero(square_at_N < least_N):
            index_N[n], least_N[n] = start + at_N[n], square_at_N[n]
            distance_N[n] = np.linalg.norm(x_NP[n] - some_BP[at_N[n]])
    return index_N, distance_N


def _altered_distance(training_MHW3: np.ndarray, rng: np.random.Generator) -> float:
    """Median over training frames of the distance to the furthest of their altered versions."""
    import cv2

    count = min(_ALTERED_FRAMES, len(training_MHW3))
    chosen = np.sort(rng.choice(len(training_MHW3), count, replace=False))
    furthest = []
    for frame_HW3 in small_pictures(training_MHW3[chosen], _ALTERED_SIDE):
        versions_NHW3 = np.stack(
            [
                frame_HW3,
                _encoded_again(frame_HW3),
                cv2.GaussianBlur(frame_HW3, (0, 0), 1.0),
                np.roll(frame_HW3, 1, axis=1),
            ]
        )
        described_NP = _described(versions_NHW3)
        furthest.append(np.linalg.norm(described_NP[1:] - described_NP[0], axis=1).max())
    return float(np.median(furthest))


def _encoded_again(frame_HW3: np.ndarray) -> np.ndarray:
    from PIL import Image

    jpeg = io.BytesIO()
    Image.fromarray(frame_HW3).save(jpeg, "JPEG", quality=_JPEG_QUALITY)
    return np.asarray(Image.open(jpeg))
