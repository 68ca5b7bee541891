"""What the two networks are asked to make small.

The discriminator's logits z stand for the probability sigmoid(z) that a patch is real. The
TensorFlow port wrote -log(sigmoid(z) + 1e-12) and -log(1 - sigmoid(z) + 1e-12). Since
-log sigmoid(z) = softplus(-z) and -log(1 - sigmoid(z)) = softplus(z), the same is written here
from the logits: equal to a relative 1e-12 / sigmoid, without the constant, and exact where
sigmoid(z) rounds to 0 or 1.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean over patches of -log p(real is real) - log(1 - p(fake is real)); a scalar >= 0.

    The sum of the two, not their half, as in the TensorFlow port.
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def adversarial_loss(fake_logits: Tensor) -> Tensor:
    """Mean over patches of -log p(fake is real): the non-saturating loss of Goodfellow 2014."""
    return F.softplus(-fake_logits).mean()


def l1_loss(y_BCHW: Tensor, truth_BCHW: Tensor) -> Tensor:
    """Mean absolute difference; for pictures in [-1, 1], from 0 to 2."""
    return (y_BCHW - truth_BCHW).abs().mean()
