"""Some of many, evenly."""

from __future__ import annotations

import numpy as np


def spread(count: int, most: int) -> np.ndarray:
    """At most `most` of the numbers 0..count - 1, evenly spread, in order."""
    if count <= most:
        return np.arange(count)
    return (np.arange(most) * count + count // 2) // most
