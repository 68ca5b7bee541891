"""What `reel` is asked to make small, apart from what its discriminator says.

Shape suffixes: B batch, M moments, F neighbouring pictures of a moment, C, H, W.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_MOTION_BLOCK = 8


def pyramid_l1(y_BCHW: Tensor, truth_BCHW: Tensor, factors: Sequence[int] = (1, 4, 16)) -> Tensor:
    """Mean absolute differences of the pictures and of smaller copies of them, summed.

    Small copies forgive an edge that is a little out of place, and not a wrong colour.
    """
    total = y_BCHW.new_zeros(())
    for factor in factors:
        apart_BCHW = y_BCHW - truth_BCHW
        # Pooling is linear: one map to pool in place of two.
        pooled = apart_BCHW if factor == 1 else F.avg_pool2d(apart_BCHW, factor, ceil_mode=True)
        total = total + pooled.abs().mean()
    return total


def motion_l1(y_MFCHW: Tensor, truth_MFCHW: Tensor) -> Tensor:
    """How differently much neighbouring pictures differ, in blocks of 8 x 8 pixels.

    Of the amount of change, not of where to: that much motion, no matter which way.
    """

    def amount(x_MFCHW: Tensor) -> Tensor:
        change_BCHW = x_MFCHW.diff(dim=1).abs().flatten(0, 1)
        return F.avg_pool2d(change_BCHW, _MOTION_BLOCK, ceil_mode=True)

    return (amount(y_MFCHW) - amount(truth_MFCHW)).abs().mean()


def code_divergence(mean_BCHW: Tensor, log_variance_BCHW: Tensor) -> Tensor:
    """Kullback-Leibler divergence of reference codes from N(0, 1), in nats a picture, averaged."""
    nats = 0.5 * (mean_BCHW.square() + log_variance_BCHW.exp() - 1 - log_variance_BCHW)
    return nats.flatten(1).sum(1).mean()


def feature_l1(made: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Mean absolute differences of a discriminator's maps (Wang et al. 2018, pix2pixHD, eq. 4).

    Each map's is divided by the real map's own mean magnitude, so that all count alike.
    """
    total = made[0].new_zeros(())
    for made_BCHW, real_BCHW in zip(made, real, strict=True):
        scale = real_BCHW.detach().abs().mean() + 1e-3
        total = total + (made_BCHW - real_BCHW.detach()).abs().mean() / scale
    return total / len(made)


def moved_and_cut(
    pictures_BCHW: Tensor, drawn_B4: Tensor, reach: float = 0.125, hole: float = 0.3
) -> Tensor:
    """Differentiable augmentation (Zhao et al. 2020): each moved by up to `reach` of its sides,
    black coming in, and with a black hole of `hole` of its sides.

    Neighbouring pictures are given as channels, so that they are moved alike. No colours are
    changed: brightness and hue are what sound decides here.

    drawn_B4: evenly drawn from [0, 1): how far down, how far aside, and where the hole is.
    """
    count, _, rows, columns = pictures_BCHW.shape
    device = pictures_BCHW.device

    def spread(share_B: Tensor, low: int, high: int) -> Tensor:
        return low + (share_B * (high - low)).floor().long().to(device)

    up, left = int(rows * reach), int(columns * reach)
    row_BH = torch.arange(rows, device=device) + spread(drawn_B4[:, 0], 0, 2 * up + 1)[:, None]
    column_BW = (
        torch.arange(columns, device=device) + spread(drawn_B4[:, 1], 0, 2 * left + 1)[:, None]
    )
    padded = F.pad(pictures_BCHW, (left, left, up, up))
    place = torch.arange(count, device=device)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[place, row_BH[:, :, None], column_BW[:, None, :]]
    high, wide = int(rows * hole), int(columns * hole)
    top_B = spread(drawn_B4[:, 2], -high, rows)
    side_B = spread(drawn_B4[:, 3], -wide, columns)
    row_H = torch.arange(rows, device=device)
    column_W = torch.arange(columns, device=device)
    in_rows_BH = (row_H >= top_B[:, None]) & (row_H < top_B[:, None] + high)
    in_columns_BW = (column_W >= side_B[:, None]) & (column_W < side_B[:, None] + wide)
    kept_BHW = ~(in_rows_BH[:, :, None] & in_columns_BW[:, None, :])
    return moved.permute(0, 3, 1, 2) * kept_BHW[:, None]
