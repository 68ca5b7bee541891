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

from soundreel.evidence.descriptors import picture_descriptors
from soundreel.evidence.following import without_drift

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

#: What is followed, and the descriptors that say it.
_FOLLOWED = {
    "brightness": ("brightness",),
    "hue": ("hue_cos", "hue_sin"),
    "motion": ("motion_energy",),
}
#: Fewer moments have no correlation to speak of.
_FEWEST_MOMENTS = 4


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
    starts_by_clip = (
        [(0,)] * len(made_by_clip) if run_starts_by_clip is None else run_starts_by_clip
    )
    made: dict[str, list[np.ndarray]] = {name: [] for name in _FOLLOWED}
    truth: dict[str, list[np.ndarray]] = {name: [] for name in _FOLLOWED}
    for made_THWC, truth_THWC, starts in zip(
        made_by_clip, truth_by_clip, starts_by_clip, strict=True
    ):
        if len(made_THWC) != len(truth_THWC):
            raise ValueError(
                f"{len(made_THWC)} made frames and {len(truth_THWC)} true ones: "
                "equally many are needed"
            )
        begins_T = np.zeros(len(truth_THWC), bool)
        begins_T[np.asarray(starts, np.int64)] = True
        begins_T[:1] = True  # nothing came before it
        for curves, frames_THWC in ((made, made_THWC), (truth, truth_THWC)):
            found = picture_descriptors(frames_THWC)
            for name, columns in _FOLLOWED.items():
                curve_TD = np.stack([found[column] for column in columns], axis=1)
                curves[name].append(curve_TD[~begins_T] if name == "motion" else curve_TD)
    return {name: _follow(made[name], truth[name]) for name in _FOLLOWED}


def _follow(made_by_clip: list[np.ndarray], truth_by_clip: list[np.ndarray]) -> Follow | None:
    """made_by_clip, truth_by_clip: a T x D array for each clip."""
    enough = [n for n, truth_TD in enumerate(truth_by_clip) if len(truth_TD) >= _FEWEST_MOMENTS]
    if len(enough) < 2:
        return None
    made = [made_by_clip[n] for n in enough]
    truth = [truth_by_clip[n] for n in enough]
    lengths_N = np.array([len(truth_TD) for truth_TD in truth])
    correlation_NN = np.empty((len(enough), len(enough)))  # made for u, truth of v
    for length in np.unique(lengths_N):
        those = np.flatnonzero(lengths_N == length)
        place_T = np.arange(length)
        made_TND = np.stack([m_TD[place_T * len(m_TD) // length] for m_TD in made], axis=1)
        truth_TVD = np.stack([truth[n] for n in those], axis=1)
        each_NVD = np.einsum("tnd,tvd->nvd", _unit(made_TND), _unit(truth_TVD))
        correlation_NN[:, those] = each_NVD.mean(axis=2)
    own = np.eye(len(enough), dtype=bool)
    return Follow(float(correlation_NN[own].mean()), float(correlation_NN[~own].mean()))


def _unit(x_TND: np.ndarray) -> np.ndarray:
    """Curves without their mean and of length 1, so that a product is a correlation."""
    flat = x_TND.reshape(len(x_TND), -1)
    centred = without_drift(flat, slow_terms=0)
    length = np.linalg.norm(centred, axis=0)
    # What is left of a constant is rounding, and no direction.
    still = length <= 1e-9 * len(flat) * np.abs(flat).max(axis=0)
    return np.where(still, 0, centred / np.where(still, 1, length)).reshape(x_TND.shape)


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
