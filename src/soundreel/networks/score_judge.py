"""The discriminator of `score`: does each patch of this sound image look like one of real sound?

Shape suffixes: B batch, C channels, H and W rows and columns, P patches, N voices.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from soundreel.networks.reel_parts import SLOPE

_LEVELS = 4
_MOST = 128


@dataclass(frozen=True)
class Heard:
    """What was seen in sound images: a score for each patch, above 0: real; all maps on the way."""

    score_BP: Tensor
    maps: tuple[Tensor, ...]


class ScoreJudge(nn.Module):
    """Strided convolutions with spectral norms (Miyato et al. 2018), a score for each patch of
    46 x 46 pixels, projected on the voice (Miyato and Koyama 2018).

    It is told how high each row lies: the same pattern is a bass in one row and hiss in another.

    width: channels after the first convolution; they double up to 128. clips: voices, less one.

    Shape: B x 1 x S x S, B (places of voices) -> `Heard`.
    """

    def __init__(self, width: int, clips: int) -> None:
        super().__init__()
        widths = [2, *(min(width * 2**n, _MOST) for n in range(_LEVELS))]
        self.convs = nn.ModuleList(
            spectral_norm(nn.Conv2d(widths[n], widths[n + 1], 4, 2, 1)) for n in range(_LEVELS)
        )
        self.score = spectral_norm(nn.Conv2d(widths[-1], 1, 1))
        self.voice_NC = nn.Parameter(0.1 * torch.randn(clips + 1, widths[-1]))

    def forward(self, image_B1SS: Tensor, voice_B: Tensor) -> Heard:
        """Judge sound images that are said to be of these voices."""
        count, _, rows, columns = image_B1SS.shape
        row_S = torch.linspace(-1, 1, rows, device=image_B1SS.device, dtype=image_B1SS.dtype)
        x_BCHW = torch.cat(
            [image_B1SS, row_S[None, None, :, None].expand(count, 1, rows, columns)], 1
        )
        maps = []
        for conv in self.convs:
            x_BCHW = F.leaky_relu(conv(x_BCHW), SLOPE)
            maps.append(x_BCHW)
        fits_BHW = (x_BCHW * self.voice_NC[voice_B][..., None, None]).mean(1)
        return Heard((self.score(x_BCHW)[:, 0] + fits_BHW).flatten(1), tuple(maps))
