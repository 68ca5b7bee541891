"""Where a run's pairs come from, and in which order an epoch goes through them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from soundreel.dataset.loading import Pairs
from soundreel.dataset.streaming import StreamedPairs
from soundreel.recipe import Recipe
from soundreel.seeding import numpy_generator_for


class Source(Protocol):
    """All the pairs of a split, in an order of its own for every epoch.

    An epoch has `len(source)` places; which pair stands at a place depends on the seed, the
    epoch and the place alone.
    """

    @property
    def recipe(self) -> Recipe: ...

    def __len__(self) -> int: ...

    def at(self, epoch: int, places: Sequence[int]) -> tuple[Pairs, np.ndarray]:
        """The pairs at these places, as pairs and indices into them."""
        ...

    def sample(self, most: int) -> Pairs:
        """Pairs to take means of: all of them, or `most` where they are not in reach."""
        ...

    def identity(self) -> dict[str, Any]:
        """What a run folder keeps, to know the same pairs again."""
        ...


class InMemory:
    """Pairs that are all in reach: each epoch is a permutation of them.

    balance_clips: every clip has equally many places in an epoch (but for one), and goes through
    its own pairs in a new order each time it has used them up.
    """

    def __init__(self, pairs: Pairs, seed: int, balance_clips: bool = False) -> None:
        self.pairs = pairs
        self._seed = seed
        self._balance = balance_clips
        # Sequential access touches two epochs at most.
        self._order = lru_cache(maxsize=2)(self._balanced_order if balance_clips else self._shuffle)
        self._clips = [np.flatnonzero(pairs.clip_N == clip) for clip in np.unique(pairs.clip_N)]

    @property
    def recipe(self) -> Recipe:
        return self.pairs.recipe

    def __len__(self) -> int:
        return len(self.pairs)

    def at(self, epoch: int, places: Sequence[int]) -> tuple[Pairs, np.ndarray]:
        return self.pairs, self._order(epoch)[np.asarray(places, np.int64)]

    def sample(self, most: int) -> Pairs:
        return self.pairs

    def identity(self) -> dict[str, Any]:
        return pairs_identity(self.pairs)

    def _shuffle(self, epoch: int) -> np.ndarray:
        return numpy_generator_for(self._seed, "order", epoch).permutation(len(self.pairs))

    def _balanced_order(self, epoch: int) -> np.ndarray:
        count, clips = len(self.pairs), len(self._clips)
        drawn = []
        for number, of_clip in enumerate(self._clips):
            # Clip c owns the places c, c + C, c + 2C, ... of the whole run, epochs one after
            # the other; so over the epochs its share of the odd places evens out.
            first = -(-(epoch * count - number) // clips)
            stop = -(-((epoch + 1) * count - number) // clips)
            rounds = range(first // len(of_clip), (stop - 1) // len(of_clip) + 1)
            in_turn = np.concatenate(
                [
                    numpy_generator_for(self._seed, f"order of clip {number}", turn).permutation(
                        of_clip
                    )
                    for turn in rounds
                ]
            )
            skipped = rounds.start * len(of_clip)
            drawn.append(in_turn[first - skipped : stop - skipped])
        together = np.concatenate(drawn)
        return numpy_generator_for(self._seed, "order", epoch).permutation(together)


class Streamed:
    """Pairs read from shards as they are needed."""

    def __init__(self, stream: StreamedPairs) -> None:
        self.stream = stream

    @property
    def recipe(self) -> Recipe:
        return self.stream.recipe

    def __len__(self) -> int:
        return len(self.stream)

    def at(self, epoch: int, places: Sequence[int]) -> tuple[Pairs, np.ndarray]:
        taken = self.stream.take(epoch, places)
        return taken, np.arange(len(taken))

    def sample(self, most: int) -> Pairs:
        return self.stream.sample(most)

    def identity(self) -> dict[str, Any]:
        return self.stream.identity()


def pairs_identity(pairs: Pairs) -> dict[str, Any]:
    """How many clips and pairs, and a digest that tells them from any others."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update("\x1f".join(pairs.clip_ids).encode())
    for numbers in (pairs.clip_N, pairs.end_sample_N):
        digest.update(numbers.astype("<i8").tobytes())
    return {"clips": len(pairs.clip_ids), "pairs": len(pairs), "places": digest.hexdigest()}
