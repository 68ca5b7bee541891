"""Pairs for training from shards that need not fit into memory, here or in a store.

An epoch is all pairs, each once, in an order that is shuffled in two stages. The clips are
permuted, and those that follow each other are put together into blocks that fit into memory;
inside a block all pairs are permuted. Which pair stands at a place of an epoch depends on the
seed, the epoch, the place and the size of blocks, and on nothing asked for before: a run resumes
anywhere, and of several processes each takes the places that are its own.

Asked for one after the other, places cost one reading of each tar an epoch: the block after the
one in use is read meanwhile.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from soundreel.dataset.loading import Pairs
from soundreel.dataset.shard_clips import ShardClip, ShardPair, decoded_pairs, read_clip
from soundreel.dataset.shard_listing import ListedClip, listed_clips
from soundreel.dataset.store import Split
from soundreel.places import exists, place_from
from soundreel.recipe import Recipe
from soundreel.seeding import numpy_generator_for

#: The block in use, the one that a slower thread may still be at, and the one that is being read.
_BLOCKS = 3

#: The clips of a block, as numbers in ascending order.
_Clips = tuple[int, ...]


def is_shard_place(where: str | Path) -> bool:
    """Whether shards lie at a local folder or an address: recipe.json and the list train.txt.

    Raises: SettingsError for an address of no store; StorageError if the store does not answer.
    """
    root = place_from(where)
    return exists(root / "recipe.json") and exists(root / "train.txt")


def open_stream(
    where: str | Path, split: Split, seed: int, block_bytes: int = 2 * 2**30
) -> StreamedPairs:
    """The pairs of one split of shards; no tar is read yet.

    where: a local folder, or a store's address (s3://bucket/dataset).
    seed: of the order. block_bytes: what a block would fill if its frames were decoded, the bound
        to its size; three blocks at most are in memory, their frames as JPEG. A clip is never
        divided: one larger than that is a block of its own.

    Raises: DatasetError if no shards lie there, or their lists do not fit together; StorageError.
    """
    recipe, clips = listed_clips(place_from(where), split)
    return StreamedPairs(recipe, clips, seed, block_bytes)


def load_shards(where: str | Path, split: Split, most: int) -> Pairs:
    """At most `most` pairs of one split of shards, in memory: to measure on.

    The same ones each time: of each clip a run of pairs from its middle, as many as is the clip's
    share of all pairs. `clip_ids` and the like are as `decoded_pairs` has them.

    Raises: DatasetError if no shards lie there, or a tar is missing or damaged; StorageError.
    """
    recipe, clips = listed_clips(place_from(where), split)
    counts = [clip.pairs for clip in clips]
    total = sum(counts)
    wanted = min(most, total)
    # Evenly spread over all pairs, and counted by clip.
    spread = (np.arange(wanted) * total + total // 2) // max(wanted, 1)
    clip_of = np.repeat(np.arange(len(clips)), counts)
    shares = np.bincount(clip_of[spread], minlength=len(clips))
    chosen: list[ShardPair] = []
    for clip, share in zip(clips, shares.tolist(), strict=True):
        if share:
            first = (clip.pairs - share) // 2
            read = read_clip(clip, recipe).run(first, first + share, recipe.window_samples)
            chosen += map(read.pair, range(share))
    return decoded_pairs(chosen, recipe)


class StreamedPairs:
    """The pairs of one split of shards, in an order of its own for every epoch.

    recipe: what the dataset was made with. clip_ids: the ids of the clips.
    Made by `open_stream`; several threads may take from it at once.
    """

    def __init__(
        self, recipe: Recipe, clips: Sequence[ListedClip], seed: int, block_bytes: int
    ) -> None:
        self.recipe = recipe
        self.clip_ids: Sequence[str] = [clip.id for clip in clips]
        self._clips = clips
        self._seed = seed
        self._block_bytes = block_bytes
        self._ahead = _ReadAhead(lambda clip: read_clip(clips[clip], recipe))
        # Sequential access touches two epochs at most, and in each the ends of two blocks.
        self._layout = lru_cache(maxsize=3)(self._layout_of)
        self._order = lru_cache(maxsize=4)(self._order_of)

    def __len__(self) -> int:
        return sum(clip.pairs for clip in self._clips)

    def take(self, epoch: int, places: Sequence[int] | np.ndarray) -> Pairs:
        """The pairs at these places (0 to N - 1) of an epoch, in the order given.

        Their `clip_ids`, `clip_N`, `end_sample_N` and `sounds` are of pieces of sound, not of
        clips: see `decoded_pairs`.

        Raises: DatasetError if a tar or a picture in it is missing or damaged, or holds another
        number of pairs than clips.jsonl says; StorageError.
        """
        place_B = np.asarray(places, np.int64)
        if ((place_B < 0) | (place_B >= len(self))).any():
            raise ValueError(f"an epoch has the places 0 to {len(self) - 1}")
        layout = self._layout(epoch)
        block_B = np.searchsorted(layout.first_place_J, place_B, side="right") - 1
        chosen: dict[int, ShardPair] = {}
        for block in np.unique(block_B).tolist():
            clips = self._ahead.clips(layout.blocks[block], self._after(epoch, block))
            first_pair_C = np.cumsum([0, *map(len, clips)])
            order = self._order(epoch, block)
            for n in np.flatnonzero(block_B == block).tolist():
                index = order[place_B[n] - layout.first_place_J[block]]
                clip = int(np.searchsorted(first_pair_C, index, side="right")) - 1
                chosen[n] = clips[clip].pair(int(index - first_pair_C[clip]))
        return decoded_pairs([chosen[n] for n in range(len(place_B))], self.recipe)

    def sample(self, most: int) -> Pairs:
        """The first pairs of the first clips, `most` of them at most, in memory: for a mean.

        Raises: as `take`.
        """
        chosen: list[ShardPair] = []
        for clip in self._clips:
            if len(chosen) == most:
                break
            share = min(clip.pairs, most - len(chosen))
            read = read_clip(clip, self.recipe).run(0, share, self.recipe.window_samples)
            chosen += map(read.pair, range(share))
        return decoded_pairs(chosen, self.recipe)

    def identity(self) -> dict[str, Any]:
        """How many clips and pairs, and a digest that tells them from any others.

        By the lists alone, and wherever these lie: no tar is read.
        """
        digest = hashlib.blake2b(digest_size=16)
        for clip in self._clips:
            digest.update("\x1f".join((clip.id, str(clip.pairs), *clip.names, "\n")).encode())
        return {"clips": len(self._clips), "pairs": len(self), "places": digest.hexdigest()}

    def close(self) -> None:
        """End the reading ahead; nothing can be taken after that."""
        self._ahead.close()

    def _after(self, epoch: int, block: int) -> _Clips:
        """The block that comes after one, be it the next epoch's first."""
        blocks = self._layout(epoch).blocks
        if block + 1 < len(blocks):
            return blocks[block + 1]
        return self._layout(epoch + 1).blocks[0]

    def _layout_of(self, epoch: int) -> _Layout:
        rng = numpy_generator_for(self._seed, "order of clips", epoch)
        blocks: list[list[int]] = []
        filled = 0
        for clip in rng.permutation(len(self._clips)).tolist():
            needed = self._clips[clip].most_bytes
            if not blocks or filled + needed > self._block_bytes:
                blocks.append([])
                filled = 0
            blocks[-1].append(clip)
            filled += needed
        counts = [sum(self._clips[clip].pairs for clip in block) for block in blocks]
        return _Layout(
            tuple(tuple(sorted(block)) for block in blocks), np.cumsum([0, *counts[:-1]])
        )

    def _order_of(self, epoch: int, block: int) -> np.ndarray:
        count = sum(self._clips[clip].pairs for clip in self._layout(epoch).blocks[block])
        rng = numpy_generator_for(self._seed, f"order in block {block}", epoch)
        return rng.permutation(count)


@dataclass(frozen=True)
class _Layout:
    """An epoch's J blocks, and the place that each one begins at."""

    blocks: tuple[_Clips, ...]
    first_place_J: np.ndarray


class _ReadAhead:
    """Blocks of clips, read in one thread of its own; those used last are kept."""

    def __init__(self, read: Callable[[int], ShardClip]) -> None:
        self._read = read
        self._pool = ThreadPoolExecutor(1, "shards-ahead")
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._blocks: OrderedDict[_Clips, Future[list[ShardClip]]] = OrderedDict()

    def clips(self, block: _Clips, following: _Clips) -> list[ShardClip]:
        """The clips of a block; the one that follows is read meanwhile.

        Raises: what `read` raised; the block is then read anew when it is asked for again.
        """
        with self._lock:
            reading = self._begun(block)
            self._begun(following)
        try:
            return reading.result()
        except BaseException:
            with self._lock:
                if self._blocks.get(block) is reading and reading.done():
                    del self._blocks[block]
            raise

    def close(self) -> None:
        self._closing.set()
        self._pool.shutdown(cancel_futures=True)
        with self._lock:
            self._blocks.clear()

    def _begun(self, block: _Clips) -> Future[list[ShardClip]]:
        if block not in self._blocks:
            while len(self._blocks) >= _BLOCKS:
                self._blocks.popitem(last=False)
            self._blocks[block] = self._pool.submit(self._read_block, block)
        self._blocks.move_to_end(block)
        return self._blocks[block]

    def _read_block(self, block: _Clips) -> list[ShardClip]:
        clips = []
        for clip in block:
            if self._closing.is_set():
                raise CancelledError
            clips.append(self._read(clip))
        return clips
