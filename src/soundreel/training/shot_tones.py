"""The tone of each training shot: how its pictures differ, on the whole, from its clip's others.

Brightness, cast and contrast that stay through a shot are no moment's sound to tell; those that
change within it are, and those that all of a clip share are its look. So a shot has one tone, and
all its moments share it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from soundreel.dataset.loading import Pairs
from soundreel.networks.reel_parts import picture_tones
from soundreel.training.evenly import spread

_PICTURES_OF_SHOT = 8
_AT_ONCE = 64


def shot_tones(pairs: Pairs, shot_N: np.ndarray) -> Tensor:
    """The tone of each pair's shot, the mean over a few of its pictures: N x 4 float32.

    It is less the mean over its clip: see `picture_tones` for the four numbers.

    shot_N: the shot of each pair; pairs of a shot follow one another.
    """
    first_S = np.concatenate([[0], np.flatnonzero(np.diff(shot_N)) + 1])
    lengths_S = np.diff(np.concatenate([first_S, [len(shot_N)]]))
    ends = zip(first_S, lengths_S, strict=True)
    seen = [first + spread(int(length), _PICTURES_OF_SHOT) for first, length in ends]
    places = np.concatenate(seen)
    tone_P4 = torch.cat(
        [
            picture_tones(pairs.pictures(places[first : first + _AT_ONCE]))
            for first in range(0, len(places), _AT_ONCE)
        ]
    )
    tone_S4 = torch.stack([part.mean(0) for part in tone_P4.split([len(one) for one in seen])])
    tone_N4 = tone_S4.repeat_interleave(torch.from_numpy(lengths_S), 0)
    for clip in np.unique(pairs.clip_N):
        of_clip = torch.from_numpy(pairs.clip_N == clip)
        tone_N4[of_clip] -= tone_N4[of_clip].mean(0)
    return tone_N4
