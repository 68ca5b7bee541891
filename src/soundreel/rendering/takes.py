"""Which remembered shot each take of a film walks along: the one that sounds most alike.

Shape suffixes: T moments of the song, J those of a take, R remembered frames of a clip, A numbers
of a sound code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from soundreel.rendering.cues import turned
from soundreel.rendering.remembered import Memory, distances
from soundreel.seeding import numpy_generator_for

#: A take is chosen by its first seconds; what comes later is heard by whoever draws.
_COMPARED_SECONDS = 4.0
#: Of a clip, so many places to begin are looked at, evenly.
_MOST_BEGINNINGS = 2_000
_MOMENTS_AT_A_TIME = 512
#: How much farther a shot counts that ends in the middle of its take and is walked back: by this
#: times the share of the take that is left by then.
_TURNING = 0.5
#: And one that was seen: by this for each time, less with every take since.
_SEEN_AGAIN, _FORGOTTEN = 0.15, 0.8
#: One is drawn among the nearest so many shots that are at most so much farther than the nearest.
_DRAWN_AMONG, _AS_NEAR = 3, 1.15
#: Where a clip has only one shot, a cut goes at least so far away from where the last take ended.
_JUMP_SECONDS = 2.0


@dataclass(frozen=True)
class Wanted:
    """A take to be chosen: [begin, stop) in seconds of the song, and from which clip."""

    begin_seconds: float
    stop_seconds: float
    clip: int


@dataclass(frozen=True)
class Chosen:
    """A shot (its place in the memory) and where in its clip the walk begins."""

    shot: int
    start_seconds: float


def choose_takes(
    memory: Memory,
    sound_TA: np.ndarray,
    seconds_T: np.ndarray,
    wanted: Sequence[Wanted],
    seed: int,
    speed: float = 1,
) -> list[Chosen]:
    """A walk for each take, in their order.

    sound_TA: the song's sound codes; seconds_T: their times, ascending.
    speed: of the walk, 1 as the clip itself; 0 where a take stays where it begins.

    A walk's distance is the mean over the take's first seconds between what the song sounds like
    and what the clip did on that walk. The shot that was just left does not come again at once,
    those seen lately count as farther, and of the nearest few one is drawn: the same seed draws
    the same.
    """
    chosen: list[Chosen] = []
    left: Chosen | None = None
    left_seconds = 0.0
    seen: dict[int, float] = {}
    clips = {clip: _Clip(memory, clip) for clip in {take.clip for take in wanted}}
    for number, take in enumerate(wanted):
        walks = _Walks(clips[take.clip], take, speed)
        cost_R = walks.without(walks.costs(sound_TA, seconds_T), left, left_seconds)
        nearest: list[tuple[float, int, int]] = []
        for shot, rows in walks.by_shot():
            row = rows.start + int(cost_R[rows].argmin())
            farther = 1 + _SEEN_AGAIN * seen.get(shot, 0.0)
            nearest.append((float(cost_R[row]) * farther, shot, row))
        nearest.sort()
        few = [one for one in nearest[:_DRAWN_AMONG] if one[0] <= _AS_NEAR * nearest[0][0]]
        rng = numpy_generator_for(seed, "take", number)
        _, shot, row = few[int(rng.integers(len(few)))]
        left = Chosen(shot, float(walks.start_R[row]))
        left_seconds = walks.place_after(row)
        seen = {one: _FORGOTTEN * times for one, times in seen.items()}
        seen[shot] = seen.get(shot, 0.0) + 1
        chosen.append(left)
    return chosen


class _Clip:
    """What is remembered of a clip, R frames.

    sound_RA; at_R: when each is, in the clip. shot_R: the place of its shot in the memory;
    first_R, last_R: where that shot begins and ends, in seconds.
    """

    def __init__(self, memory: Memory, clip: int) -> None:
        shots = memory.shots_of(clip)
        if not shots:
            raise ValueError(f"clip {clip}: nothing is remembered of it")
        known = [memory.shots[shot] for shot in shots]
        rows = slice(known[0].first, known[-1].stop)
        lengths = [shot.stop - shot.first for shot in known]
        self.sound_RA, self.at_R = memory.sound_RA[rows], memory.seconds_R[rows]
        self.shot_R = np.repeat(shots, lengths)
        seconds_R = memory.seconds_R
        self.first_R = np.repeat(seconds_R[[shot.first for shot in known]], lengths)
        self.last_R = np.repeat(seconds_R[[shot.stop - 1 for shot in known]], lengths)
        every = -(-len(self.at_R) // _MOST_BEGINNINGS)
        self.looked_at_R = np.arange(len(self.at_R)) % every == 0
        self._from, self._distance_JR = 0, np.empty((0, len(self.at_R)), np.float32)

    def distances(self, sound_TA: np.ndarray, first: int, stop: int) -> np.ndarray:
        """How far moments [first, stop) of a song are from each frame: J x R."""
        if not self._from <= first <= stop <= self._from + len(self._distance_JR):
            # Those that the next takes need, too: takes are chosen in their order.
            part = slice(first, max(stop, first + _MOMENTS_AT_A_TIME))
            self._from, self._distance_JR = first, distances(sound_TA[part], self.sound_RA)
        return self._distance_JR[first - self._from : stop - self._from]


class _Walks:
    """The walks that a take may go on: from each of a clip's remembered frames that leaves time.

    shot_R: the place of each one's shot in the memory, ascending. start_R, first_R, last_R: where
    in the clip it begins, and where that shot does and ends, in seconds.
    """

    def __init__(self, clip: _Clip, take: Wanted, speed: float) -> None:
        self._clip, self._take, self._speed = clip, take, speed
        self._seconds = take.stop_seconds - take.begin_seconds
        # A shot that is too short for its take is walked along from its beginning.
        fits_R = clip.looked_at_R & (clip.at_R + speed * self._seconds <= clip.last_R)
        kept = np.flatnonzero(fits_R | (clip.at_R == clip.first_R))
        self.shot_R, self.start_R = clip.shot_R[kept], clip.at_R[kept]
        self.first_R, self.last_R = clip.first_R[kept], clip.last_R[kept]

    def by_shot(self) -> list[tuple[int, slice]]:
        """Each shot (its place in the memory) and the walks that go along it; at least one."""
        edges = [0, *(np.flatnonzero(np.diff(self.shot_R)) + 1).tolist(), len(self.shot_R)]
        return [(int(self.shot_R[a]), slice(a, b)) for a, b in pairwise(edges)]

    def costs(self, sound_TA: np.ndarray, seconds_T: np.ndarray) -> np.ndarray:
        """How far the song is from what the clip sounded like on each walk."""
        begin = self._take.begin_seconds
        until = min(self._take.stop_seconds, begin + _COMPARED_SECONDS)
        first, stop = np.searchsorted(seconds_T, [begin, until])
        first = min(int(first), len(seconds_T) - 1)
        stop = max(int(stop), first + 1)
        distance_JR = self._clip.distances(sound_TA, first, stop)
        sum_R = np.zeros(len(self.start_R))
        for distance_R, seconds in zip(distance_JR, seconds_T[first:stop], strict=True):
            gone = self._speed * max(0.0, float(seconds) - begin)
            sum_R += distance_R[
                _nearest(self._clip.at_R, self._walked(gone), self.first_R, self.last_R)
            ]
        left_R = (self._speed * self._seconds - (self.last_R - self.start_R)).clip(0)
        turned_R = left_R / max(self._seconds, 1e-9)
        return sum_R / len(distance_JR) * (1 + _TURNING * turned_R)

    def without(self, cost_R: np.ndarray, left: Chosen | None, left_seconds: float) -> np.ndarray:
        """The costs, infinite for what would be no cut: the shot that was left, if it can be."""
        if left is None:
            return cost_R
        same_R = self.shot_R == left.shot
        if same_R.all():
            same_R = np.abs(self.start_R - left_seconds) < _JUMP_SECONDS
        return cost_R if same_R.all() else np.where(same_R, np.inf, cost_R)

    def place_after(self, row: int) -> float:
        """Where in the clip a walk is when its take ends, in seconds."""
        return float(self._walked(self._speed * self._seconds)[row])

    def _walked(self, gone_seconds: float) -> np.ndarray:
        return turned(self.start_R + gone_seconds, self.first_R, self.last_R)


def _nearest(
    at_R: np.ndarray, seconds_N: np.ndarray, first_N: np.ndarray, last_N: np.ndarray
) -> np.ndarray:
    """The remembered frame nearest to each time of a clip, not beyond its shot."""
    after_N = np.searchsorted(at_R, seconds_N).clip(1, max(1, len(at_R) - 1))
    after_N = after_N.clip(0, len(at_R) - 1)
    before_N = (after_N - 1).clip(0)
    later_N = np.abs(at_R[after_N] - seconds_N) < np.abs(at_R[before_N] - seconds_N)
    nearest_N = np.where(later_N, after_N, before_N)
    return nearest_N.clip(np.searchsorted(at_R, first_N), np.searchsorted(at_R, last_N))
