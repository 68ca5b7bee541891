"""Do a model's outputs change with what it hears at all? (EVIDENCE D.1)

Shapes: V clips, T moments, D pixels of a small picture in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Variance of the rounding to 8 bits, in [-1, 1]: less than that is no change.
_ROUNDING = (2 / 255) ** 2 / 12


@dataclass(frozen=True)
class Sensitivity:
    """How much outputs change with their input, as shares of how much the frames change.

    share: variance of the outputs over all inputs, over that of the frames: 0 for one picture for
      everything, 1 where outputs differ as much as frames do (rightly or not).
    beside_mean: root mean square of G(x) - G(mean input), over the frames' spread.
    beside_silence: the same beside G(silence).
    spread: root of the frames' mean variance; that of rounding to 8 bits, if they vary less.
    """

    share: float
    beside_mean: float
    beside_silence: float
    spread: float

    @property
    def visible(self) -> bool:
        """Whether outputs vary by more than the rounding of a picture to 8 bits does."""
        return self.share * self.spread**2 > _ROUNDING


def song_sensitivity(
    made_by_clip: Sequence[np.ndarray],
    truth_by_clip: Sequence[np.ndarray],
    made_of_mean_D: np.ndarray,
    made_of_silence_D: np.ndarray,
) -> Sensitivity:
    """How much a model's outputs change with what it hears.

    made_by_clip, truth_by_clip: T x D (or T x H x W x 3) for each clip, in [-1, 1].
    made_of_mean_D, made_of_silence_D: what the model makes of the mean input, and of silence.

    Variances are over all moments of all clips, averaged over pixels. A model that draws noise must
    have been given the same for all of it, or noise counts as response.

    Raises: ValueError if the shapes differ or there is no moment.
    """
    if len(made_by_clip) != len(truth_by_clip) or not sum(map(len, truth_by_clip)):
        raise ValueError(
            f"{len(made_by_clip)} clips made and {len(truth_by_clip)} true: equally many, and at "
            "least one moment, are needed"
        )
    for made_TD, truth_TD in zip(made_by_clip, truth_by_clip, strict=True):
        if made_TD.shape != truth_TD.shape or made_TD[0].size != np.size(made_of_mean_D):
            raise ValueError(
                f"made {made_TD.shape}, true {truth_TD.shape}, G(mean input) "
                f"{np.shape(made_of_mean_D)}: the same shape is needed"
            )
    if np.size(made_of_silence_D) != np.size(made_of_mean_D):
        raise ValueError(
            f"G(silence) is {np.shape(made_of_silence_D)}: the outputs' shape is needed"
        )
    spread = float(np.sqrt(max(_variance(truth_by_clip), _ROUNDING)))
    return Sensitivity(
        share=_variance(made_by_clip) / spread**2,
        beside_mean=_distance(made_by_clip, made_of_mean_D) / spread,
        beside_silence=_distance(made_by_clip, made_of_silence_D) / spread,
        spread=spread,
    )


def _variance(x_by_clip: Sequence[np.ndarray]) -> float:
    """Of each pixel over all moments of all clips, averaged over pixels."""
    count = sum(map(len, x_by_clip))
    mean = sum(x.sum(axis=0, dtype=np.float64) for x in x_by_clip) / count
    return _mean_square(x_by_clip, np.asarray(mean))


def _distance(x_by_clip: Sequence[np.ndarray], one: np.ndarray) -> float:
    shape = x_by_clip[0].shape[1:]
    return float(np.sqrt(_mean_square(x_by_clip, np.reshape(one, shape))))


def _mean_square(x_by_clip: Sequence[np.ndarray], from_what: np.ndarray) -> float:
    total = sum(float(np.square(x - from_what, dtype=np.float64).sum()) for x in x_by_clip)
    return total / sum(x.size for x in x_by_clip)
