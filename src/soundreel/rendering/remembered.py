"""What a `reel` remembers of its training clips, by clip and shot, and which clip sounds nearest.

Shape suffixes: R remembered frames, A numbers of a sound code, Z of a reference code, P places
of a shot, T moments of a song, N clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from soundreel.networks.reel import References
from soundreel.rendering.cues import ShotPath

#: Of each clip so many moments, evenly, are compared with a song: the nearest of many is nearer
#: by chance, and a long clip must not win by that.
_MOMENTS_OF_CLIP = 512
_MOMENTS_AT_A_TIME = 1_024
#: Codes are evened out by a Hann window of this width: what is drawn walks, and does not shake.
#: Training evens them out alike, over four frames at 12 a second; longer, and what moves blurs.
EVENED_SECONDS = 1 / 3


@dataclass(frozen=True)
class RememberedShot:
    """A shot of a clip: rows [first, stop) of the memory."""

    clip: int
    shot: int
    first: int
    stop: int


@dataclass(frozen=True, eq=False)
class Memory:
    """Remembered frames by clip, and in each by time.

    sound_RA: float32. code_RZ: float16. seconds_R: float64, in their clip.
    shots: neighbouring frames of one shot, in that order.
    clips: how many looks of clips there are; of some nothing may be remembered.
    """

    sound_RA: np.ndarray
    code_RZ: np.ndarray
    seconds_R: np.ndarray
    shots: tuple[RememberedShot, ...]
    clips: int

    @classmethod
    def of(cls, known: References, clips: int) -> Memory:
        """The memory of a model (`Reel.references`)."""
        clip_R, shot_R = known.clip_R.cpu().numpy(), known.shot_R.cpu().numpy()
        seconds_R = known.seconds_R.cpu().double().numpy()
        order_R = np.lexsort((seconds_R, clip_R))
        clip_R, shot_R = clip_R[order_R], shot_R[order_R]
        changes = np.flatnonzero(np.diff(clip_R) | np.diff(shot_R)) + 1
        edges = [0, *changes.tolist(), len(clip_R)]
        shots = tuple(
            RememberedShot(int(clip_R[first]), int(shot_R[first]), first, stop)
            for first, stop in pairwise(edges)
        )
        return cls(
            known.sound_RA.float().cpu().numpy()[order_R],
            known.code_RZ.cpu().numpy().astype(np.float16)[order_R],
            seconds_R[order_R],
            shots,
            clips,
        )

    def shots_of(self, clip: int) -> list[int]:
        """The places of a clip's shots among `shots`."""
        return [place for place, shot in enumerate(self.shots) if shot.clip == clip]

    def path(self, place: int) -> ShotPath:
        """The way along a shot, its codes evened out."""
        shot = self.shots[place]
        rows = slice(shot.first, shot.stop)
        seconds_P = self.seconds_R[rows]
        return ShotPath(shot.clip, shot.shot, seconds_P, evened(seconds_P, self.code_RZ[rows]))


def evened(seconds_P: np.ndarray, code_PZ: np.ndarray) -> np.ndarray:
    """Codes as means of those around them, weighted by a Hann window: P x Z float16.

    Sums are taken in the order of the places, so that they are the same wherever they are taken.
    """
    sum_PZ = code_PZ.astype(np.float32)
    weight_P = np.ones(len(seconds_P), np.float32)
    for step in range(1, len(seconds_P)):
        apart_Q = seconds_P[step:] - seconds_P[:-step]
        share_Q = np.cos(np.pi * (apart_Q / EVENED_SECONDS).clip(0, 0.5)) ** 2
        share_Q[apart_Q >= EVENED_SECONDS / 2] = 0
        if not share_Q.any():
            break
        share_Q = share_Q.astype(np.float32)
        sum_PZ[step:] += share_Q[:, None] * code_PZ[:-step]
        sum_PZ[:-step] += share_Q[:, None] * code_PZ[step:]
        weight_P[step:] += share_Q
        weight_P[:-step] += share_Q
    return (sum_PZ / weight_P[:, None]).astype(np.float16)


def clip_distances(memory: Memory, sound_TA: np.ndarray) -> np.ndarray:
    """How far each moment of a song is from the nearest sounds of each clip: T x N float32.

    Infinite for a clip of which nothing is remembered.
    """
    distance_TN = np.full((len(sound_TA), memory.clips), np.inf, np.float32)
    clip_R = np.repeat(
        [shot.clip for shot in memory.shots], [shot.stop - shot.first for shot in memory.shots]
    )
    for clip in range(memory.clips):
        rows = np.flatnonzero(clip_R == clip)
        if len(rows) > _MOMENTS_OF_CLIP:
            rows = rows[np.linspace(0, len(rows) - 1, _MOMENTS_OF_CLIP).round().astype(int)]
        for first in range(0, len(sound_TA) if len(rows) else 0, _MOMENTS_AT_A_TIME):
            part = slice(first, first + _MOMENTS_AT_A_TIME)
            distance_TN[part, clip] = distances(sound_TA[part], memory.sound_RA[rows]).min(1)
    return distance_TN


def distances(a_TA: np.ndarray, b_RA: np.ndarray) -> np.ndarray:
    """Euclidean distances of sound codes: T x R, float32."""
    # About a common middle: of large squares little would be left of a small difference.
    middle_A = b_RA.mean(0)
    a_TA, b_RA = a_TA - middle_A, b_RA - middle_A
    square_TR = np.square(a_TA).sum(1)[:, None] + np.square(b_RA).sum(1) - 2 * a_TA @ b_RA.T
    return np.sqrt(square_TR.clip(0))
