"""The generator: a U-Net that turns one picture into another.

Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", as in
C. Hesse's TensorFlow port. Shape suffixes: B batch, C channels, H and W rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundreel.networks.norms import Norm, NormKind
from soundreel.seeding import generator_for

SIZES = (64, 128, 256, 512)
_DROPOUT_BLOCKS = 3
_SLOPE = 0.2


class UNet(nn.Module):
    """log2(size) convolutions down to 1 x 1, as many up again, and a skip across each level.

    size: rows and columns of the pictures, one of 64, 128, 256, 512.
    width: channels after the first layer; they double each layer up to 8 x width.
    norm: see `Norm`. All layers but the first and the last are normalised.
    innermost_norm: whether the 1 x 1 layer is normalised too. At batch 1 that layer then sees a
      single value a channel and returns its shift: the bottleneck carries nothing and only the
      skips speak. The paper's network is so.
    bias_before_norm: whether convolutions that a norm follows have a bias of their own, which
      the norm takes out again. Without, all but the last lose it, as in the widely used PyTorch
      implementation.
    dropout: share of values dropped in the first three blocks on the way up.
    dropout_at_generation: whether that noise stays on when pictures are generated.

    Parameters at size 256, width 64: 54,420,483 with both biases and innermost norm (the
    paper's), 54,413,955 without either (the PyTorch implementation's).

    Shape: B x in_channels x size x size -> B x out_channels x size x size in [-1, 1].
    """

    def __init__(
        self,
        size: int = 256,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        norm: NormKind = "batch",
        bias_before_norm: bool = True,
        innermost_norm: bool = True,
        dropout: float = 0.5,
        dropout_at_generation: bool = True,
    ) -> None:
        super().__init__()
        if size not in SIZES:
            raise ValueError(f"size = {size}: must be one of {SIZES}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout = {dropout}: must be at least 0 and less than 1")
        self.size = size
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.width = width
        self.norm: NormKind = norm
        self.innermost_norm = innermost_norm
        self.dropout = dropout
        self.dropout_at_generation = dropout_at_generation and dropout > 0
        bias = bias_before_norm or norm == "none"
        levels = size.bit_length() - 1
        widths = [width * min(2**level, 8) for level in range(levels)]

        self.downs = nn.ModuleList()
        self.down_norms = nn.ModuleList()
        channels = in_channels
        for level, wider in enumerate(widths):
            outermost, innermost = level == 0, level == levels - 1
            self.downs.append(nn.Conv2d(channels, wider, 4, 2, 1, bias=bias))
            kind = "none" if outermost or (innermost and not innermost_norm) else norm
            self.down_norms.append(Norm(kind, wider))
            channels = wider

        self.ups = nn.ModuleList()
        self.up_norms = nn.ModuleList()
        for level in reversed(range(levels)):
            outermost, innermost = level == 0, level == levels - 1
            narrower = out_channels if outermost else widths[level - 1]
            inputs = widths[level] if innermost else 2 * widths[level]
            self.ups.append(nn.ConvTranspose2d(inputs, narrower, 4, 2, 1, bias=bias or outermost))
            self.up_norms.append(Norm("none" if outermost else norm, narrower))
        self._mask_shapes = [
            (widths[level - 1], size >> level, size >> level)
            for level in reversed(range(1, levels))
        ][:_DROPOUT_BLOCKS]
        init_weights(self, fan_scaled=norm == "none")

    @property
    def depends_on_noise(self) -> bool:
        """Whether a picture it generates depends on its seed."""
        return self.dropout_at_generation

    def draw_masks(self, seeds: Sequence[int]) -> list[Tensor]:
        """Dropout masks, drawn for each picture of a batch from its own seed.

        Returns one B x C x h x w tensor a dropout block, of 0 and 1 / (1 - dropout): an empty
        list if dropout is 0. Drawn on the CPU, so a seed means the same mask on every device.
        """
        if self.dropout == 0:
            return []
        rows = []
        for seed in seeds:
            generator = generator_for(seed, "dropout")
            rows.append([torch.rand(s, generator=generator) for s in self._mask_shapes])
        scale = 1 / (1 - self.dropout)
        return [
            (torch.stack(block) >= self.dropout).float().mul_(scale)
            for block in zip(*rows, strict=True)
        ]

    def forward(self, x_BCHW: Tensor, masks: Sequence[Tensor] = ()) -> Tensor:
        """Pictures for pictures; `masks` (see `draw_masks`) is the noise, none by default."""
        skips: list[Tensor] = []
        for level, (conv, norm) in enumerate(zip(self.downs, self.down_norms, strict=True)):
            x_BCHW = norm(conv(F.leaky_relu(x_BCHW, _SLOPE) if level else x_BCHW))
            skips.append(x_BCHW)
        y_BCHW = skips.pop()
        for block, (deconv, norm) in enumerate(zip(self.ups, self.up_norms, strict=True)):
            if block:
                y_BCHW = torch.cat((y_BCHW, skips.pop()), 1)
            y_BCHW = norm(deconv(F.relu(y_BCHW)))
            if block < len(masks):
                y_BCHW = y_BCHW * masks[block].to(y_BCHW)
        return torch.tanh(y_BCHW)


def init_weights(network: nn.Module, fan_scaled: bool = False) -> None:
    """Draw convolution weights from N(0, 0.02), biases zero; norms draw their own.

    fan_scaled: draw from N(0, sqrt(2 / inputs)) instead (He et al. 2015): without norms behind
      them, N(0, 0.02) lets the signal fade from layer to layer.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            # A transposed convolution of stride 2 adds up a quarter of its 4 x 4 taps.
            taps = module.in_channels * (4 if isinstance(module, nn.ConvTranspose2d) else 16)
            nn.init.normal_(module.weight, 0.0, sqrt(2 / taps) if fan_scaled else 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
