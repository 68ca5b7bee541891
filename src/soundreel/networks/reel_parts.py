"""The parts of `reel`: what hears, what sees a picture's layout, and what draws.

Shape suffixes: B batch, C channels, H and W rows and columns, K bands, T columns of sound, A
numbers of a sound code, Y numbers of a style.
"""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
_BANDS, _COLUMNS = 64, 85
#: A picture in [-1, 1] with less contrast than this has no layout to speak of.
_NO_CONTRAST = 0.02
#: What `picture_tones` tells of a picture: red, green, blue and contrast.
TONE_NUMBERS = 4
_TONE_SIDE = 32
#: So many of the lowest rows stay as they are; above, bands grow evenly wider, as hearing does.
_SINGLE_ROWS = 24
#: Keeps the sum of two maps as strong as each of them.
_HALF_POWER = math.sqrt(0.5)


def halved_sizes(rows: int, columns: int, longest: int = 4) -> list[tuple[int, int]]:
    """Sizes from the smallest, whose longer side is at most `longest`, up to rows x columns.

    Each is half of the next, rounded up: a stride-2 convolution with padding 1 makes the same.
    """
    sizes = [(rows, columns)]
    while max(sizes[-1]) > longest:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes[::-1]


def band_edges(rows: int, bands: int = _BANDS, single: int = _SINGLE_ROWS) -> Tensor:
    """Where bands begin and end among the rows of a picture whose rows are evenly spaced in Hz.

    The lowest `single` bands are a row each, those above grow by an even factor up to the last
    row, as on a mel scale (linear below about 2 kHz, logarithmic above). Of a picture with fewer
    than two rows a band all are equally wide. Shape: bands + 1.
    """
    if rows < 2 * bands:
        return torch.linspace(0, rows, bands + 1, dtype=torch.float64)
    above = bands - single
    grown = single * (rows / single) ** (torch.arange(1, above + 1, dtype=torch.float64) / above)
    return torch.cat([torch.arange(single + 1, dtype=torch.float64), grown])


class SoundFront(nn.Module):
    """A sound image, seen as coarsely as it is heard; nothing in it is learnt.

    Frequencies: 64 bands, as `band_edges` for rows evenly spaced in Hz, of equal width for mel.
    Time: the means of neighbouring columns, about 60 a second, counted from the newest.

    size: rows and columns of the sound image. evenly_in_hz: False for `mel`.
    low_row_first: the lowest frequency is in row 0 (`psd`), not in the last.

    Shape: B x 1 x size x size -> B x 1 x K x T, the lowest band first, the newest column last.
    """

    bands_KS: Tensor

    def __init__(self, size: int, evenly_in_hz: bool, low_row_first: bool) -> None:
        super().__init__()
        bands = min(_BANDS, size)
        edges = (
            band_edges(size, bands)
            if evenly_in_hz
            else torch.linspace(0, size, bands + 1, dtype=torch.float64)
        )
        row = torch.arange(size, dtype=torch.float64)
        low = torch.maximum(edges[:-1, None], row)
        high = torch.minimum(edges[1:, None], row + 1)
        shares_KS = (high - low).clamp_(min=0) / (edges[1:] - edges[:-1])[:, None]
        shares_KS = shares_KS if low_row_first else shares_KS.flip(1)
        self.register_buffer("bands_KS", shares_KS.float(), persistent=False)
        self.joined = max(1, size // _COLUMNS)
        self.bands = len(shares_KS)
        self.columns = size // self.joined

    def forward(self, x_B1SS: Tensor) -> Tensor:
        newest_B1ST = x_B1SS[..., x_B1SS.shape[-1] - self.joined * self.columns :]
        joined_B1ST = newest_B1ST.unflatten(-1, (self.columns, self.joined)).mean(-1)
        return self.bands_KS.to(joined_B1ST.dtype) @ joined_B1ST


class SoundEncoder(nn.Module):
    """Four strided convolutions, then flattened: when something happened matters.

    Shape: B x 1 x bands x columns -> B x numbers.
    """

    def __init__(self, bands: int, columns: int, numbers: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(1, 24, 5, (4, 2), 2),
                nn.Conv2d(24, 48, (3, 5), 2, (1, 2)),
                nn.Conv2d(48, 96, 3, 2, 1),
                nn.Conv2d(96, 64, 3, 2, 1),
            ]
        )
        rows, width = -(-bands // 4), -(-columns // 2)
        for _ in range(3):
            rows, width = -(-rows // 2), -(-width // 2)
        self.code = nn.Linear(64 * rows * width, numbers)

    def forward(self, x_B1KT: Tensor) -> Tensor:
        x_BCHW = x_B1KT
        for conv in self.convs:
            x_BCHW = F.leaky_relu(conv(x_BCHW), SLOPE)
        return self.code(x_BCHW.flatten(1))


class ReferenceEncoder(nn.Module):
    """The layout of a picture, as a small map: mean and log variance of a normal distribution.

    It sees the picture less its mean colour and over its contrast: how bright, how colourful and
    of which cast a picture is are the sound's to say, and what cannot be seen here cannot be
    taken from the reference instead.

    sizes: from `halved_sizes`, the code's own size first, the size at which the picture is seen
      last; the picture is averaged down to that one.

    Shape: B x 3 x H x W -> two of B x channels x h x w.
    """

    def __init__(self, sizes: list[tuple[int, int]], channels: int) -> None:
        super().__init__()
        self.seen = sizes[-1]
        widths = [3, *(min(24 * 2**level, 96) for level in range(len(sizes) - 1))]
        self.convs = nn.ModuleList(
            nn.Conv2d(here, there, 3, 2, 1) for here, there in itertools.pairwise(widths)
        )
        self.code = nn.Conv2d(widths[-1], 2 * channels, 1)

    def forward(self, y_B3HW: Tensor) -> tuple[Tensor, Tensor]:
        x_BCHW = F.adaptive_avg_pool2d(y_B3HW.float(), self.seen)
        x_BCHW = x_BCHW - x_BCHW.mean((2, 3), keepdim=True)
        contrast_B111 = x_BCHW.square().mean((1, 2, 3), keepdim=True).sqrt()
        x_BCHW = x_BCHW / (contrast_B111 + _NO_CONTRAST)
        for conv in self.convs:
            x_BCHW = F.leaky_relu(conv(x_BCHW), SLOPE)
        mean_BCHW, log_variance_BCHW = self.code(x_BCHW).float().chunk(2, 1)
        return mean_BCHW, log_variance_BCHW.clamp(-8, 4)


def picture_tones(y_B3HW: Tensor) -> Tensor:
    """What a `ReferenceEncoder` does not see: mean red, green, blue, and contrast: B x 4.

    Contrast is the root mean square of what is left of the picture without its mean colour, seen
    in 32 x 32 places: alike for the same picture at any size.
    """
    seen_B3HW = F.adaptive_avg_pool2d(y_B3HW, _TONE_SIDE)
    colour_B3 = seen_B3HW.mean((2, 3))
    contrast_B = (seen_B3HW - colour_B3[..., None, None]).square().mean((1, 2, 3)).sqrt()
    return torch.cat([colour_B3, contrast_B[:, None]], 1)


class DrawingBlock(nn.Module):
    """Twice as large, two convolutions that a style modulates, and a way around them.

    The style scales each channel by 1 + tanh and shifts it (FiLM, Perez et al. 2018; without the
    bound training diverged at these rates). Nothing is normalised, so a picture depends on
    nothing else in its batch. Bilinear: taking the nearest pixel left a grid.

    size: rows and columns of what comes out.

    Shape: B x inputs x h x w, B x Y -> B x outputs x size.
    """

    def __init__(self, inputs: int, outputs: int, style: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.around = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else None
        self.style1 = nn.Linear(style, 2 * outputs)
        self.style2 = nn.Linear(style, 2 * outputs)

    def forward(self, x_BCHW: Tensor, style_BY: Tensor) -> Tensor:
        if tuple(x_BCHW.shape[-2:]) != self.size:
            x_BCHW = F.interpolate(x_BCHW, self.size, mode="bilinear", align_corners=False)
        y_BCHW = F.leaky_relu(modulated(self.conv1(x_BCHW), self.style1(style_BY)), SLOPE)
        y_BCHW = F.leaky_relu(modulated(self.conv2(y_BCHW), self.style2(style_BY)), SLOPE)
        around_BCHW = x_BCHW if self.around is None else self.around(x_BCHW)
        return (around_BCHW + y_BCHW) * _HALF_POWER


def modulated(x_BCHW: Tensor, style_B2C: Tensor) -> Tensor:
    """Each channel times 1 + tanh of one number of the style, plus another."""
    scale_BC, shift_BC = style_B2C.chunk(2, 1)
    scale_BC11 = (1 + torch.tanh(scale_BC))[..., None, None]
    return torch.addcmul(shift_BC[..., None, None], x_BCHW, scale_BC11)


def draw_weights(module: nn.Module, gain: float = 1.0) -> None:
    """He's initialisation for leaky ReLUs (He et al. 2015), times `gain`; biases zero."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, SLOPE)
            part.weight.data.mul_(gain)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
