"""Normalisation of feature maps, and what each kind depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NormKind = Literal["batch", "frozen-batch", "instance", "group", "none"]

_GROUPS = 32
_MOMENTUM = 0.1  # torch's own


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

    across: where a batch is spread over several processes, what sums a tensor over all of them
      (and passes gradients back); the statistics are then those of the whole batch.

    Where a channel has one value only (1 x 1 maps at batch 1), the value minus its mean is zero
    and the shift alone remains; torch refuses that case, so it is written out here.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, kind: NormKind, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.kind = kind
        self.eps = eps
        self.across: Callable[[Tensor], Tensor] | None = None
        self.keeps_statistics = True
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
        if H * W * (1 if alone else B) == 1 and (alone or self.across is None):
            shape = (1, -1, 1, 1)
            return (x_BCHW - x_BCHW) * self.weight.view(shape) + self.bias.view(shape)
        if alone:
            return F.instance_norm(x_BCHW, weight=self.weight, bias=self.bias, eps=self.eps)
        kept = self.kind == "frozen-batch" and self.keeps_statistics
        running = (self.running_mean, self.running_var) if kept else (None, None)
        if self.across is not None:
            return self._over_all(x_BCHW, *running)
        return F.batch_norm(x_BCHW, *running, self.weight, self.bias, training=True, eps=self.eps)

    def _over_all(
        self, x_BCHW: Tensor, running_mean: Tensor | None, running_var: Tensor | None
    ) -> Tensor:
        """Batch norm by the statistics of all processes' parts together, in float32 at least.

        The parts are equally large, so their means and variances make those of the whole in one
        sum over all processes: the mean of the means, and the mean of the variances plus the
        variance of the means (Chan, Golub and LeVeque 1983).
        """
        assert self.across is not None
        wide_BCHW = x_BCHW if x_BCHW.dtype == torch.float64 else x_BCHW.float()
        own_mean_C = wide_BCHW.mean((0, 2, 3))
        own_var_C = (wide_BCHW - own_mean_C.view(1, -1, 1, 1)).square().mean((0, 2, 3))
        parts = wide_BCHW.new_ones(1)
        told = self.across(torch.cat((own_mean_C, own_var_C, own_mean_C.square(), parts)))
        mean_C, var_C, square_C = (told[:-1] / told[-1].detach()).chunk(3)
        var_C = var_C + (square_C - mean_C.square())
        count = told[-1].detach() * (x_BCHW.numel() // x_BCHW.shape[1])
        if running_mean is not None and running_var is not None:
            with torch.no_grad():  # as F.batch_norm does, the variance without bias
                running_mean.lerp_(mean_C.to(running_mean), _MOMENTUM)
                running_var.lerp_((var_C * count / (count - 1)).to(running_var), _MOMENTUM)
        scale_C = self.weight * torch.rsqrt(var_C + self.eps)
        shift_C = self.bias - mean_C * scale_C
        shape = (1, -1, 1, 1)
        return (wide_BCHW * scale_C.view(shape) + shift_C.view(shape)).to(x_BCHW.dtype)

    def extra_repr(self) -> str:
        """What `print(network)` shows of it."""
        return self.kind if self.kind == "none" else f"{self.kind}, {len(self.weight)}"


@contextmanager
def statistics_left_alone(network: nn.Module) -> Iterator[None]:
    """Let a network normalise by a batch without remembering its statistics."""
    norms = [module for module in network.modules() if isinstance(module, Norm)]
    for norm in norms:
        norm.keeps_statistics = False
    try:
        yield
    finally:
        for norm in norms:
            norm.keeps_statistics = True
