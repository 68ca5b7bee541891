"""Windows that slide over a sound which comes in blocks: the same ones, however it is cut.

Shapes: N samples in a block, T windows, L samples in each.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

#: About so many samples in the windows of a batch.
_BATCH_SAMPLES = 2**20


def windows_at_a_time(window_samples: int) -> int:
    """How many windows of this length make a batch."""
    return max(1, _BATCH_SAMPLES // window_samples)


class SlidingWindows:
    """The windows that end at samples hop, 2 hop, 3 hop, ... of a sound fed in blocks.

    Before the sound's start there is silence. A batch always holds the same windows, whatever
    the blocks, so that sums over it come out the same to the bit. Memory: one batch.
    """

    def __init__(self, hop_samples: int, window_samples: int) -> None:
        self._hop, self._window = hop_samples, window_samples
        self._batch = windows_at_a_time(window_samples)
        # What the next batch's windows begin with.
        self._lead = max(0, window_samples - hop_samples)
        self._skip = max(0, hop_samples - window_samples)
        self._held = [np.zeros(self._lead, np.float32)]
        self._fresh = 0
        """Samples held after the lead."""

    def feed(self, block_N: np.ndarray) -> Iterator[np.ndarray]:
        """The batches that a block completes: T x L, float32 views that hold until the next."""
        wanted = self._batch * self._hop
        block_N = np.asarray(block_N, np.float32)
        while len(block_N):
            taken = block_N[: wanted - self._fresh]
            block_N = block_N[len(taken) :]
            self._held.append(taken)
            self._fresh += len(taken)
            if self._fresh == wanted:
                yield self._take()

    def finish(self) -> Iterator[np.ndarray]:
        """The windows that are left when the sound ends: those with a whole hop before the end."""
        if self._fresh >= self._hop:
            yield self._take()

    def _take(self) -> np.ndarray:
        sound_N = np.concatenate(self._held)
        self._held = [sound_N[len(sound_N) - self._lead :]]
        self._fresh = 0
        return sliding_window_view(sound_N[self._skip :], self._window)[:: self._hop]
