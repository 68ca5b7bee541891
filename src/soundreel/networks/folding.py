"""Frozen norms folded into the convolutions before them: the same pictures, fewer operations."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from soundreel.networks.norms import Norm
from soundreel.networks.unet import UNet


def can_fold(generator: UNet) -> bool:
    """Whether its norms are a fixed scale and shift in generation (or there are none)."""
    return generator.norm in ("frozen-batch", "none")


@torch.no_grad()
def fold_norms(generator: UNet) -> UNet:
    """A copy without norms that generates the same pictures; for `can_fold` generators only.

    A frozen norm turns z into (z - mean) * scale + shift with scale = weight / sqrt(var + eps):
    that is a convolution with scaled kernels and another bias. Equal up to float rounding.
    """
    assert can_fold(generator)
    with torch.device("meta"):  # weights that are about to be replaced need not be drawn
        folded = UNet(
            generator.size,
            generator.in_channels,
            generator.out_channels,
            generator.width,
            norm="none",
            innermost_norm=generator.innermost_norm,
            dropout=generator.dropout,
            dropout_at_generation=generator.dropout_at_generation,
        )
    folded = folded.to_empty(device=next(generator.parameters()).device)
    for old_convs, old_norms, new_convs, channel_dim in (
        (generator.downs, generator.down_norms, folded.downs, 0),
        (generator.ups, generator.up_norms, folded.ups, 1),
    ):
        for old, norm, new in zip(old_convs, old_norms, new_convs, strict=True):
            assert isinstance(old, nn.Conv2d | nn.ConvTranspose2d)
            assert isinstance(new, nn.Conv2d | nn.ConvTranspose2d)
            assert isinstance(norm, Norm)
            weight, bias = _folded(old, norm, channel_dim)
            new.weight.copy_(weight)
            assert new.bias is not None
            new.bias.copy_(bias)
    return folded.eval().requires_grad_(False)


def _folded(
    conv: nn.Conv2d | nn.ConvTranspose2d, norm: Norm, channel_dim: int
) -> tuple[Tensor, Tensor]:
    bias = conv.weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias
    if norm.kind == "none":
        return conv.weight, bias
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    shape = [1, 1, 1, 1]
    shape[channel_dim] = -1
    return conv.weight * scale.view(shape), (bias - norm.running_mean) * scale + norm.bias
