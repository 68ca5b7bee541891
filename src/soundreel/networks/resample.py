"""Pictures at another size: areas averaged on the way down, cubic on the way up."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


def fit_to(x_BCHW: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Pictures as B x C x rows x columns, in their own range [-1, 1].

    size: rows and columns, or one number for both.

    Smaller: the mean of the area that each new pixel covers. Larger: bicubic, cut off at the
    range, since a cubic overshoots at edges. The same size: the tensor itself.
    """
    height, width = x_BCHW.shape[-2:]
    rows, columns = (size, size) if isinstance(size, int) else size
    if (height, width) == (rows, columns):
        return x_BCHW
    if height >= rows and width >= columns:
        return area_resize(x_BCHW, (rows, columns))
    larger = F.interpolate(x_BCHW, (rows, columns), mode="bicubic", align_corners=False)
    return larger.clamp_(-1, 1)


def area_resize(x_BCHW: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Every new pixel the mean over the area of the old ones that it covers, shares included.

    This is TensorFlow's ResizeMethod.AREA, upwards too (torch's own "area" takes whole pixels).
    Shape: B x C x H x W -> B x C x size x size, or B x C x rows x columns.
    """
    height, width = x_BCHW.shape[-2:]
    new_height, new_width = (size, size) if isinstance(size, int) else size
    rows = _area_weights(height, new_height).to(x_BCHW)
    columns = _area_weights(width, new_width).to(x_BCHW)
    return rows @ x_BCHW @ columns.T


@lru_cache(maxsize=16)
def _area_weights(old: int, new: int) -> Tensor:
    """The matrix new x old: the share of each old pixel in each new one; every row sums to 1."""
    edges = torch.arange(new + 1, dtype=torch.float64) * old / new
    pixels = torch.arange(old, dtype=torch.float64)
    low = torch.maximum(edges[:-1, None], pixels)
    high = torch.minimum(edges[1:, None], pixels + 1)
    return ((high - low).clamp_(min=0) * (new / old)).float()
