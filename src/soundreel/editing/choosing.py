"""Which piece of which shot for each stretch of the song: the cheapest of many ways together.

Shapes: B ways kept, K candidates for a stretch, C seconds of footage, S shots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.editing.candidates import (
    Candidates,
    Shots,
    candidates_for,
    in_seconds,
)
from soundreel.editing.hearing import MOMENT_SECONDS, Hearing
from soundreel.editing.joins import Ends, ends_of, join_costs, looks_of
from soundreel.editing.stretches import Stretch
from soundreel.progress import Listener, Step, silent

#: So many ways to the present stretch are followed on. What was seen before decides what may be
#: seen again, so no table of pairs finds the best way; against one way 64 cost 2 to 4% less, and
#: 256 no less than these.
_WAYS = 64
#: Seen once before: worse than a sound that does not fit at all. It is forgotten by half while
#: half of the footage could be shown, so a film longer than its footage comes round to it again,
#: the oldest first, and one that is shorter does not.
SEEN_WEIGHT = 3.0
_LEAST_HALF_LIFE_SECONDS = 10.0
#: The same shot, another part of it, soon again.
SHOT_WEIGHT = 0.6
_SHOT_HALF_LIFE_SECONDS = 8.0


@dataclass(frozen=True)
class Choice:
    """What is shown in a stretch: a clip (by number) from a time of it on.

    turn_seconds: None, or how much of it is played to and fro.
    """

    stretch: Stretch
    clip: int
    from_seconds: Fraction
    turn_seconds: Fraction | None


def choose(
    shots: Shots,
    song: Hearing,
    stretches: Sequence[Stretch],
    seed: int,
    progress: Listener = silent,
) -> list[Choice]:
    """A piece for each stretch; the same seed gives the same ones.

    The sum over the film of what each piece costs by itself (its sound against the song's,
    little to see, a picture that does not fit), what each join costs, and what it costs to see
    footage again is made small by a beam search. Time grows with stretches times footage.
    """
    looks = looks_of(shots.clips)
    found: list[tuple[Candidates, Ends]] = []
    for number, stretch in enumerate(stretches):
        those = candidates_for(shots, song, stretch, number, seed)
        found.append((those, ends_of(shots, looks, those)))
        progress(Step("choose shots", number + 1, len(stretches), "cuts"))
    chosen = _cheapest_way(shots, found)
    return [
        Choice(
            those.stretch,
            int(shots.clip_J[those.place_K[k]]),
            in_seconds(shots, those.stretch, int(those.place_K[k])),
            those.moments * MOMENT_SECONDS if those.turned else None,
        )
        for (those, _), k in zip(found, chosen, strict=True)
    ]


def _cheapest_way(shots: Shots, found: Sequence[tuple[Candidates, Ends]]) -> list[int]:
    """Which candidate of each stretch."""
    spans = [_cells(shots, those) for those, _ in found]
    cells = np.unique(
        np.concatenate([np.arange(a, b) for span in spans for a, b in zip(*span, strict=True)])
    )
    shot_numbers = np.unique(np.concatenate([ends.shot_K for _, ends in found]))
    footage_seconds = float(len(shots.shot_J) * MOMENT_SECONDS)
    half_life = max(_LEAST_HALF_LIFE_SECONDS, footage_seconds / 2)
    cost_B = np.zeros(1)
    seen_BC = np.zeros((1, len(cells)), np.float32)
    shot_BS = np.zeros((1, len(shot_numbers)), np.float32)
    last_B = np.zeros(1, np.int64)
    trail: list[tuple[np.ndarray, np.ndarray]] = []
    for number, (those, ends) in enumerate(found):
        start_K, stop_K = (np.searchsorted(cells, edge_K) for edge_K in spans[number])
        shot_K = np.searchsorted(shot_numbers, ends.shot_K)
        sums = np.concatenate(
            [np.zeros((len(cost_B), 1)), np.cumsum(seen_BC, axis=1, dtype=np.float64)], axis=1
        )
        seen_BK = (sums[:, stop_K] - sums[:, start_K]) / (stop_K - start_K)
        total_BK = cost_B[:, None] + those.cost_K
        total_BK += SEEN_WEIGHT * seen_BK + SHOT_WEIGHT * shot_BS[:, shot_K]
        if number:
            total_BK += join_costs(found[number - 1][1], ends)[last_B]
        kept = np.argsort(total_BK, axis=None, kind="stable")[:_WAYS]
        way_B, last_B = np.divmod(kept, len(those.place_K))
        trail.append((way_B, last_B))
        cost_B = total_BK.reshape(-1)[kept]
        seconds = float(those.stretch.seconds)
        seen_BC = seen_BC[way_B] * np.float32(0.5 ** (seconds / half_life))
        shot_BS = shot_BS[way_B] * np.float32(0.5 ** (seconds / _SHOT_HALF_LIFE_SECONDS))
        for way, k in enumerate(last_B):
            seen_BC[way, start_K[k] : stop_K[k]] += 1
            shot_BS[way, shot_K[k]] += 1
    chosen: list[int] = []
    way = 0  # the cheapest
    for way_B, last_B in reversed(trail):
        chosen.append(int(last_B[way]))
        way = int(way_B[way])
    return chosen[::-1]


def _cells(shots: Shots, those: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """The seconds of footage that each candidate shows: first, and stop (exclusive)."""
    start_K = shots.cell_J[those.place_K]
    last_K = np.minimum(those.place_K + those.moments, shots.end_J[those.place_K]) - 1
    return start_K, np.maximum(start_K + 1, shots.cell_J[last_K] + 1)
