"""How far what was made for a clip is from real frames of the same look, clip by clip.

Beside the frames of all clips together, a model that makes one murky mixture of all looks may
stand better than one that keeps to a look: here each clip's pictures have only their own look's
frames to be like.

Shapes: N clips, B pictures of a clip, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soundreel.evidence.realism import sliced_wasserstein

#: Directions a clip: their mean over clips is as steady as one of all 512 over all clips.
_DIRECTIONS = 64


@dataclass(frozen=True, eq=False)
class LookRealism:
    """Sliced Wasserstein distances (see `realism.SlicedWasserstein`), N each; 0 is equal.

    made_N: of the made pictures to real frames of the look: the clip's own, and those of others.
    real_N: what real films are apart: the clip's own frames to those of others of its look;
    where there are no others, the clip's first half to its second half, which is little.
    """

    made_N: np.ndarray
    real_N: np.ndarray

    @property
    def made(self) -> float:
        """The mean over clips."""
        return float(self.made_N.mean())

    @property
    def real(self) -> float:
        """The mean over clips."""
        return float(self.real_N.mean())


def look_realism(
    made_by_clip: Sequence[np.ndarray],
    real_by_clip: Sequence[np.ndarray],
    others_by_clip: Sequence[np.ndarray],
    seed: int,
    directions: int = _DIRECTIONS,
) -> LookRealism:
    """Compare what was made for each clip with frames of its look.

    made_by_clip, real_by_clip: B x H x W x 3 uint8 a clip, in the order of time, of one size;
      at least one made and two real ones.
    others_by_clip: frames of other clips that share its look, or none (0 x H x W x 3).

    Raises: ValueError if the numbers of clips differ or there are none, or as `sliced_wasserstein`.
    """
    counts = len(made_by_clip), len(real_by_clip), len(others_by_clip)
    if len(set(counts)) > 1 or counts[0] == 0:
        raise ValueError(f"{counts} clips made, real and of others: equally many, at least one")
    made_N, real_N = np.empty(counts[0]), np.empty(counts[0])
    for clip, (made, real, others) in enumerate(
        zip(made_by_clip, real_by_clip, others_by_clip, strict=True)
    ):
        halves = np.arange(len(real)) * 2 // max(1, len(real))
        look = sliced_wasserstein(
            made,
            np.concatenate([real, others]) if len(others) else real,
            seed,
            # The clip against the others, or its halves: the floor is how far these are apart.
            np.repeat([0, 1], [len(real), len(others)]) if len(others) else halves,
            directions,
        )
        made_N[clip], real_N[clip] = look.value, look.floor
    return LookRealism(made_N, real_N)
