"""Entries of many clips that agree: pairs with equal keys, and the clips whose pairs line up.

Nothing here is quadratic in the number of clips: keys are sorted, and of those that occur often
as many are left aside as it takes to stay within a given number of pairs.

Shapes: E entries (a key of a clip at some time), P pairs of entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

#: A vote is one number: two clips and a cell of offsets.
_CELL_BITS = 29
_CLIP_BITS = 17
MOST_CLIPS = 1 << _CLIP_BITS


def equal_pairs(
    key_E: np.ndarray, clip_E: np.ndarray, most_pairs: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of entries (i, j) of different clips with equal keys; clip_E[i] < clip_E[j].

    key_E: unsigned, below 2^24; clip_E: ascending. Where there are more than `most_pairs` (those
    within a clip counted too), keys are taken from the rarest on: what is rare says more.
    Yields index arrays of P pairs each, in an order that depends on the arguments only.
    """
    assert len(key_E) < 2**40
    packed_E = key_E.astype(np.uint64) << np.uint64(40)
    packed_E |= np.arange(len(key_E), dtype=np.uint64)
    packed_E.sort()
    # Runs of entries with the same key, R of them.
    start_R = np.flatnonzero(np.diff(packed_E >> np.uint64(40), prepend=np.uint64(2**64 - 1)))
    count_R = np.diff(start_R, append=len(packed_E))
    largest = _largest_count(count_R, most_pairs)
    kept_R = (count_R > 1) & (count_R <= largest)
    packed_E = packed_E[kept_R.repeat(count_R)]
    count_R = count_R[kept_R]
    entry_E = (packed_E & np.uint64(2**40 - 1)).astype(np.int64)
    # How many entries of the same key come after each.
    after_E = np.cumsum(count_R).repeat(count_R) - 1 - np.arange(len(entry_E))
    at_P = np.arange(len(entry_E))
    for step in range(1, largest):
        at_P = at_P[after_E[at_P] >= step]
        if len(at_P) == 0:
            return
        i_P, j_P = entry_E[at_P], entry_E[at_P + step]
        apart_P = clip_E[i_P] != clip_E[j_P]
        yield i_P[apart_P], j_P[apart_P]


def _largest_count(count_R: np.ndarray, most_pairs: int) -> int:
    """How often a key may occur so that all such keys together make at most `most_pairs`."""
    counts, keys = np.unique(count_R, return_counts=True)
    pairs = np.cumsum(keys * (counts * (counts - 1) // 2))
    within = counts[pairs <= most_pairs]
    return int(within[-1]) if len(within) else 1


def votes_for(first_P: np.ndarray, second_P: np.ndarray, cell_P: np.ndarray) -> np.ndarray:
    """One number for each pair: the clips of its entries and its cell of offsets; P, int64."""
    cells = 1 << _CELL_BITS
    clips_P = first_P.astype(np.int64) * MOST_CLIPS + second_P
    return clips_P * cells + (cell_P + cells // 2).clip(0, cells - 1)


def elected(votes: Iterable[np.ndarray], at_least: int) -> Iterator[tuple[int, int, int]]:
    """Pairs of clips for which two cells side by side have `at_least` votes together.

    Yields (first, second, cell), ascending, once a pair: the two cells with the most votes (of
    a tie, the lowest) are `cell` and `cell + 1`.
    """
    vote_V, count_V = np.unique(np.concatenate([np.empty(0, np.int64), *votes]), return_counts=True)
    together_V = count_V.copy()
    beside_V = np.flatnonzero(np.diff(vote_V) == 1)
    together_V[beside_V] += count_V[beside_V + 1]
    enough_V = np.flatnonzero(together_V >= at_least)
    clips_V = vote_V[enough_V] >> _CELL_BITS
    best_first = np.lexsort((vote_V[enough_V], -together_V[enough_V], clips_V))
    _, best = np.unique(clips_V[best_first], return_index=True)
    for vote in vote_V[enough_V[best_first[best]]].tolist():
        clips, cell = divmod(vote, 1 << _CELL_BITS)
        yield clips // MOST_CLIPS, clips % MOST_CLIPS, cell - (1 << _CELL_BITS) // 2
