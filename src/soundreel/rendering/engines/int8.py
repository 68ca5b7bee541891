"""Numbers as 8-bit integers: levels for activations, scales for weights.

After Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference": activations with one set of levels a layer, weights with one
scale a channel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_SHARES = np.linspace(0.3, 1.0, 15)


@dataclass(frozen=True)
class Levels:
    """256 evenly spaced levels, of which `below` lie below zero and one is zero itself.

    So padding, and what a ReLU cuts off, stay exact. step: from one level to the next.
    """

    step: float
    below: int

    @property
    def low(self) -> float:
        """The lowest level."""
        return -self.below * self.step

    @property
    def high(self) -> float:
        """The highest level."""
        return (255 - self.below) * self.step

    def nearest(self, x: Tensor) -> Tensor:
        """The nearest level to each value."""
        return (x / self.step).round().clamp(-self.below, 255 - self.below) * self.step


def levels_for(low: float, high: float) -> Levels:
    """Levels that reach from about `low` (0 or less) to about `high`."""
    step = max(high - low, 1e-6) / 255
    # Four digits: as fine as it matters, and the same where sums round a little differently.
    return Levels(float(f"{step:.4g}"), min(255, round(-low / step)))


def best_levels(sample_N: Tensor, low: float, high: float) -> Levels:
    """The levels within [low, high] with the least mean squared error on a sample of the values.

    A few values far out would cost all others precision: those are cut off instead.
    """
    choices = [levels_for(share * low, share * high) for share in _SHARES]
    errors = [float((each.nearest(sample_N) - sample_N).square().mean()) for each in choices]
    return choices[int(np.argmin(errors))]


def quantised_weight(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A kernel O x I x h x w as int8 in [-127, 127], and the scale of each output channel."""
    largest = np.abs(weight).max(axis=(1, 2, 3), keepdims=True)
    scale = np.where(largest > 0, largest, 1).astype(np.float32) / 127
    return np.rint(weight / scale).astype(np.int8), scale


class Sampler:
    """Sees all that enters a layer; remembers its extremes and an even sample of it."""

    _EVERY = 257  # odd and prime: so it walks through all channels and places

    def __init__(self) -> None:
        self._low, self._high = 0.0, 0.0
        self._samples: list[Tensor] = []

    def see(self, x_BCHW: Tensor) -> None:
        """Look at a batch."""
        low, high = x_BCHW.aminmax()
        self._low, self._high = min(self._low, low.item()), max(self._high, high.item())
        every = self._EVERY if x_BCHW.numel() > 100 * self._EVERY else 1
        self._samples.append(x_BCHW.permute(0, 2, 3, 1).reshape(-1)[::every].clone())

    def levels(self) -> Levels:
        """The levels to quantise it with."""
        return best_levels(torch.cat(self._samples), self._low, self._high)
