"""Pictures at another size: areas averaged on the way down, cubic on the way up."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


def fit_to(x_BCHW: Tensor, size: int) -> Tensor:
    """Pictures as B x C x size x size, in their own range [-1, 1].

    Smaller: the mean of the area that each new pixel covers. Larger: bicubic, cut off at the
    range, since a cubic overshoots at edges. The same size: the tensor itself.
    """
    height, width = x_BCHW.shape[-2:]
    if (height, width) == (size, size):
        return x_BCHW
    if height >= size and width >= size:
        return area_resize(x_BCHW, size)
    larger = F.interpolate(x_BCHW, (size, size), mode="bicubic", align_corners=False)
    return larger.clamp_(-1, 1)


def area_resize(x_BCHW: Tensor, size: int) -> Tensor:
    """Every new pixel the mean over the area of the old ones that it covers, shares included.

    This is TensorFlow's ResizeMethod.AREA, upwards too (torch's own "area" takes whole pixels).
    Shape: B x C x H x W -> B x C x size x size.
    """
    height, width = x_BCHW.shape[-2:]
    rows = _area_weights(height, size).to(x_BCHW)
    columns = _area_weights(width, size).to(x_BCHW)
    return rows @ x_BCHW @ columns.T


@lru_cache(maxsize=16)
def _area_weights(old: int, new: int) -> Tensor:
    """The matrix new x old: the share of each old pixel in each new one; every row sums to 1."""
    edges = torch.arange(new + 1, dtype=torch.float64) * old / new
    pixels = torch.arange(old, dtype=torch.float64)
    low = torch.maximum(edges[:-1, None], pixels)
    high = torch.minimum(edges[1:, None], pixels + 1)
    return ((high - low).clamp_(min=0) * (new / old)).float()
