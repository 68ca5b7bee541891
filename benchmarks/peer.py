"""The widely used PyTorch pix2pix, re-typed plainly: what the benchmarks compare with.

U-Net-256 of nested blocks with batch norm and dropout, and the 70 x 70 discriminator, as in
github.com/junyanz/pytorch-CycleGAN-and-pix2pix (models/networks.py): the same operations in the
same order, without its options.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PeerBlock(nn.Module):
    """x -> [x, up(inner(down(x)))]."""

    def __init__(self, outer: int, inner: int, submodule: nn.Module | None, dropout: bool) -> None:
        super().__init__()
        down = [nn.LeakyReLU(0.2, True), nn.Conv2d(outer, inner, 4, 2, 1, bias=False)]
        if submodule is None:
            layers = [
                *down,
                nn.ReLU(True),
                nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=False),
                nn.BatchNorm2d(outer),
            ]
        else:
            layers = [
                *down,
                nn.BatchNorm2d(inner),
                submodule,
                nn.ReLU(True),
                nn.ConvTranspose2d(2 * inner, outer, 4, 2, 1, bias=False),
                nn.BatchNorm2d(outer),
                *([nn.Dropout(0.5)] if dropout else []),
            ]
        self.model = nn.Sequential(*layers)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return torch.cat((x_BCHW, self.model(x_BCHW)), 1)


class PeerGenerator(nn.Module):
    """U-Net-256, ngf 64: 54,413,955 parameters."""

    def __init__(self) -> None:
        super().__init__()
        block = PeerBlock(512, 512, None, False)
        for _ in range(3):
            block = PeerBlock(512, 512, block, True)
        for outer, inner in ((256, 512), (128, 256), (64, 128)):
            block = PeerBlock(outer, inner, block, False)
        self.model = nn.Sequential(
            nn.Conv2d(3, 64, 4, 2, 1, bias=False),
            block,
            nn.ReLU(True),
            nn.ConvTranspose2d(128, 3, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.model(x_BCHW)


class PeerDiscriminator(nn.Module):
    """70 x 70 PatchGAN: 2,768,705 parameters."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(6, 64, 4, 2, 1), nn.LeakyReLU(0.2, True)]
        for inputs, outputs, stride in ((64, 128, 2), (128, 256, 2), (256, 512, 1)):
            layers += [
                nn.Conv2d(inputs, outputs, 4, stride, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.LeakyReLU(0.2, True),
            ]
        self.model = nn.Sequential(*layers, nn.Conv2d(512, 1, 4, 1, 1))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.model(x_BCHW)
