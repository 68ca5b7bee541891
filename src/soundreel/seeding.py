"""Randomness by position, not by history.

A number drawn for step 1,000 of stream "crop" depends on the seed, the stream's name and
1,000, and on nothing drawn before: a resumed run, a second worker and a film rendered from
its middle draw what an uninterrupted, single run would have drawn.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


def seed_for(seed: int, stream: str, step: int = 0) -> int:
    """A 63-bit seed for one position of one stream (BLAKE2b of the three, so streams are apart)."""
    digest = hashlib.blake2b(f"{seed}\x1f{stream}\x1f{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator_for(
    seed: int, stream: str, step: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A torch generator for one position of one stream, on `device`."""
    import torch

    return torch.Generator(device=device).manual_seed(seed_for(seed, stream, step))


def numpy_generator_for(seed: int, stream: str, step: int = 0) -> np.random.Generator:
    """A numpy generator for one position of one stream."""
    import numpy as np

    return np.random.default_rng(seed_for(seed, stream, step))
