"""The discriminator: is each 70 x 70 patch of this pair of pictures real?"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundreel.networks.norms import Norm, NormKind
from soundreel.networks.unet import init_weights

_SLOPE = 0.2


class PatchGAN(nn.Module):
    """Three layers of stride 2, two of stride 1; each output value sees 70 x 70 pixels.

    channels: of both pictures together.
    width: channels after the first layer: width, 2, 4 and 8 x width, then 1.
    bias_before_norm: whether convolutions that a norm follows have a bias.

    Parameters with 6 channels, width 64: 2,769,601 with biases (the paper's), 2,768,705 without
    (the widely used PyTorch implementation's).

    Shape: B x C x S x S -> B x 1 x (S/8 - 2) x (S/8 - 2), logits: above 0 means real.
    """

    def __init__(
        self,
        channels: int = 6,
        width: int = 64,
        norm: NormKind = "batch",
        bias_before_norm: bool = True,
    ) -> None:
        super().__init__()
        bias = bias_before_norm or norm == "none"
        widths = [channels, width, 2 * width, 4 * width, 8 * width, 1]
        last = len(widths) - 2
        self.convs = nn.ModuleList(
            nn.Conv2d(
                widths[layer],
                widths[layer + 1],
                4,
                stride=2 if layer < 3 else 1,
                padding=1,
                bias=bias or layer in (0, last),
            )
            for layer in range(last + 1)
        )
        self.norms = nn.ModuleList(Norm(norm, widths[layer + 1]) for layer in range(1, last))
        init_weights(self)

    def forward(self, condition_BCHW: Tensor, picture_BCHW: Tensor) -> Tensor:
        """Logits for patches of the pair (what the picture was made from, the picture)."""
        x_BCHW = torch.cat((condition_BCHW, picture_BCHW), 1)
        x_BCHW = F.leaky_relu(self.convs[0](x_BCHW), _SLOPE)
        for conv, norm in zip(list(self.convs)[1:-1], self.norms, strict=True):
            x_BCHW = F.leaky_relu(norm(conv(x_BCHW)), _SLOPE)
        return self.convs[-1](x_BCHW)
