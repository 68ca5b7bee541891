"""Normalisation of feature maps, and what each kind depends on."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NormKind = Literal["batch", "frozen-batch", "instance", "group", "none"]

_GROUPS = 32


class Norm(nn.Module):
    """Normalises each channel, then scales and shifts it. Shape: B x C x H x W, kept.

    kind:
      batch         by the statistics of the batch, in training and in generation (the paper's).
                    In generation each picture is a batch of its own, however many come at once,
                    so this is then what instance normalisation is.
      frozen-batch  by the statistics of the batch in training, by running statistics in
                    generation: there it is a fixed scale and shift that engines can fold.
      instance      by the statistics of each picture, in training and in generation.
      group         by the statistics of up to 32 groups of channels of each picture.
      none          not at all.

    Where a channel has one value only (1 x 1 maps at batch 1), the value minus its mean is zero
    and the shift alone remains; torch refuses that case, so it is written out here.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, kind: NormKind, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.kind = kind
        self.eps = eps
        if kind == "none":
            return
        self.weight = nn.Parameter(torch.empty(channels).normal_(1.0, 0.02))
        self.bias = nn.Parameter(torch.zeros(channels))
        if kind == "frozen-batch":
            self.register_buffer("running_mean", torch.zeros(channels))
            self.register_buffer("running_var", torch.ones(channels))
        if kind == "group":
            self.groups = next(g for g in range(_GROUPS, 0, -1) if channels % g == 0)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Normalise; `self.training` tells training from generation."""
        if self.kind == "none":
            return x_BCHW
        if self.kind == "group":
            return F.group_norm(x_BCHW, self.groups, self.weight, self.bias, self.eps)
        if self.kind == "frozen-batch" and not self.training:
            return F.batch_norm(
                x_BCHW, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        B, _, H, W = x_BCHW.shape
        alone = self.kind == "instance" or not self.training
        if H * W * (1 if alone else B) == 1:
            shape = (1, -1, 1, 1)
            return (x_BCHW - x_BCHW) * self.weight.view(shape) + self.bias.view(shape)
        if alone:
            return F.instance_norm(x_BCHW, weight=self.weight, bias=self.bias, eps=self.eps)
        running = (
            (self.running_mean, self.running_var) if self.kind == "frozen-batch" else (None, None)
        )
        return F.batch_norm(x_BCHW, *running, self.weight, self.bias, training=True, eps=self.eps)

    def extra_repr(self) -> str:
        """What `print(network)` shows of it."""
        return self.kind if self.kind == "none" else f"{self.kind}, {len(self.weight)}"
