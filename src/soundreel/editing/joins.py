"""What a cut from one piece to another looks like: a clear change, and motion that goes on.

Shapes: K pieces, T pictures looked at (all clips, one after the other), C cells, I x K pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soundreel.editing.candidates import Candidates, Shots, in_seconds
from soundreel.editing.footage import Clip
from soundreel.editing.hearing import MOMENT_SECONDS

#: A cut between pictures that are nearly the same is a jump: it looks like a fault. From this
#: mean distance of their cells on (OKLab, in which .02 can just be told apart) it is a cut.
_CLEAR_CHANGE = 0.12
ALIKE_WEIGHT = 1.5
#: Two pieces of one shot seldom belong side by side, and if hardly anything lies between them the
#: cut can only look like a fault, whatever the pictures (the thirty-degree rule of editing).
SAME_SHOT_WEIGHT = 1.0
SMALL_GAP_WEIGHT = 2.0
_SMALL_GAP_SECONDS = 3.0
#: Motion as fast after the cut as before it: for each doubling, up to three. Together with the
#: pan less than what the best and the 48th by sound differ by (1), for sound was to choose.
SPEED_WEIGHT = 0.15
_MOST_DOUBLINGS = 3.0
#: Slower than this (picture heights a second) is at rest.
_AT_REST = 0.02
#: Pans against each other collide; pans that go on carry the eye over the cut.
PAN_WEIGHT = 0.2
_PAN = 0.15
#: Motion is what it is over so long before and after the cut.
_MOTION_SECONDS = 0.4


@dataclass(frozen=True)
class Looks:
    """The pictures of all clips in a row; start_C: where each clip's begin, fps_C: how many."""

    start_C: np.ndarray
    fps_C: np.ndarray
    lab_TC3: np.ndarray
    speed_sums: np.ndarray
    pan_sums: np.ndarray


@dataclass(frozen=True)
class Ends:
    """The two ends of some pieces: where they lie, how they look and move.

    first_K, last_K: seconds of the clip. lab, speed (log2 of picture heights a second) and pan
    of each end.
    """

    shot_K: np.ndarray
    first_K: np.ndarray
    last_K: np.ndarray
    first_lab_KC3: np.ndarray
    last_lab_KC3: np.ndarray
    first_speed_K: np.ndarray
    last_speed_K: np.ndarray
    first_pan_K2: np.ndarray
    last_pan_K2: np.ndarray


def looks_of(clips: Sequence[Clip]) -> Looks:
    """All pictures that were looked at, in a row."""
    counts = [len(clip.seen.speed_T) for clip in clips]
    speed_T = np.concatenate([clip.seen.speed_T for clip in clips])
    pan_T2 = np.concatenate([clip.seen.pan_T2 for clip in clips])
    return Looks(
        np.concatenate([[0], np.cumsum(counts)]),
        np.array([float(clip.seen.fps) for clip in clips]),
        np.concatenate([clip.seen.lab_TC3 for clip in clips]),
        np.concatenate([[0.0], np.cumsum(speed_T, dtype=np.float64)]),
        np.concatenate([np.zeros((1, 2)), np.cumsum(pan_T2, axis=0, dtype=np.float64)]),
    )


def ends_of(shots: Shots, looks: Looks, those: Candidates) -> Ends:
    """Both ends of each candidate."""
    clip_K = shots.clip_J[those.place_K]
    stretch = those.stretch
    first_K = np.array([float(in_seconds(shots, stretch, int(j))) for j in those.place_K])
    frames = stretch.stop - stretch.first
    shown = (frames - 1) * float(1 / stretch.fps)
    if those.turned:
        span = float(those.moments * MOMENT_SECONDS)
        shown = span - abs(span - shown % (2 * span))
    last_K = first_K + shown
    first_T, last_T = _picture(looks, clip_K, first_K), _picture(looks, clip_K, last_K)
    reach_K = np.maximum(1, (_MOTION_SECONDS * looks.fps_C[clip_K]).astype(np.int64))
    after_T = np.minimum(first_T + reach_K, np.maximum(last_T, first_T + 1))
    before_T = np.maximum(last_T + 1 - reach_K, np.minimum(first_T, last_T))
    return Ends(
        shots.shot_J[those.place_K],
        first_K,
        last_K,
        looks.lab_TC3[first_T].astype(np.float32),
        looks.lab_TC3[last_T].astype(np.float32),
        _speed(looks, first_T, after_T),
        _speed(looks, before_T, last_T + 1),
        _mean(looks.pan_sums, first_T, after_T),
        _mean(looks.pan_sums, before_T, last_T + 1) * (0.0 if those.turned else 1.0),
    )


def join_costs(before: Ends, after: Ends) -> np.ndarray:
    """What it costs to cut from each of I pieces to each of K others: I x K, at least 0."""
    difference = before.last_lab_KC3[:, None] - after.first_lab_KC3[None]
    distance_IK = np.sqrt(np.square(difference).sum(-1)).mean(-1)
    cost_IK = ALIKE_WEIGHT * (1 - distance_IK / _CLEAR_CHANGE).clip(0) ** 2
    same_IK = before.shot_K[:, None] == after.shot_K
    gap_IK = np.abs(after.first_K - before.last_K[:, None])
    small_IK = (1 - gap_IK / _SMALL_GAP_SECONDS).clip(0)
    cost_IK += same_IK * (SAME_SHOT_WEIGHT + SMALL_GAP_WEIGHT * small_IK)
    doublings_IK = np.abs(before.last_speed_K[:, None] - after.first_speed_K)
    cost_IK += SPEED_WEIGHT * np.minimum(doublings_IK, _MOST_DOUBLINGS)
    pan_IK = before.last_pan_K2 @ after.first_pan_K2.T
    sizes_IK = np.outer(
        np.hypot(*before.last_pan_K2.T) + _PAN, np.hypot(*after.first_pan_K2.T) + _PAN
    )
    return cost_IK + PAN_WEIGHT * (1 - pan_IK / sizes_IK)


def _picture(looks: Looks, clip_K: np.ndarray, seconds_K: np.ndarray) -> np.ndarray:
    place_K = np.floor(seconds_K * looks.fps_C[clip_K] + 1e-6).astype(np.int64)
    count_K = looks.start_C[clip_K + 1] - looks.start_C[clip_K]
    return looks.start_C[clip_K] + np.minimum(place_K, count_K - 1).clip(0)


def _speed(looks: Looks, start_K: np.ndarray, stop_K: np.ndarray) -> np.ndarray:
    return np.log2(_mean(looks.speed_sums, start_K, stop_K).clip(0) + _AT_REST)


def _mean(sums: np.ndarray, start_K: np.ndarray, stop_K: np.ndarray) -> np.ndarray:
    count_K = np.maximum(1, stop_K - start_K)
    total = sums[stop_K] - sums[start_K]
    return total / (count_K if total.ndim == 1 else count_K[:, None])
