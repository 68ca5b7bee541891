"""The cues of a film: with which look and which reference code each of its frames is drawn.

A film is a row of takes. Within a take the code walks along what a model remembers of one shot
of one training clip, at that clip's speed or slower; from take to take it jumps (a cut) or glides.
Looks take turns in the same way. A cue depends on its frame's place alone, so any part of a film
has the cues that the whole film has there.

Shape suffixes: T frames, P remembered places of a shot, L numbers of a look, Z of a reference
code, K of a cue, N looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from soundreel.timeline import frame_time


@dataclass(frozen=True)
class LookTurn:
    """A look from a frame on; it comes in over `fade` frames (0: at once).

    shares: of each look that the model knows, in its order; they sum to 1.
    """

    first: int
    fade: int
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Take:
    """From a frame on the code walks along a shot; it comes in over `fade` frames (0: a cut).

    shot: its place among the track's shots. start_seconds: where in its clip the walk begins.
    speed: 1 as the clip itself, 0.5 half as fast, -1 backwards, 0 stays where it begins.
    """

    first: int
    fade: int
    shot: int
    start_seconds: float
    speed: float = 1


@dataclass(frozen=True, eq=False)
class ShotPath:
    """What is remembered of a shot, evened out: a code at each of its places, time ascending.

    clip, shot: which ones, as the model counts them. seconds_P: float64, times in the clip.
    code_PZ: float16.
    """

    clip: int
    shot: int
    seconds_P: np.ndarray
    code_PZ: np.ndarray

    def codes_at(self, seconds_T: np.ndarray) -> np.ndarray:
        """The codes at times of a walk: T x Z float32, linear between places.

        A walk that comes to an end of the shot turns round: it never leaves it.
        """
        at_T = turned(seconds_T, self.seconds_P[0], self.seconds_P[-1])
        later_T = np.searchsorted(self.seconds_P, at_T, "right").clip(1, max(1, len(self) - 1))
        later_T = later_T.clip(0, len(self) - 1)
        before_T = (later_T - 1).clip(0)
        before, after = self.code_PZ[before_T], self.code_PZ[later_T]
        apart_T = self.seconds_P[later_T] - self.seconds_P[before_T]
        share_T = (at_T - self.seconds_P[before_T]) / np.where(apart_T > 0, apart_T, 1)
        return _mixed(before.astype(np.float32), after.astype(np.float32), share_T)

    def __len__(self) -> int:
        return len(self.seconds_P)


@dataclass(frozen=True, eq=False)
class CueTrack:
    """The cues of a film's frames.

    fps: of the film. look_NL: the model's looks, float32. looks, takes: in their order, the first
    of each begins at frame 0 or before. paths: the shots that are walked along. Its size depends
    on what the model remembers, and by some 50 bytes on each take; not on the film's frames.
    """

    fps: Fraction
    look_NL: np.ndarray
    looks: tuple[LookTurn, ...]
    takes: tuple[Take, ...]
    paths: tuple[ShotPath, ...]

    @property
    def cuts(self) -> tuple[int, ...]:
        """The frames at which the code jumps."""
        return tuple(take.first for take in self.takes[1:] if take.fade == 0)

    def cues(self, frames: Sequence[int] | np.ndarray) -> Tensor:
        """The cues of frames, in whatever order: T x K float32, the look's numbers first."""
        n_T = np.asarray(frames, np.int64)
        look_TL = _in_turns(n_T, self.looks, self._look)
        code_TZ = _in_turns(n_T, self.takes, self._code)
        return torch.from_numpy(np.concatenate([look_TL, code_TZ], 1))

    def _look(self, turn: LookTurn, n_T: np.ndarray) -> np.ndarray:
        mixed_L = sum(
            np.float32(share) * look_L
            for share, look_L in zip(turn.shares, self.look_NL, strict=True)
            if share
        )
        return np.broadcast_to(np.asarray(mixed_L, np.float32), (len(n_T), len(self.look_NL[0])))

    def _code(self, take: Take, n_T: np.ndarray) -> np.ndarray:
        since_T = np.array([float(frame_time(int(n) - take.first, self.fps)) for n in n_T])
        return self.paths[take.shot].codes_at(take.start_seconds + take.speed * since_T)


def turned(
    seconds_T: np.ndarray, first_seconds: np.ndarray | float, last_seconds: np.ndarray | float
) -> np.ndarray:
    """Times of walks to and fro between two ends: those beyond an end are mirrored at it."""
    length_T = np.asarray(last_seconds) - first_seconds
    gone_T = np.mod(seconds_T - first_seconds, np.where(length_T > 0, 2 * length_T, 1))
    return first_seconds + np.where(length_T > 0, np.minimum(gone_T, 2 * length_T - gone_T), 0)


_Turn = TypeVar("_Turn", LookTurn, Take)


def _in_turns(
    n_T: np.ndarray, turns: Sequence[_Turn], value: Callable[[_Turn, np.ndarray], np.ndarray]
) -> np.ndarray:
    """The value of whose turn it is in each frame; where one comes in, a mixture with the last."""
    firsts = [turn.first for turn in turns]
    turn_T = (np.searchsorted(firsts, n_T, "right") - 1).clip(0)
    rows: list[np.ndarray] = [np.empty(0)] * len(n_T)
    for place in np.unique(turn_T):
        turn, frames = turns[place], np.flatnonzero(turn_T == place)
        own = value(turn, n_T[frames])
        if place and turn.fade:
            # As `blending.crossfade_share` for each frame.
            u_T = ((n_T[frames] - turn.first + 1) / (turn.fade + 1)).clip(0, 1)
            coming_T = u_T * u_T * (3 - 2 * u_T)
            if (coming_T < 1).any():
                own = _mixed(value(turns[place - 1], n_T[frames]), own, coming_T)
        for row, frame in zip(own, frames, strict=True):
            rows[frame] = row
    return np.stack(rows).astype(np.float32, copy=False)


def _mixed(a_TX: np.ndarray, b_TX: np.ndarray, share_T: np.ndarray) -> np.ndarray:
    """`a` at a share of 0, `b` at 1, to the bit at both ends."""
    share_T1 = share_T.astype(np.float32)[:, None]
    return (1 - share_T1) * a_TX + share_T1 * b_TX
