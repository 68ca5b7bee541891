"""What every generator made here learns with: Adam, one step of it, and a running average."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from soundreel.training.presets import Training
from soundreel.training.ranks import Ranks


def fused_adam(parameters: list[Any], rate: float, settings: Training) -> torch.optim.Adam:
    """Adam with the settings' betas; parameters, or groups of them with rates of their own."""
    betas = settings.beta1, settings.beta2
    return torch.optim.Adam(parameters, rate, betas, eps=1e-8, fused=True)


def take_step(
    network: nn.Module, optimizer: torch.optim.Adam, ranks: Ranks, longest: float | None = None
) -> None:
    """Step along the gradients, of all processes together; no longer than `longest`."""
    if ranks.count > 1:
        ranks.average(p.grad for p in network.parameters() if p.grad is not None)
    if longest is not None:
        nn.utils.clip_grad_norm_(network.parameters(), longest)
    optimizer.step()


@torch.no_grad()
def average_in(averaged: nn.Module | None, newest: nn.Module, ema_decay: float, step: int) -> None:
    """Move the running average towards the newest parameters, after step number `step`.

    Early on it forgets faster, or it would remember the random weights for long.
    """
    if averaged is None:
        return
    share = 1 - min(ema_decay, (1 + step) / (10 + step))
    for old, new in zip(averaged.parameters(), newest.parameters(), strict=True):
        old.lerp_(new, share)
