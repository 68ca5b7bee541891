"""What `score` is asked to make small, apart from what its discriminator says."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

_BANDS = 16


def onset_l1(y_B1SS: Tensor, truth_B1SS: Tensor, widths: Sequence[int] = (1, 4, 16)) -> Tensor:
    """How differently 16 bands rise and fall from one stretch of columns to the next.

    Stretches of 1, 4 and 16 columns. A rhythm is a pattern of rises; the plain difference of two
    images forgives a drum that is left out, as it is short.
    """
    rows = y_B1SS.shape[-2]
    apart_B1BS = F.avg_pool2d(y_B1SS - truth_B1SS, (max(1, rows // _BANDS), 1))
    total = y_B1SS.new_zeros(())
    for width in widths:
        level = F.avg_pool2d(apart_B1BS, (1, width))
        total = total + level.diff(dim=-1).abs().mean()
    return total
