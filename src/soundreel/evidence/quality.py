"""How good made pictures are beside the true ones: likeness, sharpness, dependence, following.

Each number has a blind spot that another one sees. A blurred picture has a good L1 and no
sharpness; noise is sharp and like nothing; the mean frame is like everything and depends on
nothing; and only what follows its own song better than another's has listened.

Shapes: B pictures, C channels, H rows, W columns; T moments of a clip, N clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from soundreel.evidence.descriptor_margins import (
    FEWEST_MOMENTS,
    followed_curves,
    pair_correlations,
)

#: Wang, Simoncelli and Bovik 2003, "Multiscale structural similarity": weights of the scales,
#: the finest first.
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: Shortest side of a picture that has 1, 2, ... of the scales: the window of 11 pixels must fit
#: into the coarsest one, and torchmetrics asks for a little more with four.
_SHORTEST_SIDE = (11, 22, 44, 99, 176)
_RANGE = 2.0  # of pictures in [-1, 1]
_AT_ONCE = 16
#: Five blurred pictures for each of these pass through a processor's cache together.
_COMPARED_AT_ONCE = 2

_LUMA = (0.2126, 0.7152, 0.0722)  # ITU-R BT.709
_LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))
#: Variance of the rounding to 8 bits, in [-1, 1]: less than that is no detail and no change.
_ROUNDING = (_RANGE / 255) ** 2 / 12
_ROUNDING_DETAIL = _ROUNDING * 20  # 20: the sum of the Laplacian's squares

#: What a held-out measurement follows.
_FOLLOWED = ("brightness", "hue", "motion")


@dataclass(frozen=True)
class Follow:
    """Within-clip correlation with the truth, each from -1 to 1.

    own: of what was made from a clip's own song; swapped: of what was made from the others'.
    """

    own: float
    swapped: float

    @property
    def margin(self) -> float:
        """How much of the following is owed to the song: 0 where any other would have done."""
        return self.own - self.swapped


def ms_ssim(y_BCHW: Tensor, truth_BCHW: Tensor) -> float:
    """Multiscale structural similarity (Wang 2003), the mean over pictures; 1 is the same picture.

    y_BCHW, truth_BCHW: in [-1, 1]. As torchmetrics has it: Gaussian windows of 11 pixels, sigma
    1.5, each channel for itself; inside the picture, but at the coarsest scale also over its
    edges, mirrored. Of the five scales as many as the shorter side has room for, their weights
    made to sum to 1 again: 5 from 176 pixels, 4 from 99, 3 from 44, 2 from 22. So sizes do not
    compare: 256 has all five, 128 four, 64 three.

    Raises: ValueError if the shapes differ, there is no picture, or one is smaller than 11 pixels.
    """
    _check(y_BCHW, truth_BCHW)
    side = min(y_BCHW.shape[2:])
    scales = sum(side >= shortest for shortest in _SHORTEST_SIDE)
    if scales == 0:
        raise ValueError(f"pictures of {side} pixels: at least {_SHORTEST_SIDE[0]} are needed")
    weights = _SCALE_WEIGHTS[:scales]
    total = 0.0
    with torch.no_grad():
        for y, truth in zip(
            y_BCHW.split(_COMPARED_AT_ONCE), truth_BCHW.split(_COMPARED_AT_ONCE), strict=True
        ):
            total += float(
                multiscale_structural_similarity_index_measure(
                    y.float(),
                    truth.float(),
                    reduction="sum",
                    data_range=_RANGE,
                    betas=tuple(weight / sum(weights) for weight in weights),
                )
            )
    return total / len(y_BCHW)


def sharpness_ratio(y_B3HW: Tensor, truth_B3HW: Tensor) -> float:
    """Fine detail of the made pictures over that of the truth: 1 is as sharp, 0 has none.

    Detail is the mean square, over all pixels of all pictures but their edges, of the Laplacian
    (the four neighbours less four times the pixel) of the BT.709 luma. Less than 1 is blur, more
    is noise, or ringing. A truth that is flatter than rounding to 8 bits counts as that rounding.

    y_B3HW, truth_B3HW: RGB in [-1, 1], at least 3 x 3.

    Raises: ValueError if the shapes differ, or there is no picture.
    """
    _check(y_B3HW, truth_B3HW)
    return _detail(y_B3HW) / max(_detail(truth_B3HW), _ROUNDING_DETAIL)


def sensitivity(y_BCHW: Tensor, truth_BCHW: Tensor) -> float:
    """How much the made pictures vary with their input, as a share of how much the frames vary.

    The variance over the B, averaged over pixels and channels, of the one over that of the
    other: 0 where every input gives the same picture, 1 where the pictures differ as much as the
    frames do (rightly or not). 1 also where the frames themselves do not differ, or there is one
    only: then there is nothing to depend on.

    y_BCHW, truth_BCHW: in [-1, 1].

    Raises: ValueError if the shapes differ, or there is no picture.
    """
    _check(y_BCHW, truth_BCHW)
    of_truth = _variance(truth_BCHW)
    return 1.0 if of_truth <= _ROUNDING else _variance(y_BCHW) / of_truth


def follow_margins(
    made_by_clip: Sequence[np.ndarray],
    truth_by_clip: Sequence[np.ndarray],
    run_starts_by_clip: Sequence[Sequence[int] | np.ndarray] | None = None,
) -> dict[str, Follow | None]:
    """Whether brightness, hue and motion of the made pictures follow the truth, clip by clip.

    made_by_clip, truth_by_clip: for each of N clips its T frames in order, T x H x W x 3 uint8
    RGB; T may differ from clip to clip, not between made and truth.
    run_starts_by_clip: where moments come in runs with gaps between, the places 0..T - 1 at which
    a run starts; the change across a gap is no motion and is left out. None: one run a clip.

    own: the mean over clips v of the correlation of what was made for v with the truth of v.
    swapped: the mean over clips u != v of what was made for u, at the same relative time, with
    the truth of v. Only means are removed, and a curve that does not vary correlates 0. Hue is
    the mean of the correlations of its two coordinates.

    Returns: "brightness", "hue" and "motion"; None where fewer than two clips have at least four
    moments.

    Raises: ValueError if the numbers of clips or of moments differ.
    """
    made, truth = followed_curves(made_by_clip, truth_by_clip, run_starts_by_clip)
    return {name: _follow(made[name], truth[name]) for name in _FOLLOWED}


def _follow(made_by_clip: list[np.ndarray], truth_by_clip: list[np.ndarray]) -> Follow | None:
    """made_by_clip, truth_by_clip: a T x D array for each clip."""
    enough = [n for n, truth_TD in enumerate(truth_by_clip) if len(truth_TD) >= FEWEST_MOMENTS]
    if len(enough) < 2:
        return None
    correlation_NN = pair_correlations(
        [made_by_clip[n] for n in enough], [truth_by_clip[n] for n in enough]
    )
    own = np.eye(len(enough), dtype=bool)
    return Follow(float(correlation_NN[own].mean()), float(correlation_NN[~own].mean()))


def _detail(x_B3HW: Tensor) -> float:
    kernel_13KK = torch.tensor(_LUMA).view(1, 3, 1, 1) * torch.tensor(_LAPLACIAN)
    total = 0.0
    for part in x_B3HW.split(_AT_ONCE):
        fine_B1HW = F.conv2d(part.float(), kernel_13KK.to(part.device))
        total += float(fine_B1HW.square().mean()) * len(part)
    return total / len(x_B3HW)


def _variance(x_BCHW: Tensor) -> float:
    return float(x_BCHW.float().var(dim=0, correction=0).mean())


def _check(y_BCHW: Tensor, truth_BCHW: Tensor) -> None:
    if y_BCHW.shape != truth_BCHW.shape or len(y_BCHW) == 0:
        raise ValueError(
            f"made pictures are {tuple(y_BCHW.shape)}, true ones {tuple(truth_BCHW.shape)}: "
            "the same shape, and at least one picture, are needed"
        )
